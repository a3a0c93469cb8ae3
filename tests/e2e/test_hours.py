"""A night that is too short: the run ends in time with a model, and says what it left out."""

import json
import subprocess
import sys

import pytest

from .conftest import localdistill

# Of three rounds this is a fraction of what they take, so that something must be left out.
HOURS, ROUNDS = 0.05, 3
PLUS = 60  # seconds: what the promise adds to the time that was given


@pytest.mark.real
@pytest.mark.alone  # it measures how fast this machine is, and plans by that
def test_a_run_with_too_little_time_ends_in_it_with_a_model_and_says_what_it_left_out(tmp_path):
    run = tmp_path / "run"
    # The promise of --hours itself: a run that is late is ended by the exception of this.
    done = localdistill(
        "run", "--run-dir", run, "--hours", HOURS, "--rounds", ROUNDS, timeout=3600 * HOURS + PLUS
    )
    assert done.code == 0, done.err
    omitted = json.loads((run / "omitted.json").read_text())
    assert omitted["hours"] == HOURS and omitted["items"]
    page = (run / "report.html").read_text()
    for item in omitted["items"]:
        assert item["what"] in done.out
        assert item["what"] in page
    model = run / "rounds" / "01" / "model.gguf"
    question = json.loads((run / "problems" / "train.jsonl").read_text().partition("\n")[0])
    asked = subprocess.run(
        [
            sys.executable, "-c",
            "import sys; from llama_cpp import Llama;"
            "m = Llama(sys.argv[1], n_ctx=512, verbose=False)\n"
            "asked = [{'role': 'user', 'content': sys.argv[2]}]\n"
            "reply = m.create_chat_completion(asked, max_tokens=8, temperature=0)\n"
            "print(reply['usage']['completion_tokens'])",
            model, question["prompt"],
        ],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert int(asked.stdout.split()[-1]) > 0
