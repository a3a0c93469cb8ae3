"""Attacks on a sandbox by hostile programs of our own, and their outcomes, for ``doctor``.

attack_all  ->  escapes, meeting, wearing, lies  ->  Ring  ->  programs, run as candidates
                                                      ^
                                                     Bait: what is put out, and who took it
"""

from localdistill.sandbox.attacks.attack_all import attack_all
from localdistill.sandbox.attacks.bait import Bait
from localdistill.sandbox.attacks.finding import Finding

__all__ = ["Bait", "Finding", "attack_all"]
