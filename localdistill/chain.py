"""Which rounds of a run the model of one of them has been trained in, one after the other."""

from __future__ import annotations

from localdistill import pruning
from localdistill.markers import done_facts, is_done
from localdistill.quantization.fingerprint import folder_fingerprint
from localdistill.run_dir import RoundDir, RunDir


def trained_on_each_other(run: RunDir, number: int) -> list[int]:
    """The rounds whose adapters add up to the model of round ``number``, the first one first.

    By what each export has noted of the weights that it added to, not by the order of rounds: a
    round may have started from the base again, or from one before the last.
    """
    chain = [number]
    while True:
        master = _weights(run.round(chain[0]))[0]
        earlier = (
            n
            for n in range(chain[0] - 1, 0, -1)
            if master is not None and _weights(run.round(n))[1] == master
        )
        previous = next(earlier, None)
        if previous is None:
            return chain
        chain.insert(0, previous)


def _weights(paths: RoundDir) -> tuple[str | None, str | None]:
    """Fingerprints of the weights that a round's were made of, and of its own; also if pruned."""
    gone = pruning.pruned(paths)
    if gone is not None:
        return gone.made_of.get("master"), gone.fingerprint
    if not is_done(paths.merged):
        return None, None
    return done_facts(paths.merged).get("master"), folder_fingerprint(paths.merged)
