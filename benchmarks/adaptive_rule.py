"""Rules of adaptive sampling compared with fixed sampling, on recorded verdicts or invented ones.

    python benchmarks/adaptive_rule.py
    python benchmarks/adaptive_rule.py --problems P.jsonl --completions C.jsonl --verdicts V.jsonl

The recorded samples of each problem are drawn from with replacement, so a pool of 16 or more a
problem is wanted. Without files, pass rates come from Beta distributions. Every rule sees the same
pools. Prints a table, and one line of JSON for the rule that is in use: tokens a selected example
as a share of what fixed sampling needs, with the examples and problems that are left.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Sequence
from pathlib import Path
from statistics import mean

from localdistill.jsonl import iter_rows
from localdistill.problems import load
from localdistill.problems.extract import extract_code
from localdistill.selection.duplicates import normalise
from localdistill.stages import adaptive_rule as rules
from localdistill.types import Completion, Verdict

Sample = tuple[bool, int, int]  # passed, hash of its program, tokens
Pools = list[list[Sample]]
Figures = dict[str, float]
INVENTED = {"beta(0.3, 0.5)": (0.3, 0.5), "beta(0.2, 0.8)": (0.2, 0.8), "beta(1, 2)": (1.0, 2.0),
            "beta(0.1, 1.5)": (0.1, 1.5), "beta(1, 0.3)": (1.0, 0.3)}  # fmt: skip


def main() -> None:
    """Compare the rules and print what they need."""
    args = _arguments()
    chance = random.Random(args.seed)
    if args.completions:
        pools = {"recorded": _recorded(args)}
    else:
        pools = {name: _invented(chance, *beta) for name, beta in INVENTED.items()}
    in_use = rules.FIRST_WAVE, rules.PRICE
    result = {}
    for name, pool in pools.items():
        fixed = _mean([_fixed(pool, args, random.Random(n)) for n in range(args.repeats)])
        print(f"{name}: {len(pool)} problems, fixed {args.samples}: " + _shown(fixed))
        for first, price in sorted({(f, p) for f in (1, 2, 3, 4) for p in args.price} | {in_use}):
            rule = rules.Rule(
                args.keep, args.cap * args.samples, args.samples * len(pool), first, price
            )
            found = _mean([_adaptive(pool, rule, random.Random(n)) for n in range(args.repeats)])
            ratio = (found["tokens"] / found["kept"]) / (fixed["tokens"] / fixed["kept"])
            used = "  <- in use" if (first, price) == in_use else ""
            print(f"  first {first} price {price:>4}: ratio {ratio:.3f}  {_shown(found)}{used}")
            if used:
                share = {key: round(found[key] / fixed[key], 3) for key in found}
                result[name] = {"ratio": round(ratio, 3), "of_fixed": share}
    print(json.dumps(result))


def _fixed(pools: Pools, args: argparse.Namespace, chance: random.Random) -> Figures:
    tallies = []
    for pool in pools:
        tally = rules.Tally()
        for _ in range(args.samples):
            _draw(tally, pool, chance)
        tallies.append(tally)
    return _figures(tallies, args.keep)


def _adaptive(pools: Pools, rule: rules.Rule, chance: random.Random) -> Figures:
    """In waves over the whole set, as in deterministic mode."""
    tallies = {str(number): rules.Tally() for number in range(len(pools))}
    left = rule.budget
    going = set(tallies)
    while going and left > 0:
        market = rules.market(tallies)
        for name in sorted(going, key=lambda name: market.cost(tallies[name])):
            tally = tallies[name]
            if rule.settled(tally) or (tally.drawn and not rule.affordable(tally, market)):
                going.discard(name)
                continue
            for _ in range(min(rule.wave(tally), left)):
                _draw(tally, pools[int(name)], chance)
                left -= 1
    return _figures(list(tallies.values()), rule.keep)


def _draw(tally: rules.Tally, pool: list[Sample], chance: random.Random) -> None:
    passed, program, tokens = chance.choice(pool)
    tally.drawn += 1
    tally.finished += 1
    tally.judged += 1
    tally.tokens += tokens
    tally.passed += passed
    if passed:
        tally.programs[program] += 1


def _figures(tallies: Sequence[rules.Tally], keep: int) -> Figures:
    return {
        "tokens": sum(one.tokens for one in tallies),
        "samples": sum(one.drawn for one in tallies),
        "kept": sum(min(keep, one.kept) for one in tallies),
        "covered": sum(one.kept > 0 for one in tallies),
    }


def _mean(found: list[Figures]) -> Figures:
    return {key: mean(one[key] for one in found) for key in found[0]}


def _shown(found: Figures) -> str:
    return ", ".join(f"{value:,.0f} {key}" for key, value in found.items())


def _recorded(args: argparse.Namespace) -> Pools:
    problems = {one.id: one for one in load(args.problems).problems}
    passed = {row.key: row.passed for row in iter_rows(args.verdicts, Verdict)}
    pools: dict[str, list[Sample]] = {}
    for row in iter_rows(args.completions, Completion):
        if row.key in passed:
            code = normalise(extract_code(row.text, problems[row.problem_id]) or "")
            sample = passed[row.key], hash(code), row.token_count
            pools.setdefault(row.problem_id, []).append(sample)
    return list(pools.values())


def _invented(chance: random.Random, a: float, b: float) -> Pools:
    """100 problems of 64 samples; one pass in five says what another said."""
    pools: Pools = []
    for _ in range(100):
        rate = chance.betavariate(a, b)
        pools.append(
            [(chance.random() < rate, int(n * 0.8), chance.randint(40, 160)) for n in range(64)]
        )
    return pools


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--problems")
    parser.add_argument("--completions", type=Path)
    parser.add_argument("--verdicts", type=Path)
    parser.add_argument("--samples", type=int, default=8, help="of fixed sampling")
    parser.add_argument("--cap", type=int, default=4, help="times --samples, for one problem")
    parser.add_argument("--keep", type=int, default=4)
    parser.add_argument("--price", type=float, action="append", default=[1.0, 1.5, 2.0, 3.0, 4.0])
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
