"""What became of one attack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Outcome = Literal["held", "GOT THROUGH", "not covered"]


@dataclass(frozen=True)
class Finding:
    """One line of the table: ``detail`` says what got through, or why it is not covered."""

    attack: str
    tried: str
    outcome: Outcome
    detail: str = ""

    @property
    def got_through(self) -> bool:
        """Whether the sandbox may not be relied on: also where the outcome is not known."""
        return self.outcome == "GOT THROUGH"
