"""How long the whole run will still take, from what this run has taken so far.

Nothing is assumed of a stage that has not been seen: an estimate names those that are not in it.
"""

from __future__ import annotations

from dataclasses import dataclass

from localdistill.display.state import Done, RunState
from localdistill.events import Planned

ROUND = ("generate", "verify", "select", "train", "export")
SHORT = {"select", "export"}  # seconds or minutes, where others may take hours
_DEV, _EVAL = "(dev)", "(eval)"  # in titles of comparisons
_OF_BASE = (": best decoding, base", ": score, base")  # when the starting model has been scored


@dataclass(frozen=True)
class Estimate:
    """Seconds, and which stages that will come are not in it."""

    seconds: float
    without: tuple[str, ...] = ()


def run_left(state: RunState, now: float) -> Estimate | None:
    """Time left for the whole run; ``now`` on the clock of ``RunState.working_time``.

    None before enough is known for that: the time of a part of what is to come is no such time.
    """
    if state.round == 0 or state.end is not None or state.planned is None:
        return None
    current, each = _current(state, now), _completion_s(state, now)
    if current is None or each is None:
        return None
    final = state.planned.final_completions * each
    if _is_begun(state, _EVAL):
        return Estimate(max(current, final - (now - _began(state, _EVAL, now))))
    more = state.rounds - state.round
    template = _template(state)
    if template is not None:
        whole = template[-1].ended - template[0].began
        position = len(_of_round(state, state.round)) + len(state.at_work())
        reached = (
            template[min(position, len(template)) - 1].ended if position else template[0].began
        )
        rest = template[-1].ended - reached
        return Estimate(current + rest + more * whole + final)
    return _by_stages(state, state.planned, now, current, each)


def _by_stages(
    state: RunState, planned: Planned, now: float, current: float, each: float
) -> Estimate | None:
    """As ``run_left`` where this call has done no whole round to go by."""
    here, earlier = _of_round(state, state.round), planned.earlier
    seen = {done.stage for done in here} | {stage.name for stage in state.at_work()}
    ahead = [name for name in ROUND if name not in seen]
    # What earlier calls have done of this round takes a later one its time, and this one none.
    before = {name: pace for name, pace in earlier.items() if pace.round == state.round}
    known = [name for name in ahead if name in earlier and earlier[name].whole]
    unknown = tuple(name for name in ahead if name not in known)
    dev = planned.dev_completions * each
    left = current + sum(earlier[name].seconds for name in known if name not in before)
    unscored = 1 if ("dev", "base") in state.scores else 2
    if _is_begun(state, _DEV):
        left = max(left, unscored * dev - (now - _dev_began(state, now)))
    else:
        left += unscored * dev
    final = planned.final_completions * each
    long = tuple(name for name in unknown if name not in SHORT)
    more = state.rounds - state.round
    if not more:
        return Estimate(left + final, long or unknown)
    if any(done.skipped and done.stage in ROUND and done.stage not in before for done in here):
        return None
    gone = now - min([done.began for done in here], default=now)
    gone += sum(pace.seconds for pace in before.values())
    # A later round scores its own model only.
    another = gone + left - (dev if unscored > 1 else 0.0)
    return Estimate(left + more * another + final, long or unknown)


def _current(state: RunState, now: float) -> float | None:
    """Of the stages at work, the one that takes longest."""
    left = []
    for stage in state.at_work():
        seconds = stage.seconds_left(now)
        if seconds is None and stage.name in SHORT:
            continue
        if seconds is None:
            return None
        told = stage.told_left is not None
        left.append(max(0.0, seconds - (now - stage.told_at if told else 0.0)))
    return max(left, default=0.0)


def _completion_s(state: RunState, now: float) -> float | None:
    """Seconds to draw and test a completion, in the last round in which that was done.

    As far as the one at work has come, where none was done yet; else by what an earlier call has
    told, or by a comparison of this one; None before anything is known.
    """
    total = 0.0
    for name in ("generate", "verify"):
        known = _pace(state, now, name)
        if known is not None:
            total += known
        elif name == "generate" or _is_seen(state, name):
            return None
    return total


def _pace(state: RunState, now: float, name: str) -> float | None:
    new = [
        done for done in state.done if done.stage == name and done.units > 0 and not done.skipped
    ]
    if new:
        return (new[-1].ended - new[-1].began) / new[-1].units
    stage = state.stages.get(name)
    if stage is not None and not stage.finished and stage.done > stage.first:
        return (now - stage.began) / (stage.done - stage.first)
    before = None if state.planned is None else state.planned.earlier.get(name)
    if before is not None and before.units:
        return before.seconds / before.units
    # A model that is compared is sampled and tested likewise, in parts with such titles.
    step = f": {name}"
    compared = [done for done in state.done if step in done.title and done.units > 0]
    if compared:
        return sum(done.ended - done.began for done in compared) / sum(
            done.units for done in compared
        )
    for stage in state.at_work():
        if step in stage.title and stage.done > stage.first:
            return (now - stage.began) / (stage.done - stage.first)
    return None


def _is_seen(state: RunState, name: str) -> bool:
    return name in state.stages or any(done.stage == name for done in state.done)


def _of_round(state: RunState, number: int) -> list[Done]:
    return [done for done in state.done if done.round == number]


def _template(state: RunState) -> list[Done] | None:
    """The last round before this one that was done in full by this call."""
    for number in range(state.round - 1, 0, -1):
        found = _of_round(state, number)
        if found and not any(done.skipped for done in found):
            return found
    return None


def _is_begun(state: RunState, mark: str) -> bool:
    """Whether models have been compared on a set in this round, or are being compared."""
    done = [entry.title for entry in _of_round(state, state.round)]
    return any(mark in title for title in [*done, *(stage.title for stage in state.at_work())])


def _began(state: RunState, mark: str, now: float) -> float:
    done = [entry.began for entry in _of_round(state, state.round) if mark in entry.title]
    at_work = [stage.began for stage in state.at_work() if mark in stage.title]
    return min([*done, *at_work], default=now)


def _dev_began(state: RunState, now: float) -> float:
    """When the model that is being scored on dev was begun with: after the starting model."""
    base = [
        done.ended
        for done in _of_round(state, state.round)
        if _DEV in done.title and done.title.endswith(_OF_BASE)
    ]
    return max([_began(state, _DEV, now), *base])
