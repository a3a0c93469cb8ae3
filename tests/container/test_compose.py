"""The tool's image with its sandbox beside it, by compose.yaml as it is shipped."""

from __future__ import annotations

import os
import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .conftest import IMAGE, USER, owners
from .test_image import SMALL

pytestmark = pytest.mark.real

PIT = os.environ.get("LOCALDISTILL_PIT_IMAGE", "")
ROOT = Path(__file__).parents[2]
# Images that are there instead of ones to be built, and a folder of the test's own. All locks are
# those of compose.yaml.
OTHERS = """\
services:
  tool:
    image: {tool}
    volumes: ["{data}:/data"]
  pit:
    image: {pit}
  judge:
    image: {pit}
"""

Compose = Callable[..., subprocess.CompletedProcess[str]]


def program() -> list[str]:
    """The command of compose, the newer one first; none if there is none."""
    found = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
    if found.returncode == 0:
        return ["docker", "compose"]
    return ["docker-compose"] if shutil.which("docker-compose") else []


@pytest.fixture
def compose(data: Path, tmp_path: Path) -> Iterator[Compose]:
    """Runs a command of compose's, and takes away all that it has started."""
    command = program()
    if not command or not PIT:
        pytest.skip("there is no compose here, or LOCALDISTILL_PIT_IMAGE is not set")
    file = tmp_path / "others.yaml"
    file.write_text(OTHERS.format(tool=IMAGE, pit=PIT, data=data))
    name = f"localdistill-test-{uuid.uuid4().hex[:12]}"
    files = ("--project-name", name, "--file", str(ROOT / "compose.yaml"), "--file", str(file))

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, *files, *map(str, arguments)],
            capture_output=True, text=True, timeout=900, check=False, cwd=ROOT,
        )  # fmt: skip

    yield run
    run("down", "--volumes", "--remove-orphans", "--timeout", 2)


def test_a_run_by_compose_has_its_sandbox_in_containers_beside_it(compose, data):
    ran = compose("run", "--rm", "-T", "tool", *SMALL)
    assert ran.returncode == 0, ran.stderr + ran.stdout
    assert "Sandbox: tier 1" in ran.stdout
    for name in ("manifest.json", "evaluation.json", "report.html", "rounds/01/model.gguf"):
        assert (data / "seed" / name).stat().st_size > 0
    assert owners(data) == {(USER, USER)}
