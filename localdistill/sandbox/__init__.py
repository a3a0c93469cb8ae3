"""Runs candidate programs where they can do no harm and cannot lie about their result.

    open_sandbox (tiers)  ->  PitSandbox  ->  Pit (pits)  ->  Link  in the run's process
        -> pit: grade, slots                                         a light process of its own
            -> slot for candidates (session, program)
                -> warm parent (warm, place)  ->  confined child (confine): candidate
            -> slot for tests
                -> warm parent                ->  confined child: judge

A slot is beside its pit (tier_local), or in a container of its own (tier_containers, tier_beside):
then ``remote`` is the pit's end of the way there, and ``slot_server`` the container's.

Untrusted processes return values (codec, decode), never verdicts; expected values never enter the
process in which a candidate runs. See docs/decisions/0003-sandbox.md.
"""

from localdistill.sandbox.jobs import Behaviour, Job, Sandbox
from localdistill.sandbox.tiers import open_sandbox

__all__ = ["Behaviour", "Job", "Sandbox", "open_sandbox"]
