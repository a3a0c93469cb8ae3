"""The steps of a warm parent in Python and compiled: the sandbox holds with either."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from pathlib import Path

import pytest
from programs import programs

from localdistill.sandbox import kernel, link, steps, steps_compiled, tier_local
from localdistill.sandbox.place import Place
from localdistill.sandbox.steps_plain import PlainSteps

_SOURCES = Path(kernel.__file__).parent
# What one candidate could leave for the next, and what leads out of its process.
_KINDS = ("over_", "out_")


def test_what_was_compiled_is_the_source_that_is_here() -> None:
    if not any(map(shutil.which, ("cc", "gcc", "clang"))):
        pytest.skip("no C compiler: the compiled steps are NOT tested here")
    assert steps_compiled.are_current(), "run `make install`"


def test_what_was_compiled_from_another_source_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = tmp_path / "spawner.c"
    changed.write_text(Path(steps_compiled.SOURCE).read_text() + "\n")
    monkeypatch.setattr(steps_compiled, "SOURCE", str(changed))
    assert not steps_compiled.are_current()


@pytest.mark.parametrize("compiled", [False, True])
def test_a_pit_that_goes_with_messages_unread_is_gone(compiled: bool) -> None:
    library = steps_compiled.load() if compiled else None
    if compiled and library is None:
        pytest.skip("the compiled steps are NOT tested here")
    pit, control = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    control.send(steps.OVER)
    pit.close()  # what a warm parent hears of this is ECONNRESET, and then nothing
    place = Place("/nonexistent", None, namespaces=True, landlock=False)
    at = (
        steps_compiled.CompiledSteps(library, place, control.fileno(), -1)
        if library is not None
        else PlainSteps(place, os.dup(control.fileno()), -1)
    )
    assert at.serve() == steps.GONE
    control.close()


@pytest.mark.real
@pytest.mark.parametrize("number", [0, 1], ids=["first way", "second way"])
def test_the_sandbox_holds_with_the_steps_in_python(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ways = tier_local.WAYS_OF_ROOT if os.geteuid() == 0 else tier_local.WAYS_OF_USER
    if number >= len(ways):
        pytest.skip("there is one way only for this user")
    copy = tmp_path / "localdistill" / "sandbox"
    shutil.copytree(_SOURCES, copy, ignore=shutil.ignore_patterns("*.so"))
    monkeypatch.setattr(link, "_BOOT", str(copy / "boot.py"))
    # Without namespaces candidates need a Python that other users can reach.
    python = shutil.which(f"python3.{sys.version_info[1]}", path="/usr/bin")
    if number == 1 and python is not None:
        monkeypatch.setattr(tier_local, "interpreter", lambda: python)
    names = {p.name: p for p in programs("hostile") if p.name.startswith(_KINDS)}
    names |= {p.name: p for p in programs("unusual")[:20]}
    assert len(names) > 50
    try:
        opened = tier_local.open_way(ways[number], 2)
    except tier_local.SandboxUnavailable as error:
        pytest.skip(f"this way is NOT tested here: {error}")
    with opened as sandbox:
        verdicts = list(sandbox.run(program.job for program in names.values()))
    assert len(verdicts) == len(names)
    assert [str(v) for v in verdicts if v.status not in names[v.problem_id].statuses] == []
