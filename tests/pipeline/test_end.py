"""How a run begins and ends in its own record, which watchers and programs go by."""

import pytest

from localdistill.errors import StageFailed, Stopped
from localdistill.events import Planned, Recorded, RunFinished, RunStarted
from localdistill.jsonl import read_rows
from tests.pipeline.helpers import run


def recorded(tmp_path):
    return [row.event for row in read_rows(tmp_path / "run" / "events.jsonl", Recorded)]


def of(kind, events):
    return [event for event in events if isinstance(event, kind)]


def test_the_first_event_says_what_runs_and_the_last_what_came_out(requests, config, tmp_path):
    result = run(config, tmp_path)
    events = recorded(tmp_path)
    assert isinstance(events[0], RunStarted)
    assert (events[0].model, events[0].directory) == ("m.gguf", str(tmp_path / "run"))
    end = events[-1]
    assert isinstance(end, RunFinished)
    assert (end.outcome, end.exit_code, end.model) == ("finished", 0, str(result.model.gguf))
    (plan,) = of(Planned, events)
    assert plan.final_completions == 2 * 4  # of one problem


@pytest.mark.parametrize(
    ("error", "outcome", "code"),
    [
        (StageFailed("it broke."), "failed", 1),
        (Stopped(), "stopped", 130),
        (KeyboardInterrupt(), "stopped", 130),
    ],
)
def test_a_run_that_is_cut_short_says_so(
    requests, config, tmp_path, monkeypatch, error, outcome, code
):
    from localdistill.pipeline import session

    ask = session.run_stage

    def broken(name, *arguments, **how):
        if name == "select":
            raise error
        return ask(name, *arguments, **how)

    monkeypatch.setattr(session, "run_stage", broken)
    with pytest.raises(type(error)):
        run(config, tmp_path)
    end = recorded(tmp_path)[-1]
    assert isinstance(end, RunFinished)
    assert (end.outcome, end.exit_code, end.verdict) == (outcome, code, None)
    assert end.reason
