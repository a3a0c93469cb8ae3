"""llama.cpp's own server as a peer of generate_throughput.py.

As many slots as ours, each with the context that one of our samples has; prompts as tokens; twice
as many clients as slots, so that a request is always waiting for one that becomes free. All else is
its default: its prompt cache is on, so what a slot's last request has in common with the next one
is not computed again. If it was built from the source of the installed bindings, it is made to load
the very libraries that they load ("same_libraries"), so that both decode with the same code.
"""

from __future__ import annotations

import http.client
import importlib.util
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

_HOST = "127.0.0.1"


def run(
    work: dict[str, Any], requests: list[tuple[list[int], int]], *, room: int
) -> tuple[int, float, dict[str, Any]]:
    """Answer ``requests``, pairs of prompt and seed: tokens sampled, seconds, and what was met.

    Tokens are those that the server says it has predicted, which its end tokens are among.
    """
    clients = 2 * work["slots"]
    libraries = _same_libraries(Path(work["server"]))
    environment = {**os.environ, **({"LD_LIBRARY_PATH": str(libraries)} if libraries else {})}
    with socket.socket() as free:
        free.bind((_HOST, 0))
        port = free.getsockname()[1]
    command = [
        work["server"], "--model", work["model"], "--host", _HOST, "--port", port,
        "--parallel", work["slots"], "--ctx-size", work["slots"] * (room + 1),
        "--threads", work["threads"], "--threads-batch", work["threads"],
        "--threads-http", clients + 2, *work["server_options"],
    ]  # fmt: skip
    with (
        tempfile.TemporaryFile("w+", errors="replace") as log,
        subprocess.Popen(
            list(map(str, command)), stdout=log, stderr=subprocess.STDOUT, env=environment
        ) as process,
    ):
        try:
            _wait_until_ready(port, process)
            with ThreadPoolExecutor(clients) as pool:
                began = time.perf_counter()
                answers = list(pool.map(lambda each: _ask(port, work, *each), requests))
                seconds = time.perf_counter() - began
            build = json.loads(_get(port, "/props")[1])["build_info"]
        except BaseException:
            log.seek(0)
            sys.stderr.write("".join(log.readlines()[-20:]))
            raise
        finally:
            process.terminate()
    facts = {
        "prefill_tokens": sum(answer["timings"]["prompt_n"] for answer in answers),
        "ended_by": dict(Counter(answer["stop_type"] for answer in answers)),
        "build": build,
        "same_libraries": libraries is not None,
    }
    return sum(answer["tokens_predicted"] for answer in answers), seconds, facts


def _same_libraries(server: Path) -> Path | None:
    """The bindings' folder of libraries, if the server's are of the same versions."""
    package = importlib.util.find_spec("llama_cpp")
    assert package is not None and package.origin is not None
    folder = Path(package.origin).parent / "lib"
    theirs = {path.name for path in server.resolve().parent.glob("*.so.*")}
    ours = {path.name for path in folder.glob("*.so.*")}
    return folder if ours and ours <= theirs else None


def _get(port: int, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(_HOST, port, timeout=60)
    connection.request("GET", path)
    answer = connection.getresponse()
    return answer.status, answer.read()


def _wait_until_ready(port: int, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        try:
            if _get(port, "/health")[0] == http.client.OK:
                return
        except OSError:
            pass
        time.sleep(0.1)
    sys.exit(f"the server ended with {process.returncode}")


def _ask(port: int, work: dict[str, Any], prompt: list[int], seed: int) -> dict[str, Any]:
    samplers = ["top_k", "top_p", *(["temperature"] if work["temperature"] != 1 else [])]
    body = {
        "prompt": prompt,
        "n_predict": work["max_tokens"],
        "seed": seed,
        "samplers": samplers,
        "temperature": work["temperature"],
        "top_k": work["top_k"],
        "top_p": work["top_p"],
        "min_p": 0.0,
        "repeat_penalty": 1.0,
    }
    connection = http.client.HTTPConnection(_HOST, port)
    headers = {"Content-Type": "application/json"}
    connection.request("POST", "/completion", json.dumps(body), headers)
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    if answer.status != http.client.OK:
        raise RuntimeError(f"the server answered {answer.status}: {text[:500]!r}")
    found: dict[str, Any] = json.loads(text)
    return found
