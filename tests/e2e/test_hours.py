"""A night that is too short: the run ends in time with a model, and says what it left out."""

import json
import subprocess
import sys

import pytest

from .conftest import localdistill

# Of a default run this is a fraction of what it takes, so that something must be left out.
HOURS = 0.03
PLUS = 60  # seconds: what the promise adds to the time that was given


@pytest.mark.real
@pytest.mark.alone  # it measures how fast this machine is, and plans by that
def test_a_run_with_too_little_time_ends_in_it_with_a_model_and_says_what_it_left_out(tmp_path):
    run = tmp_path / "run"
    # The promise of --hours itself: a run that is late is ended by the exception of this.
    done = localdistill("run", "--run-dir", run, "--hours", HOURS, timeout=3600 * HOURS + PLUS)
    assert done.code == 0, done.err
    omitted = json.loads((run / "omitted.json").read_text())
    assert omitted["hours"] == HOURS and omitted["items"]
    page = (run / "report.html").read_text()
    for item in omitted["items"]:
        assert item["what"] in done.out
        assert item["what"] in page
    model = run / "rounds" / "01" / "model.gguf"
    asked = subprocess.run(
        [
            sys.executable, "-c",
            "import sys; from llama_cpp import Llama;"
            "m = Llama(sys.argv[1], n_ctx=256, verbose=False);"
            "print(m('def f(x):', max_tokens=8, temperature=0)['usage']['completion_tokens'])",
            model,
        ],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert int(asked.stdout.split()[-1]) > 0
