"""Room on the disk: the run stops before there is none, and large files of old rounds go.

The rule for these stands in ``localdistill.pruning``. A run that is continued does without them.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from localdistill import pruning
from localdistill.errors import Stopped, StorageError
from localdistill.events import Notice
from localdistill.markers import is_done
from localdistill.memory import size
from localdistill.pipeline.contest import Contest
from localdistill.pipeline.models import Model
from localdistill.pipeline.session import Session
from localdistill.pipeline.starts import made, needed
from localdistill.stages.running import RUNNING

_LOOK_S = 2.0  # between two looks at the disk
_WITHIN_S = 7.0  # for the stage at work to end in order


@contextlib.contextmanager
def watched(session: Session) -> Iterator[None]:
    """Stop the run, as a person would, where its disk gets full while the block lasts.

    Raises:
        StorageError: that was so; it says how much to free.
    """
    over, found = threading.Event(), list[StorageError]()

    def watch() -> None:
        while not over.wait(_LOOK_S):
            try:
                session.disk.look()
            except OSError:  # a place that cannot be looked at for a moment
                continue
            except StorageError as error:
                found.append(error)
                RUNNING.stop(_WITHIN_S)
                return

    config = session.config
    if session.directory.is_finished(config.rounds) and not config.controls:  # it is only shown
        yield
        return
    thread = threading.Thread(target=watch, name="disk", daemon=True)
    thread.start()
    try:
        yield
    except Stopped:
        if found:
            raise found[0] from None
        raise
    finally:
        over.set()
        thread.join()
        if found:
            RUNNING.reset()


def standing(session: Session, number: int, start: Model) -> Model | None:
    """The model of a finished round whose own large files, or those of ``start``, were removed.

    It can be looked at by its stages no more, and need not be. None: it is to be done, or looked
    at, as usual.
    """
    if pruning.pruned(session.directory.round(number)) is not None:
        return made(session, number)
    gone = start.round > 0 and pruning.pruned(session.directory.round(start.round)) is not None
    return whole(session, number) if gone else None


def whole(session: Session, number: int) -> Model | None:
    """The model of a round whose files are all there; None: they are not."""
    paths = session.directory.round(number)
    return made(session, number) if is_done(paths.merged) and is_done(paths.model) else None


def take_away(session: Session, contest: Contest, after: int) -> None:
    """Remove what is large of the rounds that neither are the best ones nor the last.

    ``after`` is the round that has come to its end. What a later one has begun with stays.
    """
    if not contest.rounds:
        return
    best = {contest.champion.model.round, contest.finalist().model.round}
    best |= needed(session, after, contest.base.model)
    rounds = [each.model.round for each in contest.rounds]
    # Where there was no time to score a round on dev, it may be done when the run is continued.
    scored = {each.model.round for each in contest.rounds if each.choice is not None}
    found = pruning.superseded(rounds, best, session.config.keep)
    gone = [number for number in found if number in scored or not contest.by_score]
    kept = [number for number in rounds if number not in gone]
    for number in gone:
        paths = session.directory.round(number)
        before = pruning.pruned(paths)
        taken = pruning.prune(paths, number, kept)
        if before is None:
            text = f"Round {number}: {size(sum(taken.removed.values()))} removed, as it is neither"
            text += ' the best nor the last (keep = "all" keeps all).'
            session.callback(Notice(message=text))
