"""The one sentence that a report begins with, and what it must be read with."""

import json

import pytest

from localdistill.markers import mark_done
from localdistill.report import costs, reading
from localdistill.report.verdict import NOT_CHOSEN, headline
from localdistill.types import DecodingScore, Opening
from tests.report.making import WORSE, Making, score, write


def told(making):
    return headline(reading.read(making.path), costs.read(making.path / "events.jsonl"))


def others(making):
    """Warnings, but for that of decoding, which was not chosen in most runs here."""
    return [each for each in told(making).warnings if each != NOT_CHOSEN]


def test_better_with_the_difference_its_interval_and_against_what(finished):
    found = told(finished)
    assert found.tone == "better"
    assert found.sentence == (
        "Better: +26.8 points in pass@1, 95% interval +22.5 to +31.1, "
        "against your model with the same decoding."
    )
    assert found.warnings == [NOT_CHOSEN]


def test_own_best_decoding_is_said_only_where_it_was_looked_for(finished):
    cold, greedy = {"temperature": 0.2}, {"temperature": 0.0}
    one, best = (
        DecodingScore(model="base", decoding=how, score=score("base", value), chosen=how is greedy)
        for how, value in ((cold, 0.4), (greedy, 0.5))
    )
    finished.evaluated(choices=[one, best], baseline_decoding=greedy)
    assert "against your model with its own best decoding" in told(finished).rest
    assert told(finished).warnings == []
    not_chosen = [
        {"choices": [each.model_copy(update={"model": "round-01"}) for each in (one, best)]},
        {"choices": [best], "baseline_decoding": greedy},  # one way is no choice
        # Eval was opened before the choice was made.
        {"choices": [one, best], "baseline_decoding": cold},
    ]
    for changes in not_chosen:
        finished.evaluated(**changes)
        assert "against your model with the same decoding" in told(finished).rest
        assert NOT_CHOSEN in told(finished).warnings


def test_worse_and_no_evidence(finished):
    finished.evaluated(**WORSE)
    assert told(finished).sentence.startswith("Worse: −3.1 points in pass@1, 95% interval −5.2")
    finished.evaluated(**{**WORSE, "gain_high": 0.01, "verdict": "no evidence"})
    found = told(finished)
    assert found.tone == "none"
    assert found.sentence.startswith("No evidence that it is better: −3.1 points")


def test_a_level_of_its_own_is_named(finished):
    finished.evaluated(level=0.9)
    assert "90% interval" in told(finished).rest
    finished.evaluated(level=0.9995)
    assert "99.95% interval" in told(finished).rest


def test_a_run_whose_only_round_was_rejected(making):
    making.rejected()
    found = told(making)
    assert found.tone == "rejected"
    assert found.sentence == (
        "No new model: the only round was rejected, so your model stays as it is."
    )


def test_a_rejected_round_of_a_run_that_goes_on_is_no_end(tmp_path):
    making = Making(tmp_path / "two", rounds=2)
    making.rejected()
    assert told(making).tone == "open"


def test_a_run_at_work_says_how_far_it_is(making):
    assert told(making).sentence == "Not finished: nothing has been drawn from the model yet."
    making.events()
    lines = (making.path / "events.jsonl").read_text().splitlines(keepends=True)
    (making.path / "events.jsonl").write_text("".join(lines[:9]))
    assert told(making).rest == (
        "it has got to round 1 of 1, stage train. There is no verdict yet."
    )


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (
            "regression.json",
            {
                "questions": 9,
                "checks": [
                    {"name": "surprise", "before": 1, "after": 3, "bound": 2, "passed": False}
                ],
                "worse": [],
                "passed": False,
            },
            "(surprise)",
        ),
        (
            "omitted.json",
            {"hours": 0.05, "items": [{"what": "x", "stage": "train"}]},
            "0.05 hours left 1 thing out",
        ),
    ],
)
def test_what_the_verdict_must_be_read_with(finished, name, content, said):
    write(finished.path / name, content)
    (warning,) = others(finished)
    assert said in warning


def test_a_run_that_had_no_time_says_so(making):
    item = {"what": "The comparison.", "stage": "evaluate"}
    write(making.path / "omitted.json", {"hours": 0.05, "items": [item]})
    assert told(making).tone == "open"  # it may have been killed before there was a model
    write(making.round / "model.gguf", {})
    mark_done(making.round / "model.gguf")
    assert told(making).sentence == (
        "Not compared: there is a new model, and there was no time to compare it with yours."
    )


def test_a_run_without_time_for_a_round(making):
    item = {"what": "Round 1.", "stage": "round"}
    write(making.path / "omitted.json", {"hours": 0.01, "items": [item]})
    assert told(making).sentence == (
        "No new model: there was no time for a round, so your model stays as it is."
    )


def test_a_new_model_that_does_worse_on_dev_is_warned_of(finished):
    def choice(model, value):
        return DecodingScore(
            model=model, decoding={"temperature": 0.2}, score=score(model, value), chosen=True
        )

    finished.evaluated(choices=[choice("base", 0.6), choice("round-01", 0.5)])
    (warning,) = others(finished)
    assert "does worse (50.0%) than yours (60.0%)" in warning
    assert "the one that counts" in warning and "Keep using yours" not in warning
    finished.evaluated(**WORSE, choices=[choice("base", 0.6), choice("round-01", 0.5)])
    assert "Keep using yours" in others(finished)[0]
    finished.evaluated(choices=[choice("base", 0.6), choice("round-01", 0.6)])
    assert others(finished) == []


def test_no_sandbox_and_a_second_look_at_eval_are_said(finished):
    finished.manifest(unsafe=True)
    look = Opening(at=1.0, candidate="round-01", candidate_hash="ab", problems=12, samples=4)
    finished.evaluated(openings=[look, look])
    unsafe, opened = others(finished)
    assert "no sandbox" in unsafe
    assert "2 times" in opened


def test_a_comparison_without_a_baseline_is_no_verdict(finished):
    path = finished.path / "evaluation.json"
    content = json.loads(path.read_text())
    for name in ("baseline", "gain", "gain_low", "gain_high", "verdict"):
        content[name] = None
    path.write_text(json.dumps(content))
    assert told(finished).tone == "none"
    assert told(finished).word == "Not compared"


def test_files_of_two_types_are_said(finished):
    finished.evaluated(baseline_type="Q8_0", candidate_type="Q8_0")
    assert others(finished) == []
    finished.evaluated(baseline_type="Q4_K_M", candidate_type="Q8_0")
    (warning,) = others(finished)
    assert "Your file is of type Q4_K_M and the new one Q8_0" in warning
