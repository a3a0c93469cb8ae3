"""What is pinned where: the lock of the CUDA set, and the image's version."""

from __future__ import annotations

import re
from pathlib import Path

import localdistill

ROOT = Path(__file__).parents[1]
REQUIREMENTS = ROOT / "requirements"


def pins(text: str) -> dict[str, str]:
    found = re.findall(r"^([\w.-]+)==([\w.+]+)", text, re.MULTILINE)
    return {re.sub(r"[-_.]+", "-", name.lower()): version for name, version in found}


def test_the_lock_holds_all_pins_with_hashes():
    lock = (REQUIREMENTS / "cuda.lock").read_text()
    locked = pins(lock)
    for name in ("base.txt", "train.txt", "unsloth.txt"):
        wanted = pins((REQUIREMENTS / name).read_text())
        assert wanted.items() <= locked.items()
    entries = re.split(r"^(?=[\w.-]+==)", lock, flags=re.MULTILINE)[1:]
    assert len(entries) >= len(locked) > 50
    assert all("--hash=sha256:" in entry for entry in entries)


def test_what_only_a_gpu_needs_is_in_the_lock():
    locked = pins((REQUIREMENTS / "cuda.lock").read_text())
    assert {"triton", "xformers", "nvidia-cublas", "unsloth-zoo"} <= locked.keys()


def test_the_image_says_the_version_of_the_package():
    label = f'org.opencontainers.image.version="{localdistill.__version__}"'
    assert label in (ROOT / "Dockerfile").read_text()
