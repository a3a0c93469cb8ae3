"""The image, as somebody uses it who has Docker and nothing else.

LOCALDISTILL_TEST_IMAGE names it; ``.ci/docker-test`` builds it and sets this.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

IMAGE = os.environ.get("LOCALDISTILL_TEST_IMAGE", "")
USER = 1000  # of a machine's first account; none of the image has it


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and not IMAGE:
            item.add_marker(pytest.mark.skip(reason="LOCALDISTILL_TEST_IMAGE is not set"))


def docker(*arguments: object, timeout: float = 1800) -> subprocess.CompletedProcess[str]:
    """Run a command of docker's to its end."""
    return subprocess.run(
        ["docker", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


@dataclass
class Container:
    """One that was started, and may have ended."""

    name: str
    process: subprocess.Popen[str]

    def wait(self, timeout: float = 1800) -> tuple[int, str, str]:
        """Its exit code, output and errors."""
        out, err = self.process.communicate(timeout=timeout)
        return self.process.returncode, out, err

    def events(self) -> Iterator[dict]:
        """What it tells with ``--progress json``, as it comes."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith('{"kind"'):
                yield json.loads(line)

    def state(self) -> dict:
        """What the engine says of it."""
        return json.loads(docker("inspect", "--format", "{{json .State}}", self.name).stdout)


@pytest.fixture
def start() -> Iterator:
    """Starts containers of the image without a network, and sees that none is left."""
    names = []

    def run(*arguments: object, data: object = None, options: tuple[str, ...] = ()) -> Container:
        name = f"localdistill-test-{uuid.uuid4().hex[:12]}"
        names.append(name)
        volume = () if data is None else ("--volume", f"{data}:/data")
        command = ["docker", "run", "--rm", "--name", name, "--network", "none", *volume, *options]
        process = subprocess.Popen(
            [*command, IMAGE, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        return Container(name, process)

    yield run
    for name in names:
        docker("rm", "--force", name)


@contextlib.contextmanager
def folder_of(user: int) -> Iterator[Path]:
    """An empty folder that belongs to ``user``."""
    folder = Path(tempfile.mkdtemp(prefix="localdistill-data-"))
    os.chown(folder, user, user)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def data() -> Iterator[Path]:
    """The folder of somebody who is not root."""
    with folder_of(USER) as folder:
        yield folder


def owners(folder: Path) -> set[tuple[int, int]]:
    """Users and groups to whom something in ``folder`` belongs, and the folder itself."""
    found = [path.lstat() for path in (folder, *folder.rglob("*"))]
    return {(about.st_uid, about.st_gid) for about in found}
