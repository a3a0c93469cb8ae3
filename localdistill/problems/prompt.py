"""The one template by which a problem becomes the messages that a model is sent.

Training examples hold the same messages. A problem without starter code and context files is sent
as its prompt alone, with nothing added.
"""

from __future__ import annotations

import re

from localdistill.digests import text_digest
from localdistill.types import Message, Problem

# Parts of the user's message, in this order, joined by an empty line; a part is left out where the
# problem does not have what it shows.
TEMPLATE = (
    "{prompt}",
    "The file `{name}`:\n\n{fence}\n{text}\n{fence}",
    "Start from this code:\n\n{fence}python\n{text}\n{fence}",
)
TEMPLATE_HASH = text_digest("\n\n".join(TEMPLATE))


def messages(problem: Problem) -> list[Message]:
    """The conversation that asks for a solution of ``problem``: one message of the user."""
    prompt, file, starter = TEMPLATE
    parts = [prompt.format(prompt=problem.prompt)]
    for name, text in problem.context_files.items():
        parts.append(file.format(name=name, text=text.rstrip("\n"), fence=_fence(text)))
    if problem.starter_code:
        code = problem.starter_code.strip("\n")
        parts.append(starter.format(text=code, fence=_fence(code)))
    return [Message(role="user", content="\n\n".join(parts))]


def _fence(text: str) -> str:
    """A fence longer than any in ``text``."""
    longest = max((len(run) for run in re.findall(r"`{3,}", text)), default=2)
    return "`" * (longest + 1)
