"""How long the whole run will still take, from what this run has taken so far.

Nothing is assumed of a stage that has not been seen: an estimate names those that are not in it.
"""

from __future__ import annotations

from dataclasses import dataclass

from localdistill.display.state import Done, RunState

ROUND = ("generate", "verify", "select", "train", "export")
SHORT = {"select", "export"}  # seconds or minutes, where others may take hours
_DEV, _EVAL = "(dev)", "(eval)"  # in titles of comparisons


@dataclass(frozen=True)
class Estimate:
    """Seconds, and which stages that will come are not in it."""

    seconds: float
    without: tuple[str, ...] = ()


def run_left(state: RunState, now: float) -> Estimate | None:
    """Time left for the whole run; ``now`` on the clock of ``RunState.working_time``."""
    if state.round == 0 or state.end is not None or state.planned is None:
        return None
    current, each = _current(state, now), _completion_s(state, now)
    if current is None:
        return None
    if each is None:
        return None
    if _is_begun(state, _EVAL):
        whole = state.planned.final_completions * each
        return Estimate(max(current, whole - (now - _began(state, _EVAL, now))))
    final = state.planned.final_completions * each
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
    return _in_a_first_round(state, now, current, each, final, more)


def _in_a_first_round(
    state: RunState, now: float, current: float, each: float, final: float, more: int
) -> Estimate | None:
    """As ``run_left`` where there is no round to go by."""
    here, planned = _of_round(state, state.round), state.planned
    seen = {done.stage for done in here} | {stage.name for stage in state.at_work()}
    ahead = tuple(name for name in ROUND if name not in seen)
    if more and any(done.skipped for done in here):
        return None
    long = tuple(name for name in ahead if name not in SHORT)
    models = 1 if ("dev", "base") in state.scores else 2
    dev = planned.dev_completions * each if planned is not None else 0.0
    if _is_begun(state, _DEV):
        left = max(current, 2 * dev - (now - _began(state, _DEV, now)))
    else:
        left = current + models * dev
    began = min([done.began for done in here], default=now)
    # A later round scores its own model only.
    another = now - began + left - (dev if models > 1 else 0.0)
    return Estimate(left + more * another + final, long or ahead)


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

    As far as the one at work has come, where none was done yet. Where an earlier call has drawn
    them, its speed stands in the summary; how long it tested is not known, and left out. None
    before anything is known.
    """
    total = 0.0
    for name in ("generate", "verify"):
        known = [done for done in state.done if done.stage == name and done.units > 0]
        new = [done for done in known if not done.skipped]
        stage = state.stages.get(name)
        if new:
            total += (new[-1].ended - new[-1].began) / new[-1].units
        elif stage is not None and not stage.finished and stage.done > stage.first:
            total += (now - stage.began) / (stage.done - stage.first)
        elif (told := _told_completion_s(state, name)) is not None:
            total += told
        elif name == "generate" or known or stage is not None:
            return None
    return total


def _told_completion_s(state: RunState, name: str) -> float | None:
    """As an earlier call has measured it, by the summary of a stage that it had finished."""
    found = [done.summary for done in state.done if done.stage == name and done.skipped]
    if not found:
        return None
    if name == "verify":
        return 0.0
    values = [found[-1].get(key) for key in ("completions", "tokens", "tokens/s")]
    numbers = [float(each) for each in values if isinstance(each, int | float) and each > 0]
    if len(numbers) < len(values):
        return None
    count, tokens, speed = numbers
    return tokens / speed / count


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
