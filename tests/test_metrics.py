import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from localdistill import bootstrap, metrics
from localdistill.bootstrap import Confidence
from localdistill.errors import StageFailed
from localdistill.types import EvalResult, Verdict


def verdicts(**problems):
    """``verdicts(a="pf!")``: passed, failed and infra_error samples of the problem a."""
    status = {"p": "passed", "f": "failed", "t": "timeout", "!": "infra_error"}
    return [
        Verdict(problem_id=name, sample=sample, status=status[letter])
        for name, letters in problems.items()
        for sample, letter in enumerate(letters)
    ]


def score(ks=(1,), model="m", **problems):
    return metrics.score(verdicts(**problems), model, list(problems), list(ks))


@st.composite
def passes(draw):
    n = draw(st.integers(1, 9))
    return n, draw(st.integers(0, n)), draw(st.integers(1, n))


@given(passes())
def test_pass_at_k_is_the_share_of_all_draws_of_k_that_hold_a_pass(drawn):
    n, c, k = drawn
    draws = list(itertools.combinations([True] * c + [False] * (n - c), k))
    assert metrics.pass_at_k(n, c, k) == pytest.approx(sum(map(any, draws)) / len(draws))


def test_pass_at_k_is_exact_for_many_samples():
    assert metrics.pass_at_k(10_000, 1, 100) == pytest.approx(0.01)
    assert metrics.pass_at_k(200, 150, 100) == 1.0


@pytest.mark.parametrize(("n", "c", "k"), [(3, 1, 4), (0, 0, 1), (3, 4, 1), (3, -1, 1), (3, 1, 0)])
def test_pass_at_k_is_undefined_for_too_few_samples(n, c, k):
    with pytest.raises(ValueError, match="undefined"):
        metrics.pass_at_k(n, c, k)


def test_infra_errors_count_neither_for_nor_against():
    found = score(a="pf!!", b="!!", c="tp")
    assert found.counts == {"a": (1, 2), "c": (1, 2)}
    assert (found.problems, found.samples) == (2, 4)
    assert found.pass_at[0].value == 0.5


def test_only_the_problems_asked_for_are_scored_in_their_order():
    rows = verdicts(b="p", a="f", x="ppp")
    assert metrics.score(rows, "m", ["a", "b", "c"], [1]).counts == {"a": (0, 1), "b": (1, 1)}


def test_of_two_verdicts_on_one_sample_the_later_counts():
    rows = [*verdicts(a="f"), *verdicts(a="p"), *verdicts(b="ff")]
    assert metrics.score(rows, "m", ["a", "b"], [1]).counts == {"a": (1, 1), "b": (0, 2)}


def test_problems_with_fewer_than_k_samples_are_left_out_of_pass_at_k():
    found = score(ks=(1, 2), a="pf", b="f!")
    assert [entry.value for entry in found.pass_at] == [0.25, 1.0]
    assert [entry.k for entry in found.pass_at] == [1, 2]


def test_where_nothing_counts_it_fails_rather_than_inventing_a_figure():
    with pytest.raises(StageFailed, match="pass@1 of m cannot be told"):
        score(a="!!", b="!")
    with pytest.raises(StageFailed, match="no problem has 3 samples"):
        score(ks=(3,), a="pp", b="pp!")


def test_the_interval_agrees_with_resampling_problems_one_by_one():
    generator = np.random.default_rng(3)
    values = generator.integers(0, 5, 120) / 4
    low, high = metrics.mean_interval(values)
    means = values[generator.integers(0, 120, (20_000, 120))].mean(axis=1)
    assert [low, high] == pytest.approx(np.quantile(means, [0.0235, 0.9765]).tolist(), abs=0.01)
    assert metrics.mean_interval(values) == (low, high)  # repeatable


def test_all_alike_is_not_certainty():
    for letters, value in (("pp", 1.0), ("ff", 0.0), ("pf", 0.5)):
        (entry,) = score(a=letters, b=letters, c=letters, d=letters).pass_at
        assert entry.low <= value == entry.value <= entry.high
        assert entry.high - entry.low > 0.4
    (entry,) = score(**{f"p{n}": "p" for n in range(100)}).pass_at
    assert entry.low == pytest.approx(0.963, abs=0.001)  # Wilson, 100 of 100
    assert entry.high == 1.0


def test_one_problem_tells_nothing():
    (entry,) = score(a="pp").pass_at
    assert (entry.low, entry.high) == (0.0, 1.0)
    result = metrics.compare("set", score(a="pp"), score(a="ff"))
    assert (result.gain, result.gain_low, result.gain_high) == (1.0, -1.0, 1.0)
    assert result.verdict == "no evidence"


def test_identical_outcomes_are_no_evidence():
    mine = score(a="pf", b="pp", c="ff")
    result = metrics.compare("set", mine, mine)
    assert result.gain == 0.0
    assert result.gain_low == -result.gain_high < -0.5  # of three problems little is known
    assert result.verdict == "no evidence"
    names = [f"p{n}" for n in range(200)]
    mine = score(**dict.fromkeys(names, "p"))
    assert metrics.compare("set", mine, mine).gain_high == pytest.approx(0.0188, abs=1e-4)


@pytest.mark.parametrize(
    ("wins", "expected"), [(1, "no evidence"), (5, "no evidence"), (6, "better")]
)
def test_fewer_than_six_differing_problems_prove_nothing(wins, expected):
    names = [f"p{n}" for n in range(100)]
    base = score(**dict.fromkeys(names, "f"))
    mine = score(**{name: "p" if n < wins else "f" for n, name in enumerate(names)})
    result = metrics.compare("set", mine, base)
    assert result.gain == pytest.approx(wins / 100)
    assert result.verdict == expected
    assert result.gain_low <= result.gain <= result.gain_high
    assert result.p_value == pytest.approx(2 / 2**wins)
    flipped = metrics.compare("set", base, mine)
    assert flipped.verdict == {"better": "worse"}.get(expected, expected)


def test_a_uniform_gain_has_an_interval_with_a_width():
    names = [f"p{n}" for n in range(30)]
    mine, base = score(**dict.fromkeys(names, "pp")), score(**dict.fromkeys(names, "pf"))
    result = metrics.compare("set", mine, base)
    assert result.verdict == "better"
    assert 0 < result.gain_low < result.gain == 0.5 < result.gain_high < 1


def test_only_problems_that_both_models_have_are_compared():
    mine = score(a="p", b="p", c="!", d="p")
    base = score(a="f", b="p", c="p", d="!")
    assert metrics.compare("set", mine, base).gain == 0.5
    apart = metrics.compare("set", score(a="p", b="!"), score(a="!", b="p"))
    assert (apart.gain, apart.gain_low, apart.verdict) == (None, None, None)


def test_the_result_survives_its_file():
    result = metrics.compare("set", score(a="p", b="f"), score(a="f", b="f"))
    assert EvalResult.model_validate_json(result.model_dump_json()) == result


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=30))
def test_intervals_hold_their_estimate_and_keep_to_their_range(pairs):
    mine = {str(n): (a, 4) for n, (a, _) in enumerate(pairs)}
    theirs = {str(n): (b, 4) for n, (_, b) in enumerate(pairs)}
    differences = metrics.paired_differences(mine, theirs)
    low, high = metrics.difference_interval(differences)
    assert -1 <= low <= differences.mean() + 1e-9
    assert differences.mean() - 1e-9 <= high <= 1
    values = np.array([a / 4 for a, _ in pairs])
    low, high = metrics.mean_interval(values)
    assert 0 <= low <= values.mean() + 1e-9
    assert values.mean() - 1e-9 <= high <= 1


@pytest.mark.parametrize("size", [10, 20, 40, 150])
def test_no_change_is_called_one_in_at_most_one_case_of_twenty(size, monkeypatch):
    monkeypatch.setattr(bootstrap, "RESAMPLES", 1000)
    generator = np.random.default_rng(size)
    trials, wrong = 1000, 0
    for _ in range(trials):
        share = generator.beta(0.5, 0.5, size)
        mine, base = generator.binomial(4, share), generator.binomial(4, share)
        low, high = metrics.difference_interval((mine - base) / 4)
        wrong += low > 0 or high < 0
    # 5% and three standard errors of this simulation.
    assert wrong / trials < 0.05 + 3 * math.sqrt(0.05 * 0.95 / trials)


def test_with_many_problems_the_interval_is_that_of_the_normal_distribution():
    names = [str(n) for n in range(20_000)]
    mine = metrics.score([], "m", [], [])
    mine = mine.model_copy(update={"counts": {name: (int(name) % 5, 4) for name in names}})
    base = mine.model_copy(update={"counts": {name: (int(name) % 3, 4) for name in names}})
    result = metrics.compare("set", mine, base)
    half = 1.96 * np.std([(n % 5 - n % 3) / 4 for n in range(20_000)]) / math.sqrt(20_000)
    assert result.gain_low == pytest.approx(result.gain - half, abs=half / 20)
    assert result.gain_high == pytest.approx(result.gain + half, abs=half / 20)


def test_pass_at_k_agrees_with_exact_enumeration():
    for n in range(1, 8):
        for c, k in itertools.product(range(n + 1), range(1, n + 1)):
            draws = list(itertools.combinations([True] * c + [False] * (n - c), k))
            exact = Fraction(sum(map(any, draws)), len(draws))
            assert metrics.pass_at_k(n, c, k) == pytest.approx(float(exact), rel=0, abs=1e-12)


def test_pass_at_k_agrees_with_the_published_product():
    """1 - prod(1 - k / i for i in n - c + 1 .. n) (Chen et al. 2021, figure 3)."""
    for n, c, k in itertools.product((8, 100, 1000), (0, 1, 3, 7), (1, 2, 5, 8)):
        product = math.prod(1 - k / i for i in range(n - c + 1, n + 1)) if n - c >= k else 0.0
        assert metrics.pass_at_k(n, c, k) == pytest.approx(1 - product, rel=0, abs=1e-12)


def test_pass_at_1_does_not_depend_on_which_k_were_asked_for():
    found = score(ks=(2,), a="pf", b="pp", c="pfff")
    assert metrics.pass_at_1(found) == pytest.approx((0.5 + 1 + 0.25) / 3)
    with pytest.raises(ValueError, match="no sample counts"):
        metrics.pass_at_1(found.model_copy(update={"counts": {}}))


def test_the_level_decides_the_verdict_and_stands_in_the_result():
    names = [f"p{n}" for n in range(40)]
    mine = score(**{name: "p" if n < 9 else "f" for n, name in enumerate(names)})
    base = score(**{name: "p" if 8 <= n < 11 else "f" for n, name in enumerate(names)})
    usual = metrics.compare("set", mine, base, Confidence(0.8))
    strict = metrics.compare("set", mine, base, Confidence(0.999, "bca"))
    assert (usual.verdict, usual.level, usual.interval_method) == ("better", 0.8, "percentile")
    assert (strict.verdict, strict.level, strict.interval_method) == ("no evidence", 0.999, "bca")
