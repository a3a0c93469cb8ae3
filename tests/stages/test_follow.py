"""Verifying completions while they are being written, and what becomes of it when things end."""

import threading

import pytest

from localdistill.errors import ConfigError, StageFailed, UserError, WriterGone
from localdistill.events import StageProgress, StageStarted
from localdistill.jsonl import read_rows
from localdistill.markers import is_done, mark_done
from localdistill.stages.follow import Following, Tail
from localdistill.stages.verify import VerifyRequest, run
from localdistill.stages.verify_follow import PutOff, put_off_path
from localdistill.stages.writer_lock import WriterLock
from localdistill.types import Completion, Problem, Verdict

ASSERTS = {"kind": "asserts", "asserts": ["assert f(1) == 1"]}


def test_a_tail_hands_out_whole_lines_only_and_each_once(tmp_path):
    path = tmp_path / "rows"
    tail = Tail(path)
    assert tail.lines() == []  # no file yet
    whole = b"one\ntwo\nthree\n"
    found = []
    for end in range(len(whole) + 1):
        path.write_bytes(whole[:end])
        found += tail.lines()
        assert b"".join(found) == whole[: whole.rfind(b"\n", 0, end) + 1]
    assert found == [b"one\n", b"two\n", b"three\n"]


def test_a_tail_notices_that_what_it_read_is_gone(tmp_path):
    path = tmp_path / "rows"
    path.write_bytes(b"one\ntwo\n")
    tail = Tail(path)
    tail.lines()
    path.write_bytes(b"one\n")
    with pytest.raises(StageFailed, match="shorter"):
        tail.lines()


def test_blocks_end_with_the_marker_and_hold_what_was_written_last(tmp_path):
    path = tmp_path / "rows"
    following = Following(path)
    with WriterLock(path):
        path.write_bytes(b"one\n")
        blocks = following.blocks()
        assert next(blocks) == [b"one\n"]
        path.write_bytes(b"one\ntwo\n")
        mark_done(path)
    assert list(blocks) == [[b"two\n"]]
    assert not following.died


def test_blocks_end_when_the_writer_is_gone(tmp_path):
    path = tmp_path / "rows"
    path.write_bytes(b"one\nto")
    following = Following(path)
    assert list(following.blocks()) == [[b"one\n"]]
    assert following.died


class Box:
    """A sandbox that draws jobs in a thread, as the real one does, and answers by the code.

    ``loop`` is put off to the end, ``flaky`` is our own fault once.
    """

    tier, not_covered, passed_over, unsafe = "fake", (), (), False

    def __init__(self):
        self.seen, self.closed = [], False

    def run(self, jobs, put_off=None):
        box, failed, later = [], [], []
        ready = threading.Semaphore(0)

        def draw():
            try:
                for job in jobs:
                    box.append(job)
                    ready.release()
            except BaseException as error:
                failed.append(error)
            box.append(None)
            ready.release()

        thread = threading.Thread(target=draw)
        thread.start()
        try:
            while True:
                ready.acquire()
                job = box.pop(0)
                if job is None:
                    break
                self.seen.append(job.key)
                if job.code.strip() == "loop" and put_off is not None:
                    put_off(job)
                    later.append(job)
                else:
                    yield self.verdict(job)
            if failed:
                raise failed[0]
            for job in later:
                yield self.verdict(job)
        finally:
            thread.join()

    def verdict(self, job):
        word = job.code.strip()
        if word == "flaky" and self.seen.count(job.key) == 1:
            word = "infra_error"
        status = {"pass": "passed", "flaky": "passed", "loop": "timeout"}.get(word, word)
        return Verdict(problem_id=job.key[0], sample=job.key[1], status=status)

    def close(self):
        self.closed = True


def completion(key, text):
    return Completion(
        problem_id=key[0],
        sample=key[1],
        text=text,
        finish_reason="stop",
        token_count=1,
        mean_logprob=None,
        seed=0,
    )


class Round:
    """A verify at work in a thread, and a hand that writes the completions it follows."""

    def __init__(self, folder, problems=None):
        self.completions = folder / "completions.jsonl"
        self.out = folder / "verdicts.jsonl"
        self.problems = folder / "problems.jsonl"
        rows = problems or [
            Problem(id=name, prompt="Write f.", entry_point="f", tests=ASSERTS) for name in "ab"
        ]
        self.problems.write_text("".join(row.model_dump_json() + "\n" for row in rows))
        self.lock = WriterLock(self.completions)
        self.events = []

    def __enter__(self):
        self.lock.__enter__()
        return self

    def __exit__(self, *error):
        self.lock.__exit__(None, None, None)

    def append(self, key, text):
        with self.completions.open("a") as file:
            file.write(completion(key, text).model_dump_json() + "\n")

    def start(self, expected=None, box=None):
        self.box, self.error, self.summary = box or Box(), None, None
        request = VerifyRequest(
            problems=str(self.problems),
            completions=self.completions,
            out=self.out,
            follow=True,
            expected=expected,
        )

        def work():
            try:
                self.summary = run(
                    request, self.events.append, open_sandbox=lambda kind, workers: self.box
                )
            except Exception as error:
                self.error = error

        self.thread = threading.Thread(target=work)
        self.thread.start()

    def until(self, condition):
        """Wait for what another thread does; the test fails by its time limit of a minute."""
        for _ in range(1200):
            if condition() or not self.thread.is_alive():
                break
            self.thread.join(0.05)
        assert condition()

    def end(self):
        self.thread.join(60)
        assert not self.thread.is_alive()

    def statuses(self):
        rows = read_rows(self.out, Verdict) if self.out.exists() else []
        found = {row.key: row.status for row in rows}
        assert len(found) == len(rows), "a key twice"
        return found


def test_a_verdict_comes_while_the_writer_is_at_work(tmp_path):
    with Round(tmp_path) as round_:
        round_.start(expected=2)
        round_.append(("a", 0), "pass")
        round_.until(lambda: round_.statuses() == {("a", 0): "passed"})
        round_.append(("b", 0), "failed")
        round_.until(lambda: len(round_.statuses()) == 2)
        assert not is_done(round_.out)
        mark_done(round_.completions)
        round_.end()
    assert round_.error is None
    assert (round_.summary.completions, round_.summary.passed) == (2, 1)
    assert is_done(round_.out) and round_.box.closed
    started = next(event for event in round_.events if isinstance(event, StageStarted))
    assert (started.total, started.done) == (2, 0)
    assert [e for e in round_.events if isinstance(e, StageProgress)][-1].total == 2


def test_what_ran_out_of_time_or_broke_is_told_at_once_and_judged_at_the_end(tmp_path):
    with Round(tmp_path) as round_:
        round_.start()
        round_.append(("a", 0), "loop")
        round_.append(("a", 1), "flaky")
        put_off = put_off_path(round_.out)
        round_.until(lambda: put_off.exists() and len(put_off.read_bytes().splitlines()) == 2)
        found = {row.key: row.status for row in read_rows(put_off, PutOff)}
        assert found == {("a", 0): "timeout", ("a", 1): "infra_error"}
        round_.append(("b", 0), "pass")
        round_.until(lambda: round_.statuses() == {("b", 0): "passed"})
        mark_done(round_.completions)
        round_.end()
    assert round_.statuses() == {("a", 0): "timeout", ("a", 1): "passed", ("b", 0): "passed"}
    assert not put_off.exists()


def test_problems_without_tests_are_settled_without_a_sandbox(tmp_path):
    problems = [Problem(id="a", prompt="Write f.", entry_point="f")]
    with Round(tmp_path, problems) as round_:
        round_.start()
        round_.append(("a", 0), "pass")
        round_.until(lambda: round_.statuses() == {("a", 0): "failed"})
        mark_done(round_.completions)
        round_.end()
    assert round_.error is None and round_.box.seen == []


def test_a_writer_that_is_gone_is_not_waited_for_and_its_rows_are_tested(tmp_path):
    with Round(tmp_path) as round_:
        round_.append(("a", 0), "pass")
        round_.append(("a", 1), "flaky")
        round_.start()
        round_.until(lambda: ("a", 0) in round_.statuses())
    round_.end()
    assert isinstance(round_.error, WriterGone)
    assert "localdistill generate" in str(round_.error)
    assert round_.statuses() == {("a", 0): "passed"}  # the other one will be tried again
    assert not is_done(round_.out) and round_.box.closed


def test_without_a_file_and_a_writer_there_is_nothing_to_follow(tmp_path):
    round_ = Round(tmp_path)
    round_.start()
    round_.end()
    assert isinstance(round_.error, ConfigError)
    assert "`localdistill generate` makes it" in str(round_.error)
    assert {path.name for path in tmp_path.iterdir()} == {"problems.jsonl"}


def test_an_interrupted_following_goes_on_where_it_was(tmp_path):
    with Round(tmp_path) as round_:
        round_.append(("a", 0), "pass")
        round_.start()
        round_.until(round_.statuses)
    round_.end()
    with Round(tmp_path) as again:
        again.start()
        again.append(("b", 0), "failed")
        again.until(lambda: len(again.statuses()) == 2)
        mark_done(again.completions)
        again.end()
    assert again.box.seen == [("b", 0)]
    assert again.summary.completions == 2


def test_rows_that_a_chunk_lost_may_come_again_but_no_others(tmp_path):
    with Round(tmp_path) as round_:
        round_.append(("a", 0), "pass")
        round_.append(("a", 1), "failed")
        round_.start()
        round_.until(lambda: len(round_.statuses()) == 2)
    round_.end()
    whole = round_.completions.read_bytes()
    first, second = whole.splitlines(keepends=True)
    for texts, refused in ((second, False), (second.replace(b"failed", b"passed"), True)):
        round_.completions.write_bytes(first)  # as generate cuts off a torn chunk
        with Round(tmp_path) as again:
            again.start()
            with again.completions.open("ab") as file:
                file.write(texts)
            mark_done(again.completions)
            again.end()
        assert isinstance(again.error, ConfigError) == refused
        again.completions.with_name("completions.jsonl.done").unlink()
        if refused:
            assert "was begun with other completions" in str(again.error)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"{}\n", "line 2"),
        (completion(("z", 0), "pass").model_dump_json().encode() + b"\n", "not in"),
        (completion(("a", 0), "pass").model_dump_json().encode() + b"\n", "twice"),
    ],
)
def test_a_row_that_does_not_belong_there_ends_it_with_one_line(tmp_path, line, said):
    with Round(tmp_path) as round_:
        round_.start()
        round_.append(("a", 0), "pass")
        round_.until(round_.statuses)
        with round_.completions.open("ab") as file:
            file.write(line)
        round_.end()
    assert isinstance(round_.error, UserError)
    assert said in str(round_.error) and round_.box.closed


@pytest.mark.real
def test_the_real_sandbox_gives_verdicts_while_the_next_job_is_awaited(tmp_path):
    from localdistill.sandbox import open_sandbox

    slow = Problem(id="a", prompt="Write f.", entry_point="f", tests=ASSERTS, time_limit_s=3)
    right, loop = "def f(x):\n    return 1", "def f(x):\n    while True:\n        pass"
    with Round(tmp_path, [slow]) as round_:
        round_.start(box=open_sandbox("local", 2))
        round_.append(("a", 0), right)
        round_.append(("a", 1), loop)
        round_.until(lambda: round_.statuses() == {("a", 0): "passed"})
        round_.until(lambda: put_off_path(round_.out).exists())
        round_.append(("a", 2), right)
        round_.until(lambda: len(round_.statuses()) == 2)
        mark_done(round_.completions)
        round_.end()
    assert round_.error is None
    assert round_.statuses() == {
        ("a", 0): "passed", ("a", 1): "timeout", ("a", 2): "passed",
    }  # fmt: skip
