"""How long the whole run will still take, from what this run has taken so far.

Nothing is assumed of a stage that has not been seen: while one is to come that may take long, there
is no estimate.
"""

from __future__ import annotations

from dataclasses import dataclass

from localdistill.display.state import Done, RunState

ROUND = ("generate", "verify", "select", "train", "export")
_SHORT = {"select", "export"}  # may be left out of an estimate that says so


@dataclass(frozen=True)
class Estimate:
    """Seconds, and which stages that will come are not in it."""

    seconds: float
    without: tuple[str, ...] = ()


def run_left(state: RunState, now: float) -> Estimate | None:
    """Time left for the whole run; ``now`` on the clock of ``RunState.working_time``."""
    if state.round == 0 or state.end is not None:
        return None
    current = _current(state, now)
    final = _final(state, now)
    if current is None or final is None:
        return None
    ahead = [each for each in ROUND if each not in _seen(state)] if not _in_final(state) else []
    template = _template(state)
    if _in_final(state):
        return Estimate(max(current, final))
    if template is None:
        here, more = _of_round(state, state.round), state.rounds - state.round
        if any(name not in _SHORT for name in ahead) or (more and any(d.skipped for d in here)):
            return None
        began = min([done.began for done in here], default=now)
        short = tuple(name for name in ahead if name in _SHORT)
        return Estimate(current + more * (now - began + current) + final, short)
    position = len(_of_round(state, state.round)) + len(state.at_work())
    whole = template[-1].ended - template[0].began
    reached = template[min(position, len(template)) - 1].ended if position else template[0].began
    rest = template[-1].ended - reached
    return Estimate(current + rest + (state.rounds - state.round) * whole + final)


def _current(state: RunState, now: float) -> float | None:
    """Of the stages at work, the one that takes longest."""
    left = []
    for stage in state.at_work():
        seconds = stage.seconds_left(now)
        if seconds is None:
            return None
        told = stage.told_left is not None
        left.append(max(0.0, seconds - (now - stage.told_at if told else 0.0)))
    return max(left, default=0.0)


def _seen(state: RunState) -> set[str]:
    return {done.stage for done in _of_round(state, state.round)} | {
        stage.name for stage in state.at_work()
    }


def _of_round(state: RunState, number: int) -> list[Done]:
    return [done for done in state.done if done.round == number]


def _template(state: RunState) -> list[Done] | None:
    """The last round before this one that was done in full by this call."""
    for number in range(state.round - 1, 0, -1):
        found = _of_round(state, number)
        if found and not any(done.skipped for done in found):
            return found
    return None


def _in_final(state: RunState) -> bool:
    return any("(eval)" in stage.title for stage in state.stages.values())


def _final(state: RunState, now: float) -> float | None:
    """The comparison at the end, at this run's speed of drawing and testing a completion."""
    if state.planned is None:
        return None
    if _in_final(state):
        began = min(
            [done.began for done in state.done if "(eval)" in done.title]
            + [stage.began for stage in state.at_work() if "(eval)" in stage.title],
            default=now,
        )
        passed = now - began
    else:
        passed = 0.0
    each = 0.0
    for name in ("generate", "verify"):
        known = [done for done in state.done if done.stage == name and done.units > 0]
        known = [done for done in known if not done.skipped]
        if not known:
            # At the end it is known from the stage at work alone.
            return 0.0 if _in_final(state) else None
        each += (known[-1].ended - known[-1].began) / known[-1].units
    return max(0.0, each * state.planned.final_completions - passed)
