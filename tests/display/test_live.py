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


def test_finished_stages_stay_on_the_screen():
    stream = io.StringIO()
    with live.open_display(stream) as display:
        display(StageStarted(stage="select", title="select", total=1))
        display(StageFinished(stage="select", summary={"kept": 3}))
    assert "✓ select  3 kept" in stream.getvalue()
