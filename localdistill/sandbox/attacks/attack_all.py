"""All attacks in their order."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from localdistill.sandbox.attacks import escapes, lies, meeting, wearing
from localdistill.sandbox.attacks.bait import Bait
from localdistill.sandbox.attacks.finding import Finding
from localdistill.sandbox.attacks.ring import Ring
from localdistill.sandbox.pit_sandbox import PitSandbox

Attack = Callable[[Ring], Finding]

ATTACKS: tuple[Attack, ...] = (
    lies.control,
    *escapes.ATTACKS,
    *meeting.ATTACKS,
    *wearing.ATTACKS,
    *lies.ATTACKS,
)


def attack_all(sandbox: PitSandbox, bait: Bait) -> Iterator[Finding]:
    """Attack ``sandbox`` in every way, one after the other; one finding each, as it is made.

    ``bait`` must have been entered before the sandbox was opened, which could else not have
    inherited any of it. It takes under a minute.
    """
    ring = Ring(sandbox, bait)
    for attack in ATTACKS:
        yield attack(ring)
