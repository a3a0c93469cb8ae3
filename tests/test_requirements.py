"""What is pinned where: the locks of the dependency sets, and the image's version."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import localdistill

ROOT = Path(__file__).parents[1]
REQUIREMENTS = ROOT / "requirements"


def pins(text: str) -> dict[str, str]:
    found = re.findall(r"^([\w.-]+)==([\w.+]+)", text, re.MULTILINE)
    return {re.sub(r"[-_.]+", "-", name.lower()): version for name, version in found}


SETS = {
    "cuda": ("base.txt", "train.txt", "unsloth.txt"),
    "cpu": ("base.txt", "train.txt", "unsloth.txt"),
    "audit": ("audit.txt",),
}


@pytest.mark.parametrize("kind", SETS)
def test_the_lock_holds_all_pins_with_hashes(kind):
    lock = (REQUIREMENTS / f"{kind}.lock").read_text()
    locked = pins(lock)
    for name in SETS[kind]:
        wanted = pins((REQUIREMENTS / name).read_text())
        if kind == "cpu":
            wanted.pop("torch", None)  # its CPU build stands elsewhere
        assert wanted.items() <= locked.items()
    entries = re.split(r"^(?=[\w.-]+==)", lock, flags=re.MULTILINE)[1:]
    assert len(entries) >= len(locked) > 20
    assert all("--hash=sha256:" in entry for entry in entries)


def test_what_only_a_gpu_needs_is_in_the_lock():
    locked = pins((REQUIREMENTS / "cuda.lock").read_text())
    assert {"triton", "xformers", "nvidia-cublas", "unsloth-zoo"} <= locked.keys()


def test_the_image_says_the_version_of_the_package():
    label = f'org.opencontainers.image.version="{localdistill.__version__}"'
    assert label in (ROOT / "Dockerfile").read_text()


def test_a_cpu_needs_nothing_of_a_gpu():
    locked = pins((REQUIREMENTS / "cpu.lock").read_text())
    assert not {"torch", "triton", "xformers", "torchvision", "diffusers"} & locked.keys()
    assert not [name for name in locked if name.startswith("nvidia-cu")]
    assert "unsloth-zoo" in locked
