"""The attacks of ``doctor``: a sandbox that holds stands them, and one without a lock does not.

A lock is taken out of a copy of the sandbox's files, from which its processes are then started.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from localdistill.errors import SandboxUnavailable
from localdistill.sandbox import kernel, link, open_sandbox, tier_local
from localdistill.sandbox.attacks import Bait, attack_all
from localdistill.sandbox.attacks.attack_all import ATTACKS
from localdistill.sandbox.attacks.bait import VARIABLE
from localdistill.sandbox.attacks.ring import Ring, breach
from localdistill.sandbox.pit_sandbox import PitSandbox
from localdistill.sandbox.tier_local import SHARED_FOLDER

_SOURCES = Path(kernel.__file__).parent
_NAMESPACES = dataclasses.replace(tier_local.WAYS_OF_ROOT[0], proven=False)

_NO_MEMORY_LIMIT = (
    "warm.py",
    "sampler.memory(run.memory_bytes) > run.memory_bytes",
    "False",
)
# Lock: what is taken out (file, text, text in its place), and which attacks then get through.
_LOCKS = {
    "seccomp": (
        [("confine.py", "    seccomp.install()\n", "")],
        {"network", "unshare, mount and others"},
    ),
    "landlock": (
        [("confine.py", "    if ruleset >= 0:\n", "    if False:\n")],
        {"host files", "environment and secrets"},
    ),
    "another user": (
        [("confine.py", "    if place.uid is not None:\n", "    if False:\n")],
        {"rights of root"},
    ),
    "process ids": (
        [
            ("confined.py", "kernel.CLONE_NEWPID", "0"),
            ("confined.py", "    first = os.fork()\n    if first != 0:", "    if False:"),
            ("warm.py", "if os.getpid() != 1:", "if False:"),
            ("warm.py", "    try:\n        os.kill(-1, signal.SIGKILL)", "    try:\n        pass"),
            ("confine.py", "    if place.uid is not None:\n", "    if False:\n"),
            ("landlock.py", "[3] if version >= 6", "[1] if version >= 6"),
        ],
        {"kill(-1)"},
    ),
    "wiping": (
        [("warm.py", "        wipe(self._place)\n", "        pass\n")],
        {"carry-over"},
    ),
    # Of the compiled steps: see spawner.c.
    "compiled: landlock": (
        [("spawner.c", "if (s->ruleset >= 0 && ", "if (0 && ")],
        {"host files", "environment and secrets"},
    ),
    "compiled: another user": (
        [("spawner.c", "if (s->uid >= 0) become", "if (0) become")],
        {"rights of root"},
    ),
    "compiled: looking": (
        [("spawner.c", "s->sampled ? FIRST_LOOK_MS : -1", "-1")],
        {"memory bomb", "memory bomb, spread"},
    ),
    "memory": (
        [_NO_MEMORY_LIMIT],
        {"memory bomb", "memory bomb, spread"},
    ),
    "processes": (
        [
            ("confine.py", "RLIMIT_NPROC, PROCESSES)", "RLIMIT_NPROC, 4096)"),
            # What so many processes hold together is bounded as well.
            ("sampling.py", "_DESCRIPTORS = 768", "_DESCRIPTORS = 1 << 30"),
            _NO_MEMORY_LIMIT,
        ],
        {"fork bomb"},
    ),
    "disk": (
        [
            (
                "place.py",
                "BOX_BYTES, BOX_FILES = 64 << 20, 4096",
                "BOX_BYTES, BOX_FILES = 1 << 30, 0",
            )
        ],
        {"disk fill, bytes", "disk fill, inodes"},
    ),
}


class Answering:
    """A pit that gives the same answer whatever it is asked. It runs nothing."""

    pid = os.getpid()
    stood_still_s = 0.0

    def __init__(self, status, detail=""):
        self.answer = {"status": status, "detail": detail, "cpu_s": 9.0}

    def ask(self, task, limit_s):
        return self.answer

    def close(self):
        pass


def answering(status, detail="", *, pits=2):
    return PitSandbox([lambda: Answering(status, detail)] * pits, "fake", ())


def outcomes(sandbox, bait, names):
    by_name = attacks_by_name()
    ring = Ring(sandbox, bait)
    return {name: by_name[name](ring) for name in names}


@functools.cache
def attacks_by_name():
    """All attacks by the name of their finding; none of them is really made here."""
    with Bait() as bait:
        ring = Ring(answering("failed", pits=1), bait)
        return {attack(ring).attack: attack for attack in ATTACKS}


@pytest.fixture
def opened(tmp_path, monkeypatch):
    """Opens a sandbox with some of its source changed, unproven."""

    def start(changes, way=_NAMESPACES):
        copy = tmp_path / "localdistill" / "sandbox"
        shutil.copytree(_SOURCES, copy)
        for name, old, new in changes:
            text = (copy / name).read_text()
            assert old in text, f"{name} has changed: this lock is no longer taken out"
            (copy / name).write_text(text.replace(old, new))
        (copy / "_spawner.so").unlink(missing_ok=True)  # then the steps are those in Python
        if any(name == "spawner.c" for name, _, _ in changes):
            compile_spawner(copy)
        monkeypatch.setattr(link, "_BOOT", str(copy / "boot.py"))
        try:
            return tier_local.open_way(way, 2)
        except SandboxUnavailable as error:
            pytest.skip(f"no namespaces here, so this is NOT tested: {error}")

    return start


def compile_spawner(folder):
    script = _SOURCES.parents[1] / "scripts" / "compile_c.py"
    subprocess.run([sys.executable, script, folder / "spawner.c"], check=True)


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@needs_root
@pytest.mark.real
@pytest.mark.parametrize("lock", _LOCKS)
def test_an_attack_on_a_sandbox_without_a_lock_gets_through(lock, opened):
    changes, names = _LOCKS[lock]
    with Bait() as bait, opened(changes) as sandbox:
        found = outcomes(sandbox, bait, names)
    assert {name for name, each in found.items() if each.got_through} == names
    for each in found.values():
        assert "determined" not in each.detail, each


@needs_root
@pytest.mark.real
def test_the_environment_of_the_tool_is_seen_where_it_leaks(opened, monkeypatch):
    with Bait() as bait:
        monkeypatch.setattr(link, "_ENVIRONMENT", dict(os.environ))
        with opened([]) as sandbox:
            found = outcomes(sandbox, bait, {"environment and secrets"})
    assert VARIABLE not in os.environ
    assert "environment of the tool" in found["environment and secrets"].detail


@pytest.mark.real
def test_no_sandbox_at_all_is_not_taken_for_one():
    with Bait() as bait, open_sandbox("unsafe", 2) as sandbox:
        found = outcomes(sandbox, bait, {"another slot's files", "carry-over"})
    assert all(each.got_through for each in found.values()), found


@pytest.mark.parametrize("status", ["infra_error", "timeout", "failed", "syntax_error", "no_code"])
def test_what_cannot_be_determined_counts_as_got_through(status):
    with Bait() as bait:
        found = list(attack_all(answering(status, "why", pits=1), bait))
    alone = {"another slot's files", "two candidates that conspire"}
    for each in found:
        if status == "failed" and each.attack.startswith("lie"):
            continue  # a lie that fails has been seen; the control says that nothing can pass
        assert each.got_through or each.attack in alone, each
    assert found[0].attack == "control"
    assert found[0].got_through


def test_a_sandbox_that_passes_everything_is_seen_by_the_lies_and_the_control():
    with Bait() as bait:
        found = {each.attack: each for each in attack_all(answering("passed", pits=1), bait)}
    through = {name for name, each in found.items() if each.got_through}
    assert {"control", "lie: equal to everything", "lie: stolen answers"} <= through


def test_with_one_slot_the_one_beside_it_is_not_covered():
    with Bait() as bait:
        found = outcomes(answering("passed", pits=1), bait, {"another slot's files"})
    assert found["another slot's files"].outcome == "not covered"


def test_a_breach_is_excused_only_by_a_tier_that_names_it():
    with Bait() as bait:
        sandbox = answering("passed")
        ring = Ring(sandbox, bait)
        assert ring.finding("a", "b", ["met"], excuse=SHARED_FOLDER).got_through
        sandbox.not_covered = (SHARED_FOLDER,)
        found = ring.finding("a", "b", ["met"], excuse=SHARED_FOLDER)
        assert (found.outcome, found.detail) == ("not covered", SHARED_FOLDER)
        bait.secret.write_text("changed")
        assert ring.finding("a", "b", ["met"], excuse=SHARED_FOLDER).got_through


def test_what_happens_to_the_bait_is_seen_whatever_the_program_says():
    with Bait() as bait:
        ring = Ring(answering("passed"), bait)
        assert ring.finding("a", "b", []).outcome == "held"
        (bait.writable / "planted").touch()
        assert "written to" in ring.finding("a", "b", []).detail
        assert ring.finding("a", "b", []).outcome == "held"  # told once, of the attack that did it
        os.kill(bait.victim, 9)
        bait._victim.wait()
        assert "was ended" in ring.finding("a", "b", []).detail


def test_the_bait_is_taken_away():
    with Bait() as bait:
        folder = bait.secret.parent
        assert folder.is_dir()
        assert os.environ[VARIABLE]
    assert not folder.exists()
    assert VARIABLE not in os.environ


@pytest.mark.parametrize(
    ("verdict", "said"),
    [
        (("passed", ""), ""),
        (("runtime_error", "case 1: GotThrough: reads it"), "reads it"),
        (("runtime_error", "case 1: OSError: x"), "could not be determined"),
        (("memory_exceeded", ""), "could not be determined"),
    ],
)
def test_only_a_pass_says_that_nothing_got_through(verdict, said):
    assert said in breach(*verdict)
    assert bool(said) == bool(breach(*verdict))


def test_an_end_that_was_meant_for_it_holds_too():
    assert breach("memory_exceeded", "", ("memory_exceeded",)) == ""
