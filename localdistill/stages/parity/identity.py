"""Checks before anything is merged: is this the adapter that was trained, and on these weights?"""

from __future__ import annotations

from pathlib import Path

from localdistill.markers import done_facts, is_done
from localdistill.quantization.fingerprint import folder_fingerprint
from localdistill.quantization.merge import merged_adapters
from localdistill.stages.parity.checks import Check


def adapter_check(adapter: Path, digest: str, master: Path) -> Check:
    """The adapter is whole, belongs to ``master``, and is not in it yet.

    ``digest`` is of the adapter's files. What training noted beside the adapter is gone where the
    folder was moved; then only the last of the three can be told here.
    """
    facts = done_facts(adapter) if is_done(adapter) else {}
    stored, base = facts.get("sha256"), facts.get("made_with", {}).get("model")
    reason = ""
    if digest in merged_adapters(master):
        reason = f"{master} contains this adapter already. Give the weights that it was trained on."
    elif stored is not None and stored != digest:
        reason = (
            f"{adapter} is not what training wrote there: its files have been changed or damaged. "
            "Delete the folder to train again."
        )
    elif base is not None and base != folder_fingerprint(master):
        reason = f"{adapter} was trained on other weights than {master}. Give the right ones."
    return Check(
        name="adapter",
        passed=not reason,
        figures={
            "as training wrote it": stored == digest if stored is not None else "not known",
            "trained on these weights": not reason if base is not None else "not known",
        },
        bound="unchanged, trained on these weights, not merged yet",
        reason=reason,
    )
