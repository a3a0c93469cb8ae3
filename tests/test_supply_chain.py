"""What the source never does with files that somebody downloaded."""

import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "localdistill"
# Sandboxed programs may do what they like; these files are what tests attack the sandbox with.
SOURCES = sorted(
    path for path in PACKAGE.rglob("*.py") if "attacks/programs" not in path.as_posix()
)


ALLOWED = {"report/page.py"}  # its templates are our own


@pytest.mark.parametrize(
    ("why", "pattern"),
    [
        ("a pickle can run any code", r"\bimport (pickle|dill|cloudpickle|joblib|shelve)\b"),
        ("a pickle can run any code", r"\bfrom (pickle|dill|cloudpickle|joblib|shelve) import\b"),
        ("it unpickles", r"\btorch\.(load|save)\(|\bread_pickle\(|allow_pickle\s*=\s*True"),
        ("it runs code out of a model's folder", r"trust_remote_code\s*=\s*True"),
        ("it runs what it reads", r"(?<![\w.])eval\("),
        ("a template must not leave its sandbox", r"\bjinja2\.(Environment|Template)\("),
        ("a template must not leave its sandbox", r"\bfrom jinja2 import (Environment|Template)\b"),
        ("YAML can make any object", r"\byaml\.(unsafe_load|load)\("),
    ],
)
def test_it_is_not_done(why, pattern):
    found = [
        f"{path.relative_to(PACKAGE)}:{number}"
        for path in SOURCES
        if path.relative_to(PACKAGE).as_posix() not in ALLOWED
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if re.search(pattern, line)
    ]
    assert not found, why


def test_whoever_loads_a_model_or_tokenizer_says_that_no_code_of_it_is_run():
    for path in SOURCES:
        text = path.read_text()
        calls = re.findall(r"\.from_pretrained\((?:[^()]|\([^()]*\))*\)", text)
        for call in calls:
            assert "trust_remote_code=False" in call, f"{path}: {call}"


def test_durations_are_measured_by_a_clock_that_never_jumps():
    # The wall clock may be set back or forward at any moment; it is for records only.
    allowed = {
        "backends/chat_template.py",  # a template asks for the date
        "backends/openai_client.py",  # a server says until when to wait
        "health.py",  # how old a file is, across containers
        "pipeline/journal.py",  # when an event happened
        "pipeline/openings.py",  # when eval was looked at
        "watching.py",  # how old another process's event is
    }
    found = {
        path.relative_to(PACKAGE).as_posix()
        for path in SOURCES
        if re.search(r"\btime\.time\b|\bdatetime\.(now|utcnow|today)\(", path.read_text())
    }
    assert found <= allowed
