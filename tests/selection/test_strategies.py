import itertools
from collections import Counter
from dataclasses import replace

import pytest

from localdistill import selection
from localdistill.errors import ConfigError
from localdistill.selection import Candidate, SelectOptions
from localdistill.selection.duplicates import normalise
from localdistill.selection.shortest import least_length
from localdistill.types import Completion

_ALL = ["none", "tests", "confidence", "hybrid", "balanced", "agreement"]


def candidate(sample, code="auto", status="passed", logprob=-1.0, reason="stop", ended=None):
    row = Completion(
        problem_id="1",
        sample=sample,
        text="text",
        finish_reason=reason,
        token_count=5,
        mean_logprob=logprob,
        seed=sample,
        ended_by=ended,
    )
    return Candidate(row, f"x = {sample}" if code == "auto" else code, status)


def looped(sample, **how):
    return candidate(sample, reason="length", ended="repetition", **how)


def decide(name, candidates, **options):
    strategy = selection.load(name)
    choices = selection.choose(strategy, candidates, SelectOptions(**options))
    samples = [choice.candidate.completion.sample for choice in choices]
    assert samples == sorted(candidate.completion.sample for candidate in candidates)
    kept = [choice.candidate.completion.sample for choice in choices if choice.kept]
    return kept, Counter(choice.dropped for choice in choices if not choice.kept)


def test_strategies_go_by_the_names_of_their_files():
    assert set(selection.names()) >= {"none", "tests", "confidence"}
    assert "duplicates" not in selection.names()
    with pytest.raises(ConfigError, match=r"no selection strategy test\. Did you mean tests"):
        selection.load("test")
    with pytest.raises(ConfigError, match="There are agreement, balanced, confidence"):
        selection.load("zzz")


def test_none_keeps_everything_with_code_whatever_its_verdict():
    given = [candidate(0, status="failed"), candidate(1, code=None), candidate(2, status=None)]
    assert decide("none", given) == ([0, 2], {"no code": 1})


def test_none_is_a_fair_draw_of_what_the_model_says():
    given = [candidate(n, code=code) for n, code in enumerate("aabacad")]
    assert decide("none", given)[0] == [0, 1, 2, 3]
    assert decide("none", given, max_per_problem=6) == ([0, 1, 2, 3, 4, 5], {"over the cap": 1})
    # In the order of samples, whatever would be better to train on.
    given = [looped(0), candidate(1, reason="length"), candidate(2, logprob=-0.1)]
    assert decide("none", given, max_per_problem=2) == ([0, 1], {"over the cap": 1})


@pytest.mark.parametrize("name", [name for name in _ALL if name != "none"])
def test_a_loop_is_never_kept_for_its_sureness_nor_for_its_pass(name):
    loops = [replace(looped(n, logprob=-0.01), behaviour=("a",), observed=True) for n in range(3)]
    assert decide(name, loops) == ([], {"in a loop": 3})
    sound = [seen(n, "a") for n in (3, 4)]
    sound = [replace(each, status="passed") for each in sound]
    kept, dropped = decide(name, loops + sound, agreement_share=0.4)
    assert 3 in kept
    assert dropped["in a loop"] == 3


@pytest.mark.parametrize("name", _ALL)
def test_what_the_model_did_not_say_is_never_kept(name):
    broken = replace(candidate(0, logprob=-0.01), broken=True)
    assert decide(name, [broken]) == ([], {"broken text": 1})


@pytest.mark.parametrize("name", _ALL)
def test_each_completion_is_kept_or_has_one_reason(name):
    given = [
        candidate(0, code=None),
        looped(1, code=None),
        looped(2),
        replace(looped(3), broken=True),
        replace(candidate(4), broken=True),
        candidate(5, status="failed"),
        candidate(6, code="a"),
        candidate(7, code="a"),
        candidate(8, status="infra_error"),
    ]
    kept, dropped = decide(name, given, max_per_problem=1, confidence_share=1.0)
    assert len(kept) + dropped.total() == len(given)
    assert dropped["no code"] == 2
    assert dropped["in a loop"] == (0 if name == "none" else 2)
    assert dropped["broken text"] == (2 if name == "none" else 1)


def test_tests_keeps_only_what_passed():
    statuses = ["passed", "failed", "timeout", "infra_error", None, "no_code", "nondeterministic"]
    given = [candidate(n, status=status) for n, status in enumerate(statuses)]
    kept, dropped = decide("tests", given)
    assert kept == [0]
    assert dropped == {"failed tests": 3, "not judged": 2, "no code": 1}


def test_tests_prefers_a_complete_completion_to_one_cut_by_length():
    given = [candidate(0, reason="length"), candidate(1), candidate(2)]
    assert decide("tests", given, max_per_problem=2) == ([1, 2], {"over the cap": 1})
    same = [candidate(0, code="a", reason="length"), candidate(1, code="a")]
    assert decide("tests", same) == ([1], {"duplicate": 1})
    assert decide("tests", [candidate(0, reason="length")]) == ([0], {})


def test_a_duplicate_that_failed_by_chance_does_not_hide_one_that_passed():
    given = [candidate(0, code="a", status="timeout"), candidate(1, code="a")]
    assert decide("tests", given) == ([1], {"failed tests": 1})


def test_confidence_keeps_the_surest_share_without_a_look_at_verdicts():
    logprobs = [-0.5, -0.1, -0.9, -0.2, -0.3, -0.4, -0.6, -0.7]
    given = [candidate(n, logprob=value, status="failed") for n, value in enumerate(logprobs)]
    assert decide("confidence", given) == ([1, 3], {"less confident": 6})
    assert decide("confidence", given, confidence_share=0.01) == ([1], {"less confident": 7})
    everything = decide("confidence", given, confidence_share=1.0, max_per_problem=3)
    assert everything == ([1, 3, 4], {"over the cap": 5})


def test_confidence_keeps_a_share_of_all_completions_and_not_of_those_with_code():
    given = [candidate(n, logprob=-n / 10) for n in range(3)]
    given += [candidate(n, code=None, logprob=None) for n in range(3, 7)] + [looped(7)]
    expected = {"less confident": 1, "no code": 4, "in a loop": 1}
    assert decide("confidence", given) == ([0, 1], expected)  # a quarter of 8


@pytest.mark.parametrize("name", ["confidence", "hybrid"])
def test_what_was_cut_is_sure_of_a_part_only_and_comes_last(name):
    given = [candidate(0, logprob=-0.1, reason="length"), candidate(1), candidate(2, logprob=-0.9)]
    assert decide(name, given, confidence_share=0.7)[0] == [1, 2]
    assert decide(name, given, confidence_share=0.4)[0] == [2]
    assert decide(name, given[:1])[0] == [0]


def test_confidence_breaks_ties_by_sample():
    assert decide("confidence", [candidate(1), candidate(0)])[0] == [0]


def test_confidence_needs_log_probabilities():
    with pytest.raises(ConfigError, match="1, sample 1: has no mean_logprob"):
        decide("confidence", [candidate(0), candidate(1, logprob=None)])


def test_hybrid_keeps_the_surest_of_those_that_passed():
    rows = [(-0.1, "failed"), (-0.5, "passed"), (-0.3, "passed"), (-0.9, "passed"), (-0.2, None)]
    given = [candidate(n, logprob=value, status=status) for n, (value, status) in enumerate(rows)]
    expected = {"failed tests": 1, "less confident": 2, "not judged": 1}
    assert decide("hybrid", given, confidence_share=0.34) == ([2], expected)
    assert decide("hybrid", given, confidence_share=1.0)[0] == [1, 2, 3]
    assert decide("hybrid", given[:1]) == ([], {"failed tests": 1})


@pytest.mark.parametrize(
    ("passed", "failed", "kept"), [(8, 0, 1), (6, 2, 1), (4, 4, 2), (2, 6, 2), (1, 7, 1), (0, 8, 0)]
)
def test_balanced_keeps_fewer_of_what_is_easy(passed, failed, kept):
    statuses = ["passed"] * passed + ["failed"] * failed
    given = [candidate(n, status=status) for n, status in enumerate(statuses)]
    found, dropped = decide("balanced", given, max_per_problem=4)
    assert len(found) == kept
    assert dropped["easy problem"] == passed - kept


def test_balanced_does_not_let_a_repeated_program_take_the_place_of_another():
    given = [candidate(n, code=code) for n, code in enumerate("aab")]
    given += [candidate(n, status="failed") for n in range(3, 6)]
    assert decide("balanced", given, max_per_problem=4)[0] == [0, 2]


@pytest.mark.parametrize("status", ["no_code", None])
def test_balanced_takes_what_holds_no_code_for_failed(status):
    given = [candidate(0), candidate(1)]
    given += [candidate(n, code=None, status=status) for n in range(2, 8)]
    assert decide("balanced", given, max_per_problem=4) == ([0, 1], {"no code": 6})


def test_balanced_counts_what_is_dropped_before_it_by_its_verdict():
    given = [candidate(0), candidate(1), looped(2), looped(3, status="infra_error")]
    given += [looped(n, status="failed") for n in (4, 5, 6)]
    expected = {"in a loop": 5, "easy problem": 1}
    assert decide("balanced", given, max_per_problem=2) == ([0], expected)  # a half of 6 failed


def test_balanced_takes_what_was_not_judged_for_neither_easy_nor_hard():
    statuses = ["passed", "passed", "failed", "infra_error", None]
    given = [candidate(n, status=status) for n, status in enumerate(statuses)]
    assert decide("balanced", given, max_per_problem=3) == (
        [0],
        {"easy problem": 1, "failed tests": 1, "not judged": 2},
    )


def test_duplicates_are_dropped_after_normalising_blanks_only():
    codes = ["if a:\n    b\n", "if a:   \n\n    b", "if a:\n  b", "if a:\r\n    b\r\n\r\n"]
    given = [candidate(n, code=code) for n, code in enumerate(codes)]
    assert decide("tests", given) == ([0, 2], {"duplicate": 2})
    assert normalise("a  \n\n b\t\n") == "a\n b"


def test_a_duplicate_takes_no_place_under_the_cap():
    given = [candidate(n, code=code) for n, code in enumerate("aabbc")]
    kept, dropped = decide("tests", given, max_per_problem=2)
    assert kept == [0, 2]
    assert dropped == {"duplicate": 2, "over the cap": 1}


@pytest.mark.parametrize("name", _ALL)
def test_the_order_in_which_candidates_come_does_not_matter(name):
    given = [
        candidate(0, code="a", reason="length", logprob=-0.1),
        candidate(1, code="a", logprob=-0.2),
        candidate(2, code="b", status="failed", logprob=-0.2),
        candidate(3, code=None),
        candidate(4, code="c", logprob=-0.2),
    ]
    options = {"max_per_problem": 2, "confidence_share": 0.8}
    outcomes = {str(decide(name, order, **options)) for order in itertools.permutations(given)}
    assert len(outcomes) == 1


@pytest.mark.parametrize("name", _ALL)
def test_no_candidates_and_no_code_at_all(name):
    assert decide(name, []) == ([], {})
    assert decide(name, [candidate(0, code=None, logprob=None)]) == ([], {"no code": 1})


def seen(sample, *results, code="auto", reason="stop"):
    given = candidate(sample, code=code, status=None, reason=reason)
    return replace(given, behaviour=results or None, observed=True)


def test_agreement_keeps_the_largest_cluster_without_a_look_at_verdicts():
    given = [seen(0, "a", "b"), seen(1, "a", "c"), seen(2, "a", "b"), seen(3), seen(4, "a", "b")]
    assert decide("agreement", given) == ([0, 2, 4], {"outvoted": 1, "did not run": 1})


def test_agreement_needs_a_share_of_all_and_two_at_least():
    given = [seen(0, "a"), seen(1, "a"), seen(2, "b"), seen(3), seen(4)]
    assert decide("agreement", given) == ([], {"no agreement": 3, "did not run": 2})
    assert decide("agreement", given, agreement_share=0.4)[0] == [0, 1]
    assert decide("agreement", [seen(0, "a")], agreement_share=0.1)[0] == []
    # Those without a program are of all, too.
    given = [seen(0, "a"), seen(1, "a"), *(candidate(n, code=None) for n in (2, 3, 4))]
    assert decide("agreement", given) == ([], {"no agreement": 2, "no code": 3})
    assert decide("agreement", given, agreement_share=0.4)[0] == [0, 1]


def test_agreement_does_not_count_what_the_sandbox_failed_with():
    failed = [replace(seen(n), unseen=True) for n in (3, 4)]
    given = [*(seen(n, "a") for n in (0, 1, 2)), *(seen(n, f"b{n}") for n in (5, 6, 7))]
    assert decide("agreement", given + failed) == ([0, 1, 2], {"outvoted": 3, "not judged": 2})
    # They may be one program that agrees with nobody else, and be the most.
    failed.append(replace(seen(8), unseen=True))
    found = decide("agreement", given + failed)
    assert found == ([], {"no agreement": 6, "not judged": 3})


def test_agreement_keeps_neither_of_two_equal_clusters_nor_one_that_only_raises():
    tie = [seen(0, "a"), seen(1, "b"), seen(2, "a"), seen(3, "b")]
    assert decide("agreement", tie, agreement_share=0.3) == ([], {"no agreement": 4})
    raising = [seen(n, "raised TypeError", "raised TypeError") for n in range(3)]
    assert decide("agreement", raising) == ([], {"no agreement": 3})
    partly = [seen(n, "raised TypeError", "b") for n in range(3)]
    assert decide("agreement", partly)[0] == [0, 1, 2]


def test_agreement_counts_a_repeated_program_as_votes_and_keeps_it_once():
    given = [seen(0, "a", code="x"), seen(1, "a", code="x"), seen(2, "b", code="y")]
    assert decide("agreement", given) == ([0], {"duplicate": 1, "outvoted": 1})


def test_agreement_drops_what_it_has_no_inputs_for():
    assert decide("agreement", [candidate(0), candidate(1)]) == ([], {"no inputs": 2})


def test_the_shortest_answers_are_dropped_before_any_strategy_looks():
    texts = ["x" * n for n in (30, 10, 10, 20)] + ["", "  "]
    assert least_length(texts, 0.0) == 0
    assert least_length(texts, 0.25) == 10  # two are as long as the cut: neither goes
    assert least_length(texts, 0.5) == 20
    assert least_length([], 0.5) == 0
    rows = [candidate(n) for n in range(3)]
    rows = [
        replace(row, completion=row.completion.model_copy(update={"text": f"  {'x' * n}  "}))
        for n, row in zip((5, 6, 7), rows, strict=True)
    ]
    expected = {"among the shortest": 1}
    assert decide("none", rows, min_length=6) == ([1, 2], expected)
    assert decide("confidence", rows, min_length=6, confidence_share=1.0) == ([1, 2], expected)
