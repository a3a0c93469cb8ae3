"""No memory for the model: found before it is loaded, by what is really free."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from localdistill import cli, memory
from localdistill.backends.base import GenerationRequest
from localdistill.backends.llama_cpp import LlamaCppGenerator
from localdistill.errors import MemoryShortage
from localdistill.quantization.gguf_file import read_header
from localdistill.sampling import Sampling
from localdistill.types import Message
from tests.bad_input.conftest import PROGRAM

_TENSOR = b"blk.0.ffn_down.weight"  # whose rows are 512 values of 16 bits


def with_holes(tiny, path: Path, size: int) -> Path:
    """A GGUF file in good order with one tensor of ``size`` bytes, nearly all of it a hole."""
    content = bytearray(tiny.gguf.read_bytes())
    # In the tensor's entry its name is followed by the number of dimensions and the dimensions.
    rows_at = content.index(_TENSOR) + len(_TENSOR) + 4 + 8
    content[rows_at : rows_at + 8] = (size // (2 * 512)).to_bytes(8, "little")
    # Then follow its type and where its data begin: behind all others, as these may not overlap.
    header = read_header(tiny.gguf)
    offset = -(-(len(content) - header.data_start) // header.alignment) * header.alignment
    content[rows_at + 12 : rows_at + 20] = offset.to_bytes(8, "little")
    path.write_bytes(content)
    try:
        os.truncate(path, header.data_start + offset + size)
    except OSError as error:
        pytest.skip(f"no file of {size} bytes with holes can be made here: {error}")
    return path


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch):
    monkeypatch.setattr(memory, "_GPUS", ())


def test_the_free_memory_of_this_machine_is_what_counts(refused_huge, world, tiny, problems):
    huge = with_holes(tiny, world / "huge.gguf", 1 << 42)
    line = refused_huge("run", "--model", huge, "--problems", problems)
    assert "needs at least 4,398.0 GB of memory" in line
    assert "smaller quantisation" in line
    line = refused_huge("generate", "--model", huge, "--problems", problems, "--out", "c.jsonl")
    assert "needs at least 4,398.0 GB" in line
    line = refused_huge("evaluate", "--model", huge, "--problems", problems, "--out", "e.json")
    assert "needs at least 4,398.0 GB" in line


@pytest.fixture
def refused_huge(world, capsys, monkeypatch):
    """As ``refused``, without reading 4 TiB of holes; the disk has room for everything."""
    monkeypatch.setattr("localdistill.preflight.check_room", lambda *_: None)

    def give(*arguments):
        before = sorted(str(path) for path in world.rglob("*"))
        with pytest.raises(SystemExit) as ended:
            cli.main([str(argument) for argument in arguments])
        err = capsys.readouterr().err
        assert ended.value.code == 2, err
        assert err.count("\n") == 1
        assert sorted(str(path) for path in world.rglob("*")) == before
        return err

    return give


@pytest.mark.parametrize("command", ["run", "generate"])
def test_a_limit_on_this_process_counts(world, tiny, problems, command):
    model = with_holes(tiny, world / "model.gguf", 3 << 30)
    more = ("--out", "c.jsonl") if command == "generate" else ()
    limit = 2 << 30
    before = sorted(world.rglob("*"))
    done = subprocess.run(
        [PROGRAM, command, "--model", model, "--problems", problems, *more],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "needs at least 3.2 GB of memory" in done.stderr
    assert "ulimit -v" in done.stderr
    assert sorted(world.rglob("*")) == before


def test_the_room_below_a_limit_is_counted_from_what_is_taken():
    limit = 1 << 29
    code = "from localdistill import memory; print(memory.available_bytes())"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
    )
    assert 0 < int(done.stdout) < limit


def test_a_machine_with_little_left(refused, tiny, problems, monkeypatch):
    little = SimpleNamespace(available=500_000)
    monkeypatch.setattr(memory.psutil, "virtual_memory", lambda: little)
    line = refused("run", "--model", tiny.gguf, "--problems", problems)
    assert "are free. Close other programs" in line


def test_what_could_be_sampled_but_not_trained_is_refused_before_a_night_of_sampling(
    refused, tiny, problems, monkeypatch
):
    some = SimpleNamespace(available=400_000_000)
    monkeypatch.setattr(memory.psutil, "virtual_memory", lambda: some)
    line = refused("run", "--model", tiny.gguf, "--problems", problems)
    assert "to train it with rank 16" in line
    assert "Of 400 MB that are free 360 MB can be used" in line


def write(folder, **files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)


def test_rooms_of_control_groups_of_version_2(tmp_path):
    root = tmp_path / "cgroup"
    outer = root / "user.slice"
    stat = "anon 7\nactive_file 100\ninactive_file 20\n"
    write(root, cgroup__controllers="memory")
    write(outer, memory__max="1000", memory__current="400", memory__stat=stat)
    write(outer / "inner", memory__max="max", memory__current="300", memory__stat=stat)
    (tmp_path / "self").write_text("0::/user.slice/inner\n")
    assert list(memory.cgroup_rooms(root, tmp_path / "self")) == [720]


def test_rooms_of_control_groups_of_version_1(tmp_path):
    root = tmp_path / "cgroup"
    stat = "inactive_file 1\ntotal_active_file 10\ntotal_inactive_file 5\n"
    files = {"memory__limit_in_bytes": "1000", "memory__usage_in_bytes": "900"}
    write(root / "memory", **files, memory__stat=stat)
    # In a container the group's own path is not to be seen; its limit stands at the mount's root.
    (tmp_path / "self").write_text("5:cpu,cpuacct:/x\n4:memory:/docker/0123\n1:name=systemd:/x\n")
    assert list(memory.cgroup_rooms(root, tmp_path / "self")) == [115]


def test_no_control_groups_are_no_limit(tmp_path):
    assert list(memory.cgroup_rooms(tmp_path, tmp_path / "none")) == []


def test_what_fits_is_not_refused():
    memory.require(10, "m", "", available=lambda: 10)
    with pytest.raises(MemoryShortage, match=r"m: needs at least 11 MB .* 10 MB are free"):
        memory.require(11_000_000, "m", "fix", available=lambda: 10_000_000)


def test_a_context_that_does_not_fit_is_refused_before_it_is_allocated(tiny, monkeypatch):
    generator = LlamaCppGenerator(tiny.gguf, Sampling(max_tokens=400), slots=200, threads=1)
    little = SimpleNamespace(available=10_000_000)
    monkeypatch.setattr(memory.psutil, "virtual_memory", lambda: little)
    request = GenerationRequest("p/0", 0, [Message(role="user", content="a")], seed=1)
    try:
        # 2 layers of 2 heads of 64 values, keys and values of 16 bits: 1,024 bytes a token.
        with pytest.raises(MemoryShortage, match=r"context of \d+ tokens: .* Lower generate.slots"):
            generator.prepare([request])
    finally:
        generator.close()
