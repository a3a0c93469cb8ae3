"""The live display renders the state that it is given."""

import io

from rich.console import Console

from localdistill.display import live
from localdistill.events import StageFinished, StageProgress, StageStarted


def rendered(display, width=80):
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    console.print(display.render())
    return console.file.getvalue()


def test_the_stage_at_work_shows_counts_and_figures_within_80_columns():
    display = live.open_display(io.StringIO())
    display(StageStarted(stage="generate", title="generate", total=2400, unit="completions"))
    display(StageProgress(stage="generate", done=600, info={"tokens/s": 1900, "in flight": 16}))
    text = rendered(display)
    assert "600/2,400 completions" in text
    assert "1,900 tokens/s, 16 in flight" in text
    assert max(len(line) for line in text.splitlines()) <= 80


def test_nothing_is_drawn_between_stages():
    display = live.open_display(io.StringIO())
    assert rendered(display).strip() == ""
    display(StageStarted(stage="select", title="select", total=1))
    display(StageFinished(stage="select", summary={"kept": 3}))
    assert rendered(display).strip() == ""


def test_two_stages_at_work_have_a_line_each_and_finish_by_themselves():
    stream = io.StringIO()
    with live.open_display(stream) as display:
        display(StageStarted(stage="generate", title="generate", total=40, unit="completions"))
        display(StageStarted(stage="verify", title="verify", total=None, unit="completions"))
        display(StageProgress(stage="generate", done=20, total=30, info={"tokens/s": 1900}))
        display(StageProgress(stage="verify", done=12, info={"passed": 9}))
        lines = rendered(display).splitlines()
        assert [line.split()[0] for line in lines] == ["generate", "verify", "generate:", "verify:"]
        assert "20/30 completions" in lines[0]
        assert "12 completions" in lines[1]
        assert max(len(line) for line in lines) <= 80
        display(StageFinished(stage="generate", summary={"completions": 30}))
        (first, second) = rendered(display).splitlines()
        assert first.split()[0] == "verify" and second.strip() == "9 passed"
        display(StageFinished(stage="verify", summary={"passed": 20}))
        assert rendered(display).strip() == ""
    assert "✓ generate  30 completions" in stream.getvalue()
    assert "✓ verify  20 passed" in stream.getvalue()


def test_an_estimate_says_that_it_is_one():
    display = live.open_display(io.StringIO())
    display(StageStarted(stage="generate", title="generate", total=None, unit="completions"))
    display(StageProgress(stage="generate", done=5, total=2000, seconds_left=185.0, estimated=True))
    text = rendered(display)
    assert "5/~2,000 completions" in text and "about 3:05 left" in text


def test_finished_stages_stay_on_the_screen():
    stream = io.StringIO()
    with live.open_display(stream) as display:
        display(StageStarted(stage="select", title="select", total=1))
        display(StageFinished(stage="select", summary={"kept": 3}))
    assert "✓ select  3 kept" in stream.getvalue()
