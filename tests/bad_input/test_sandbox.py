"""Where no sandbox holds, nothing is sampled that could not be judged."""

from __future__ import annotations

import ctypes

import pytest

from localdistill.sandbox.tiers import what_to_do

# A container engine that this machine may have would hold all the same.
LOCAL = ("--sandbox", "local")
LOCAL_IN_RUN = ("--set", "verify.sandbox=local")
_PER_LINUX32 = 0x0008  # personality(2): uname tells i686, which the sandbox is not made for


def as_another_machine():
    ctypes.CDLL(None).personality(_PER_LINUX32)


@pytest.fixture
def refused_there(refused_process):
    return lambda *arguments: refused_process(*arguments, prepare=as_another_machine)


@pytest.mark.parametrize("strategy", ["tests", "none"])  # the evaluation needs it in any case
def test_run_refuses_at_once(refused_there, tiny, problems, strategy):
    line = refused_there(
        "run", "--model", tiny.gguf, "--problems", problems, "--select", strategy, *LOCAL_IN_RUN
    )
    assert "No sandbox holds here" in line
    assert what_to_do("local") in line


def test_evaluate_refuses_before_it_samples(refused_there, tiny, problems):
    line = refused_there(
        "evaluate", "--model", tiny.gguf, "--problems", problems, "--out", "new/e.json", *LOCAL
    )
    assert "No sandbox holds here" in line
    assert what_to_do("local") in line


def test_verify_leaves_nothing(refused_there, problems, completions):
    line = refused_there(
        "verify",
        "--completions",
        completions,
        "--problems",
        problems,
        "--out",
        "new/v.jsonl",
        *LOCAL,
    )
    assert "No sandbox holds here" in line
    assert what_to_do("local") in line


def test_a_sandbox_that_is_not_there_is_named(refused, tiny, problems):
    line = refused(
        "evaluate", "--model", tiny.gguf, "--problems", problems, "--sandbox", "chroot",
        "--out", "e.json",
    )  # fmt: skip
    assert "auto" in line


def test_doctor_names_the_fix(refused_there):
    line = refused_there("doctor", *LOCAL)
    assert "No sandbox holds here" in line
    assert what_to_do("local") in line
