"""Runs candidate programs where they can do no harm and cannot lie about their result.

    open_sandbox (tiers)  ->  LocalSandbox (local)  ->  Link (link)  in the run's process
        -> pit: grade, program, session                             a light process of its own
            -> warm parent (warm, place)  ->  confined child (confine)
                                                candidate: the program under test
            -> warm parent                ->  confined child: judge, the test code

Untrusted processes return values (codec, decode), never verdicts; expected values never enter the
process in which a candidate runs. See docs/decisions/0003-sandbox.md.
"""

from localdistill.sandbox.jobs import Job, Sandbox
from localdistill.sandbox.tiers import open_sandbox

__all__ = ["Job", "Sandbox", "open_sandbox"]
