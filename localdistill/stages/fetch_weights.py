"""One large file of a model on the Hugging Face hub, fetched so that it can be continued.

It becomes the blob of huggingface_hub's cache: ``blobs/SHA256``, beside it ``SHA256.incomplete``
while it grows. Its digest is checked before it gets its name.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from localdistill.digests import file_digest
from localdistill.durable import to_disk
from localdistill.errors import ModelError

_WAITS_S = (1.0, 2.0, 4.0, 8.0)  # between attempts in which nothing came
_TIMEOUT_S = 30.0  # of silence
_SHA256 = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class Weights:
    """Where the files of one commit are kept."""

    storage: Path  # models--ORG--NAME in the cache
    commit: str

    def blob(self, file: Any) -> Path:
        """Where a huggingface_hub ``RepoFile`` with LFS data ends up.

        Raises:
            ModelError: the hub names no SHA-256 of it, which might be a path to anywhere.
        """
        if not _SHA256.fullmatch(str(file.lfs.sha256)):
            raise ModelError(f"{file.path}: the hub gives no SHA-256 of it. Look at HF_ENDPOINT.")
        return self.storage / "blobs" / str(file.lfs.sha256)

    def have(self, file: Any) -> int:
        """How many bytes of ``file`` are here."""
        if file.lfs is None:
            return 0
        blob = self.blob(file)
        for path in (blob, incomplete(blob)):
            if path.is_file():
                return min(path.stat().st_size, int(file.size))
        return 0


def incomplete(blob: Path) -> Path:
    """Where the first bytes of ``blob`` are kept."""
    return blob.with_name(blob.name + ".incomplete")


def fetch_weights(repo: str, file: Any, weights: Weights, on_bytes: Callable[[int], None]) -> None:
    """Fetch ``file`` (a huggingface_hub ``RepoFile`` with LFS data) of ``repo`` into its blob.

    ``on_bytes`` hears how many bytes have come; a negative number takes some back.

    Raises:
        ModelError: what came is not what the hub says it is.
        httpx.HTTPError, huggingface_hub's errors: the hub cannot be reached, or refuses.
    """
    from huggingface_hub import hf_hub_url
    from huggingface_hub.utils import WeakFileLock

    blob = weights.blob(file)
    if blob.exists():
        return
    blob.parent.mkdir(parents=True, exist_ok=True)
    # The lock that huggingface_hub takes for the same blob.
    lock = weights.storage.parent / ".locks" / weights.storage.name / f"{blob.name}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    url = hf_hub_url(repo, file.path, revision=weights.commit)
    with WeakFileLock(lock):
        if blob.exists():  # another process was at it
            on_bytes(int(file.size))
            return
        part = incomplete(blob)
        _fill(url, part, int(file.size), on_bytes)
        if file_digest(part) != file.lfs.sha256:
            part.unlink()
            message = f"{repo}: {file.path} was damaged on its way here"
            raise ModelError(f"{message}. Give the same command again.")
        to_disk(part)  # its name says that it is whole, also after a power cut
        part.replace(blob)
        to_disk(blob.parent)


def _fill(url: str, part: Path, size: int, on_bytes: Callable[[int], None]) -> None:
    """Append to ``part`` until it has ``size`` bytes, through lost connections."""
    import httpx

    waits, most = iter(_WAITS_S), 0
    while True:
        before = part.stat().st_size if part.exists() else 0
        # A server without ranges begins again each time: only what it never reached is progress.
        most = max(most, before)
        try:
            if before < size:
                _append(url, part, before, on_bytes, size)
            if part.stat().st_size >= size:
                return
            failure: httpx.TransportError | None = None  # it ended early without a word
        except httpx.TransportError as error:
            failure = error
        if part.exists() and part.stat().st_size > most:
            waits = iter(_WAITS_S)
        wait = next(waits, None)
        if wait is None:
            raise failure or httpx.ReadError("the connection ends early again and again")
        time.sleep(wait)


def _append(url: str, part: Path, have: int, on_bytes: Callable[[int], None], size: int) -> None:
    """Add to ``part``, of which ``have`` bytes are here, what the server sends.

    Raises:
        ModelError: it sends more than the ``size`` bytes that the file has.
    """
    from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status

    # Of compressed bytes a part could not be continued.
    headers = {**build_hf_headers(), "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    with get_session().stream("GET", url, headers=headers, timeout=_TIMEOUT_S) as response:
        hf_raise_for_status(response)
        with part.open("ab", buffering=0) as file:  # a kill loses nothing that has come
            if have and response.status_code != HTTPStatus.PARTIAL_CONTENT:
                file.truncate(0)  # the server begins at the beginning
                on_bytes(-have)
                have = 0
            for block in response.iter_raw():
                have += len(block)
                if have > size:
                    part.unlink()  # it is not the file, or not from where it was asked for
                    message = f"{url}: more comes than the {size:,} bytes that the hub tells of"
                    raise ModelError(f"{message}. Give the same command again, or see HF_ENDPOINT.")
                file.write(block)
                on_bytes(len(block))
