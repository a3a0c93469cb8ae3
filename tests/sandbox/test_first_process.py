"""The first process of the tool's container, here without one: who runs what, with what rights."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pythons import NOBODY, REPOSITORY, environment, python_for

BOOT = REPOSITORY / "localdistill" / "sandbox" / "boot.py"
DAC_OVERRIDE = 1 << 1
# The command's own view of what it is.
_WHO = """
import json, os
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(json.dumps({
    "ids": [*os.getresuid(), *os.getresgid()], "groups": os.getgroups(),
    "home": os.environ["HOME"], "writes": os.access(os.environ["HOME"], os.W_OK),
    "hub": os.environ["HF_HOME"], "stores": os.environ.get("LOCALDISTILL_STORES"),
    "rights": [int(status[name], 16) for name in ("CapPrm", "CapEff", "CapInh", "CapAmb")],
    "gains": int(status["NoNewPrivs"]) == 0,
}))
"""
# Leaves a process that nobody waits for, and waits until it is gone from the table.
_ORPHAN = """
import os, sys, time
read, write = os.pipe()
if os.fork() == 0:
    orphan = os.fork()
    if orphan:
        os.write(write, str(orphan).encode())
    else:
        time.sleep(0.05)
    os._exit(0)
os.wait()
orphan = os.read(read, 20).decode()
deadline = time.monotonic() + 15
while os.path.exists(f"/proc/{orphan}"):
    time.sleep(0.01)
    if time.monotonic() > deadline:
        sys.exit(1)
"""
_WAITS = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda number, at: sys.exit(5))
print("waits", flush=True)
time.sleep(60)
"""
# Opens the sandbox twice, with its keepers killed between, and runs programs in it. All the others
# are run in a real container (.ci/sandbox-tiers).
_SANDBOX = """
import json, os, sys
from localdistill.sandbox import open_sandbox
from tests.sandbox.offered import offered_packages
from programs import programs
there = programs("unusual")[:20] + [p for p in programs("hostile") if p.name.startswith("out_")]
chosen = {program.name: program for program in there}
found = []
for _ in range(2):
    with open_sandbox("local", 2) as sandbox:
        offered = offered_packages(sandbox)
        jobs = [program.job for program in chosen.values() if program.needs <= offered]
        verdicts = list(sandbox.run(jobs))
    wrong = [str(v) for v in verdicts if v.status not in chosen[v.problem_id].statuses]
    found.append([sandbox.tier, len(verdicts) - len(jobs), wrong])
    print(json.dumps([os.geteuid(), *found[-1]]), flush=True)
    sys.stdin.readline()
"""

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
]


@pytest.fixture
def folder() -> Iterator[Path]:
    """For results; other users can reach it. Beside it is one for what is temporary."""
    around = Path(tempfile.mkdtemp())
    around.chmod(0o755)
    made, temporary = around / "results", around / "tmp"
    made.mkdir()
    temporary.mkdir()
    temporary.chmod(0o1777)
    yield made
    shutil.rmtree(around)


def first_process(
    folder: Path, *command: str, before: tuple[str, ...] = (), home: str = "/root"
) -> subprocess.Popen:
    surroundings = {
        **environment(),
        "LOCALDISTILL_HOME": str(folder),
        "TMPDIR": str(folder.with_name("tmp")),
        "HOME": home,
    }
    return subprocess.Popen(
        [*before, *python_for(0), "-I", "-S", "-B", str(BOOT), "--first", *command],
        env=surroundings,
        cwd="/",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # it passes on what its terminal's group is sent
    )


def python(code: str) -> list[str]:
    return [*python_for(0)[1:], "-c", code]


def test_the_command_is_the_owner_of_the_results_and_has_no_rights(folder):
    os.chown(folder, NOBODY, NOBODY - 1)
    out, err = first_process(folder, *python(_WHO)).communicate(timeout=60)
    who = json.loads(out)
    assert who["ids"] == [NOBODY] * 3 + [NOBODY - 1] * 3
    assert 0 not in who["groups"]
    assert who["rights"] == [0, 0, 0, 0]
    assert not who["gains"]
    assert who["writes"]
    assert who["home"] != str(folder)  # in which libraries would leave their own
    assert who["hub"] == f"{folder}/.cache/huggingface"
    assert list(folder.iterdir()) == []
    assert err == ""


@pytest.mark.parametrize("with_hub", [False, True])
def test_where_models_are_mounted_is_no_home_for_libraries(folder, with_hub):
    os.chown(folder, NOBODY, NOBODY)
    stores = folder.with_name("stores")
    hub = stores / ".cache" / "huggingface" if with_hub else stores
    hub.mkdir(parents=True)
    out, _ = first_process(folder, *python(_WHO), home=str(stores)).communicate(timeout=60)
    who = json.loads(out)
    assert who["stores"] == str(stores)
    assert who["writes"] and who["home"] not in (str(stores), str(folder))
    assert who["hub"] == (str(hub) if with_hub else f"{folder}/.cache/huggingface")


def test_where_root_owns_them_it_can_still_read_what_belongs_to_others_and_no_more(folder):
    out, _ = first_process(folder, *python(_WHO)).communicate(timeout=60)
    who = json.loads(out)
    assert who["ids"] == [0] * 6
    assert who["rights"] == [DAC_OVERRIDE, DAC_OVERRIDE, 0, 0]
    assert who["home"] == "/root"


@pytest.mark.parametrize(("code", "wanted"), [("exit 7", 7), ("kill -9 $$", 128 + 9)])
def test_its_exit_code_is_the_commands(folder, code, wanted):
    process = first_process(folder, "sh", "-c", code)
    process.communicate(timeout=60)
    assert process.returncode == wanted


def test_a_command_that_is_not_there_is_one_line(folder):
    process = first_process(folder, "localdistill-that-is-not-there")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert err.count("\n") == 1


def test_a_signal_reaches_the_command(folder):
    process = first_process(folder, *python(_WAITS))
    assert process.stdout.readline() == "waits\n"
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 5


def test_what_nobody_waits_for_is_reaped(folder):
    process = first_process(folder, *python(_ORPHAN))
    process.communicate(timeout=60)
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("before", "tier"),
    [((), "3 (namespaces"), (("setpriv", "--bounding-set=-sys_admin"), "no namespaces")],
    ids=["with all rights", "with those of a container"],
)
def test_the_owner_of_the_results_has_a_sandbox_without_being_root(folder, before, tier):
    os.chown(folder, NOBODY, NOBODY)
    process = first_process(folder, *python(_SANDBOX), before=before)
    for _ in range(2):
        line = process.stdout.readline()
        assert line, process.stderr.read()
        user, found, missing, wrong = json.loads(line)
        assert user == NOBODY
        assert tier in found
        assert (missing, wrong) == (0, [])
        killed = keepers(process.pid)
        for child in killed:
            os.kill(child, signal.SIGKILL)
        while any(Path(f"/proc/{child}").exists() for child in killed):
            time.sleep(
                0.01
            )  # until they have died and were reaped, which a signal does not wait for
        process.stdin.write("\n")
        process.stdin.flush()
    process.communicate(timeout=60)
    assert process.returncode == 0


def keepers(first: int) -> list[int]:
    """Children of the first process that are still root: all but the command."""
    children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
    return [int(child) for child in children if Path(f"/proc/{child}").stat().st_uid == 0]
