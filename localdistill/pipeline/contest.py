"""Champion and challengers: which model the next round begins with, and which one is compared."""

from __future__ import annotations

from localdistill.deadline import OutOfTime
from localdistill.decodings import samples_of
from localdistill.events import Notice
from localdistill.pipeline import unscored
from localdistill.pipeline.comparison import (
    as_configured,
    compare_on_dev,
    is_scored_on_dev,
    make_time,
    on_dev,
    size_of,
)
from localdistill.pipeline.models import Contender, Model
from localdistill.pipeline.session import Session


class Contest:
    """Holds the champion: of all models so far the best on dev, of equal ones the latest.

    Each model is scored there under its own best decoding. A round's model takes the place of the
    champion unless its pass@1 is lower. Where nothing is scored (one round and one way of decoding,
    or no dev problems) the latest model is the champion.
    """

    def __init__(self, session: Session, base: Model) -> None:
        self.session = session
        self.base = as_configured(session, base)
        self.champion = self.base
        self.rounds: list[Contender] = []  # those that gave a model
        self.lost: list[str] = []  # rounds in a row without a new champion: what became of each
        choosing = session.config.evaluate.decode == "best"
        self.scored = choosing or session.config.rounds > 1
        self.by_score = self.scored  # in principle, whether or not there is time
        if self.scored and not size_of(session, "dev"):
            self.scored = self.by_score = False
            if choosing:
                text = "There are no dev problems to choose a way of decoding by: both models are"
                session.callback(Notice(level="warning", message=f"{text} decoded alike."))

    def challenge(self, model: Model) -> None:
        """Let a round's model try to become the champion."""
        if self.scored:
            try:
                self._score(model)
                return
            except OutOfTime as error:
                self.scored = False
                unscored.note(self.session, model.round, str(error))
                text = f"Choices on dev, as {error}: the new model is decoded as the starting one."
                self.session.time.omit("evaluate", text)
        # What dev has told of the starting model stands.
        unseen = Contender(model, self.base.sampling)
        if any(each.choice is not None for each in self.rounds):
            # What was looked at is not given up for what nobody has looked at.
            self.rounds.append(unseen)
            return
        self._win(unseen)

    def _score(self, model: Model) -> None:
        why = self._left_out(model)
        if why is None:
            self._make_time()
        base = self.base.model
        # Not before there is something to compare it with, or again what an earlier call has found.
        if self.base.choice is None and (why is None or is_scored_on_dev(self.session, base)):
            self.base = self.champion = on_dev(self.session, base)
        if why is not None:
            raise OutOfTime(why)
        mine = on_dev(self.session, model)
        self._compare(mine)
        if mine.value >= self.champion.value:
            self._win(mine)
            return
        self.rounds.append(mine)
        self.lost.append(f"{model.label} {shown(mine)}")
        text = f"{model.label} does worse on dev ({shown(mine)}) than {self.champion.model.label}"
        text += f" ({shown(self.champion)}), which stays."
        self.session.callback(Notice(message=text))

    def _left_out(self, model: Model) -> str | None:
        """Why there was no time for ``model`` in an earlier call; None: there was, or may be."""
        scored = is_scored_on_dev(self.session, model)
        return None if scored else unscored.why(self.session, model.round)

    def _compare(self, mine: Contender) -> None:
        try:
            compare_on_dev(self.session, mine, self.base)
        except OutOfTime as error:  # a record for people: nothing is chosen by it
            text = f"The comparison of {mine.model.label} with the starting model on dev, as"
            self.session.time.omit("evaluate", f"{text} {error}.")

    def _make_time(self) -> None:
        evaluate = self.session.config.evaluate
        grid = evaluate.grid().values()
        drawn = sum(samples_of(each, evaluate.samples, evaluate.ks) for each in grid)
        make_time(self.session, "dev", 2 * drawn, models=2)

    def reject(self, number: int) -> None:
        """A round gave no model."""
        self.lost.append(f"round {number} no model")

    def _win(self, mine: Contender) -> None:
        self.rounds.append(mine)
        self.champion = mine
        self.lost = []

    def finalist(self) -> Contender:
        """The model to be compared on eval: the champion, or the best one of a round."""
        if self.champion.model.round:
            return self.champion
        seen = (each for each in self.rounds if each.choice is not None)
        return max(seen, key=lambda each: (each.value, each.model.round))

    def remarks(self) -> list[str]:
        """What a person should know of how the finalist was found."""
        if self.champion.model.round:
            return []
        best, base = self.finalist(), self.base
        text = f"On dev no round's model is as good as the starting model ({shown(base)}): use that"
        return [
            f"{text} one ({base.model.gguf}). {best.model.label} ({shown(best)}) is the best of the"
            " others."
        ]


def shown(contender: Contender) -> str:
    """``71.9%``: pass@1 on dev."""
    return f"{100 * contender.value:.1f}%"
