"""SHA-256 in hexadecimal of files and of text, to know whether something is the same."""

from __future__ import annotations

import hashlib
from pathlib import Path


def file_digest(path: Path) -> str:
    """Of all bytes of a file, however large it is.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def text_digest(text: str) -> str:
    """Of ``text`` in UTF-8."""
    return hashlib.sha256(text.encode()).hexdigest()
