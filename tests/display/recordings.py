"""Event sequences of runs at a moment of each kind, with times: what the snapshots are drawn of."""

import math

from localdistill.events import (
    GpuUsage,
    Notice,
    Planned,
    RoundStarted,
    RunFinished,
    RunStarted,
    Scored,
    StageFinished,
    StageProgress,
    StageStarted,
    Steered,
    Usage,
)

GB = 10**9


class Recording:
    """Events with the second of each; ``now`` is the moment that is looked at."""

    def __init__(self, rounds=2):
        self.now = 1000.0
        self.events = []
        self.add(
            RunStarted(
                model="/models/qwen2.5-coder-7b-instruct-q4_k_m.gguf",
                directory="runs/my-model",
                log="runs/my-model/log.txt",
                rounds=rounds,
            )
        )

    def add(self, *events, after=0.0):
        self.now += after
        self.events += [(self.now, event) for event in events]
        return self

    def stage(self, name, total, unit, seconds, title=None, **summary):
        """A stage from its beginning to its end."""
        title = title or name
        self.add(StageStarted(stage=name, title=title, total=total, unit=unit))
        self.add(StageProgress(stage=name, done=total), after=seconds)
        return self.add(StageFinished(stage=name, summary=summary))


def usage(gpu=False):
    gpus = (GpuUsage(memory_used=9_800_000_000, memory_total=12 * GB, busy=0.97),) if gpu else ()
    return Usage(memory_used=6_100_000_000, memory_total=25_200_000_000, gpus=gpus)


def sandbox():
    text = "Sandbox tier local. Candidates share the kernel with this machine."
    return Notice(message=text)


def begun(rounds=2):
    found = Recording(rounds)
    can = "The comparison on 164 problems with 4 samples each finds a gain of 5.1 points in 4 of 5"
    found.add(Notice(message=f"{can} cases."), after=2)
    found.add(usage())
    return found


def prepared(rounds=2):
    found = begun(rounds).stage("prepare", 339, "tensors", 95, size="15.2 GB")
    return found.add(Planned(final_completions=1312), RoundStarted(round=1, rounds=rounds))


def prepare():
    found = begun().add(StageStarted(stage="prepare", title="prepare", total=339, unit="tensors"))
    return found.add(StageProgress(stage="prepare", done=120), after=33)


GENERATING = {"tokens/s": 412.5, "in flight": 16, "prefill share": 0.041}


def generate():
    found = prepared().add(
        StageStarted(stage="generate", title="generate", total=2992, unit="completions")
    )
    progress = StageProgress(
        stage="generate", done=801, total=2992, seconds_left=935.0, info=GENERATING
    )
    return found.add(progress, after=342)


def drawn(rounds=2):
    return prepared(rounds).stage(
        "generate", 2992, "completions", 1280, completions=2992, **{"tokens/s": 409.8}
    )


def verify():
    found = drawn().add(sandbox())
    found.add(StageStarted(stage="verify", title="verify", total=2992, unit="completions"))
    info = {"passed": 812, "failed": 701, "timeouts": 38, "programs/s": 64.2}
    return found.add(StageProgress(stage="verify", done=1551, total=2992, info=info), after=24)


def side_by_side():
    found = prepared().add(
        StageStarted(stage="generate", title="generate", total=2992, unit="completions"),
        sandbox(),
        StageStarted(stage="verify", title="verify", total=2992, unit="completions"),
    )
    progress = StageProgress(
        stage="generate", done=801, total=2992, seconds_left=935.0, info=GENERATING
    )
    found.add(progress, after=342)
    info = {"passed": 402, "failed": 370, "timeouts": 11, "programs/s": 2.3}
    return found.add(StageProgress(stage="verify", done=783, total=2992, info=info))


def tested(rounds=2):
    found = drawn(rounds).add(sandbox())
    text = "14 programs failed because candidates cannot import pandas (9), torch (5)"
    found.add(Notice(message=text))
    counts = {"passed": 1496, "failed": 1101, "runtime_error": 330, "timeout": 65}
    return found.stage("verify", 2992, "completions", 47, completions=2992, **counts)


def select():
    found = tested()
    event = StageStarted(stage="select", title="select (tests)", total=2992, unit="completions")
    return found.add(event)


def selected(rounds=2):
    dropped = {"failed its tests": 1496, "over the 4 that are kept of a problem": 311}
    return tested(rounds).stage(
        "select",
        2992,
        "completions",
        1,
        title="select (tests)",
        kept=1185,
        problems="318 of 374",
        **dropped,
    )


def trained(found, steps):
    """``steps`` of 148 optimiser steps of eight examples each."""
    found.add(StageStarted(stage="train", title="train", total=1184, unit="examples"))
    for step in range(1, steps + 1):
        loss = 0.22 + 0.5 * math.exp(-step / 30) + 0.03 * math.sin(1.7 * step)
        held_out = 0.3 + 0.25 * math.exp(-(step - step % 18) / 40)
        info = {
            "loss": round(loss, 4),
            "held-out loss": round(held_out, 4),
            "learning rate": 0.0001,
            "tokens/s": 58,
            "memory GB": 9.71,
        }
        left = 21.0 * (148 - step)
        progress = StageProgress(stage="train", done=8 * step, seconds_left=left, info=info)
        found.add(progress, after=21)
    return found


def train():
    text = "Memory ran out: training goes on with at most 640 tokens at once"
    text += " (train.micro_batch_tokens), which changes no more than rounding."
    found = trained(selected(), 90)
    return found.add(Notice(level="warning", message=text), usage(gpu=True))


def fitted(rounds=2):
    found = trained(selected(rounds), 148)
    return found.add(StageFinished(stage="train", summary={"examples": 1184, "last loss": 0.2314}))


def export():
    found = fitted().add(StageStarted(stage="export", title="export", total=1695, unit="tensors"))
    return found.add(StageProgress(stage="export", done=690, info={"changed": 196}), after=44)


def scored(found, number, value):
    event = Scored(
        problem_set="dev",
        model=f"round-{number:02d}" if number else "base",
        round=number,
        value=value,
        low=value - 0.043,
        high=value + 0.041,
    )
    return found.add(event)


def exported(rounds=2):
    found = fitted(rounds).stage("export", 1695, "tensors", 101, size="4,683 MB")
    return scored(scored(found, 0, 0.446), 1, 0.521)


def second_round():
    found = exported().add(RoundStarted(round=2, rounds=2))
    found.add(StageStarted(stage="generate", title="generate", total=2992, unit="completions"))
    progress = StageProgress(
        stage="generate", done=1402, total=2992, seconds_left=677.0, info=GENERATING
    )
    return found.add(progress, after=598)


def evaluate():
    found = exported(1)
    title = "evaluate (eval): generate, round-01"
    found.add(StageStarted(stage="evaluate", title=title, total=656, unit="completions"))
    info = {**GENERATING, "tokens/s": 398.1}
    progress = StageProgress(stage="evaluate", done=212, total=656, seconds_left=181.0, info=info)
    return found.add(progress, after=92)


def evaluate_verify():
    found = exported(1)
    title = "evaluate (dev): verify, round-01, greedy"
    found.add(StageStarted(stage="evaluate", title=title, total=374, unit="completions"))
    info = {"passed": 81, "failed": 60, "timeouts": 2, "programs/s": 59.0}
    return found.add(StageProgress(stage="evaluate", done=143, total=374, info=info), after=3)


def plain_questions():
    found = exported(1).stage("evaluate", 374, "problems", 61, title="evaluate (dev)")
    title = "plain questions"
    found.add(StageStarted(stage="regression", title=title, total=160, unit="answers"))
    return found.add(StageProgress(stage="regression", done=57), after=21)


def paused():
    return train().add(Steered(wish="pause")).add(usage(), after=600)


def stopping():
    return train().add(Steered(wish="stop"), after=3)


def end():
    found = exported(1).stage(
        "evaluate", 164, "problems", 640, title="evaluate (eval)", base="pass@1 44.6%"
    )
    return found.add(
        RunFinished(
            outcome="finished",
            exit_code=0,
            verdict="better",
            gain=0.0754,
            gain_low=0.0312,
            gain_high=0.1197,
            level=0.95,
            model="runs/my-model/rounds/01/model.gguf",
            run_dir="runs/my-model",
        )
    )


def error():
    message = "train: its process was killed, most likely for lack of memory. The same command "
    message += "goes on from there; see `dmesg` and the log in runs/my-model/log.txt"
    return trained(selected(), 40).add(
        RunFinished(outcome="failed", exit_code=1, run_dir="runs/my-model", reason=message),
        after=4,
    )


MOMENTS = {
    "prepare": prepare,
    "generate": generate,
    "verify": verify,
    "generate_and_verify": side_by_side,
    "select": select,
    "train": train,
    "export": export,
    "second_round": second_round,
    "evaluate": evaluate,
    "evaluate_verify": evaluate_verify,
    "plain_questions": plain_questions,
    "paused": paused,
    "stopping": stopping,
    "end": end,
    "error": error,
}
SIZES = ((80, 24), (120, 40), (200, 60))
