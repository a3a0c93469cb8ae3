"""The date in prompts, for chat templates that write one (Llama 3.x).

It is always the day that those templates name where they are told none: a run over midnight, and a
file that is continued the next day, must not see other prompts, nor training others than sampling.
"""

from __future__ import annotations

from datetime import datetime

PROMPT_DATE = datetime(2024, 7, 26)
