"""Who may write a file of rows, and who can tell that somebody does."""

import subprocess
import sys

import pytest

from localdistill.errors import ConfigError
from localdistill.stages.writer_lock import WriterLock, is_being_written, lock_path

HOLDER = (
    "import sys; from pathlib import Path\n"
    "from localdistill.stages.writer_lock import WriterLock\n"
    "with WriterLock(Path(sys.argv[1])):\n"
    "    print('held', flush=True)\n"
    "    sys.stdin.read()\n"
)


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock of ``rows.jsonl``."""
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "rows.jsonl")]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout.readline() == b"held\n"
    yield child
    child.kill()
    child.wait()
    child.stdout.close()


def test_others_see_the_writer_until_it_ends_and_no_trace_is_left(tmp_path):
    out = tmp_path / "rows.jsonl"
    assert not is_being_written(out)
    with WriterLock(out):
        assert is_being_written(out)
    assert not is_being_written(out)
    assert list(tmp_path.iterdir()) == []


def test_a_second_writer_is_refused(tmp_path, holder):
    out = tmp_path / "rows.jsonl"
    with pytest.raises(ConfigError, match=r"another process is writing it.*--out"):
        WriterLock(out, patience_s=0.1).__enter__()
    assert is_being_written(out)


def test_a_killed_writer_holds_nothing(tmp_path, holder):
    out = tmp_path / "rows.jsonl"
    holder.kill()
    holder.wait()
    assert lock_path(out).exists()
    assert not is_being_written(out)
    with WriterLock(out, patience_s=0.1):
        assert is_being_written(out)


def test_a_writer_waits_for_one_that_is_about_to_end(tmp_path, holder):
    out = tmp_path / "rows.jsonl"
    holder.stdin.close()
    with WriterLock(out):
        assert is_being_written(out)
