"""When a run ends before its last round: no progress on dev, or samples that are all alike.

The rules look at files of the run alone, so a continued run decides as it did before. Neither holds
where ``stop_after`` is 0.
"""

from __future__ import annotations

from localdistill import pruning
from localdistill.durable import write_atomically
from localdistill.events import Notice
from localdistill.markers import is_done
from localdistill.pipeline.contest import Contest, shown
from localdistill.pipeline.session import Session
from localdistill.stages.diversity import DiversityRequest
from localdistill.types import Diversity, Stopped

_HALF = 0.5  # of round 1's different right programs: fewer are a collapse unless pass@1 has risen
_FEWER = 0.05  # by which pass@k may fall while pass@1 rises before that is said


class Diversities:
    """How different the right programs among each round's samples are, against round 1's."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.first: Diversity | None = None

    def collapsed(self, number: int) -> str | None:
        """Look at round ``number``'s samples; why to stop before they are trained on, or None.

        Of adaptive sampling nothing is measured: it draws other numbers for each problem.
        """
        if self.session.config.generate.adaptive:
            return None
        return self._judge(number, self._measure(number))

    def recall(self, number: int) -> None:
        """Know again what was measured of a round that is not done again."""
        if is_done(self.session.directory.round(number).diversity):
            self.collapsed(number)

    def _judge(self, number: int, now: Diversity | None) -> str | None:
        if now is None or not now.problems:
            return None
        if self.first is None:
            self.first = now
            return None
        if reason := self._collapse(self.first, now, number):
            return reason
        fewer = now.k == self.first.k and now.pass_at_k < self.first.pass_at_k - _FEWER
        if _has_fallen(self.first, now):
            self._warn(f"The samples of round {number} hold {_told(self.first, now)}.")
        elif fewer and now.pass_at_1 > self.first.pass_at_1:
            self._warn(
                f"pass@{now.k} of round {number}'s samples is {_percent(now.pass_at_k)}, where "
                f"round 1 began with {_percent(self.first.pass_at_k)}: fewer problems are solved "
                "at all, though those more often."
            )
        return None

    def stopped_at(self, number: int) -> str | None:
        """Why an earlier call has stopped before round ``number`` was trained; None: it has not."""
        paths = self.session.directory.round(number)
        if self.first is None or pruning.is_over(paths) or not is_done(paths.diversity):
            return None
        now = self._measure(number)
        return self._collapse(self.first, now, number) if now is not None and now.problems else None

    def _collapse(self, first: Diversity, now: Diversity, number: int) -> str | None:
        stops = self.session.config.stop_after > 0 and now.pass_at_1 <= first.pass_at_1
        if not stops or not _has_fallen(first, now):
            return None
        return f"the samples of round {number} hold {_told(first, now)}"

    def _measure(self, number: int) -> Diversity | None:
        paths = self.session.directory.round(number)
        if is_done(paths.diversity):
            return Diversity.model_validate_json(paths.diversity.read_bytes())
        found = self.session.stage(
            "diversity",
            DiversityRequest(
                problems=str(self.session.directory.problems("train")),
                completions=paths.completions,
                verdicts=paths.verdicts,
                out=paths.diversity,
            ),
        )
        return Diversity.model_validate(found) if found else None

    def _warn(self, text: str) -> None:
        self.session.callback(Notice(level="warning", message=text))


def _has_fallen(first: Diversity, now: Diversity) -> bool:
    return now.distinct < _HALF * first.distinct


def _told(first: Diversity, now: Diversity) -> str:
    return (
        f"{now.distinct:.1f} different right programs a problem, where round 1 began with "
        f"{first.distinct:.1f} (pass@1 {_percent(now.pass_at_1)}, then "
        f"{_percent(first.pass_at_1)})"
    )


def no_progress(contest: Contest, stop_after: int) -> str | None:
    """Why to stop for want of progress; None: there is no reason to."""
    if not stop_after or len(contest.lost) < stop_after:
        return None
    champion = contest.champion
    than = champion.model.label
    if champion.choice is not None:
        than += f", {shown(champion)}"
    many = f"{len(contest.lost)} rounds in a row" if len(contest.lost) > 1 else "one round"
    return f"{many} gave nothing better on dev ({', '.join(contest.lost)}) than {than}"


def record(session: Session, after_round: int, reason: str | None) -> list[str]:
    """Write ``stopped.json`` for ``reason``, or take it away; returns what is to be said."""
    path = session.directory.stopped
    if reason is None:
        path.unlink(missing_ok=True)
        return []
    stopped = Stopped(after_round=after_round, reason=reason)
    write_atomically(path, stopped.model_dump_json(indent=2) + "\n")
    return [f"Stopped after round {after_round} of {session.config.rounds}: {reason}."]


def _percent(share: float) -> str:
    return f"{100 * share:.1f}%"
