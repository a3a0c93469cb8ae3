"""The little of the Hugging Face hub's API that a download needs, on this machine.

Endpoints as huggingface_hub 1.33 calls them (hf_api.py: ``model_info``, ``list_repo_tree``;
file_download.py: ``hf_hub_url``). It can cut a connection in the middle of a file.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub:
    """One repository, with what was asked of it and how it is to misbehave."""

    def __init__(self, repo: str, folder: Path) -> None:
        self.repo = repo
        self.files = {path.name: path.read_bytes() for path in folder.iterdir()}
        self.requests: list[tuple[str, str, str | None]] = []  # method, path, range
        self.cut_after: int | None = None  # bytes of a body, after which the connection ends
        self.stall = threading.Event()  # set: instead of that, it stays open and silent
        self.stalled = threading.Event()
        self.release = threading.Event()
        self.spoil = False  # send other bytes than promised
        self.ranges = True
        self.commit = COMMIT  # what it says that branches are at
        self.url = ""

    def lfs(self, name: str) -> bool:
        return name.endswith(".safetensors")

    def etag(self, name: str) -> str:
        kind = hashlib.sha256 if self.lfs(name) else hashlib.sha1
        return kind(self.files[name]).hexdigest()

    def gets(self, name: str) -> list[str | None]:
        """The ranges with which a file was asked for."""
        end = f"/resolve/{COMMIT}/{name}"
        return [
            wanted
            for method, path, wanted in self.requests
            if method == "GET" and path.endswith(end)
        ]

    def tree(self) -> list[dict]:
        rows = []
        for name, content in sorted(self.files.items()):
            row = {"type": "file", "path": name, "size": len(content), "oid": "0" * 40}
            if self.lfs(name):
                row["lfs"] = {"oid": self.etag(name), "size": len(content), "pointerSize": 134}
            rows.append(row)
        return rows


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    """Serve ``hub`` until the block ends."""

    class Handler(_Handler):
        pass

    Handler.hub = hub
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield hub
    finally:
        hub.release.set()
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, body: bool) -> None:
        hub, parts = self.hub, urlsplit(self.path)
        path = unquote(parts.path)
        hub.requests.append((self.command, path, self.headers.get("Range")))
        api = f"/api/models/{hub.repo}"
        files = f"/{hub.repo}/resolve/{COMMIT}/"
        if path in (api, f"{api}/revision/main", f"{api}/revision/{COMMIT}", f"{api}/revision/v1"):
            return self._json({"id": hub.repo, "sha": hub.commit, "siblings": []})
        if path == f"{api}/tree/{COMMIT}":
            return self._json(hub.tree())
        if path.startswith(files) and path.removeprefix(files) in hub.files:
            return self._file(path.removeprefix(files), body)
        known = path.startswith(api)
        code = "RevisionNotFound" if known else "RepoNotFound"
        return self._error(404, code)

    def _json(self, content: object) -> None:
        raw = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def _error(self, status: int, code: str) -> None:
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _file(self, name: str, body: bool) -> None:
        hub, content = self.hub, self.hub.files[name]
        start = 0
        wanted = self.headers.get("Range")
        if wanted and hub.ranges:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
        self.send_response(206 if start else 200)
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{hub.etag(name)}"')
        self.send_header("Content-Length", str(len(content) - start))
        if start:
            last = len(content) - 1
            self.send_header("Content-Range", f"bytes {start}-{last}/{len(content)}")
        self.end_headers()
        if not body:
            return
        rest = content[start:]
        if hub.spoil and hub.lfs(name):
            rest = bytes(255 - byte for byte in rest)
        if hub.cut_after is not None and hub.lfs(name):
            self.wfile.write(rest[: hub.cut_after])
            self.wfile.flush()
            if hub.stall.is_set():
                hub.stalled.set()
                hub.release.wait()
            self.close_connection = True
            self.connection.close()
            return
        self.wfile.write(rest)
