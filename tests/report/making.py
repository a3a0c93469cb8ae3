"""A small run directory as a finished run leaves it, made without a model."""

import json
import random
from pathlib import Path

from localdistill import config as configuration
from localdistill import metrics
from localdistill.events import Notice, Recorded, RoundStarted, StageFinished, StageStarted
from localdistill.stages.parity.checks import Check, Parity
from localdistill.stages.split import LeftOut
from localdistill.types import (
    CallCase,
    CallTests,
    Completion,
    ControlScore,
    DecodingScore,
    EvalResult,
    PassAtK,
    Problem,
    Rejection,
    SandboxUse,
    Verdict,
)

BEGAN = 1_780_000_000.0
SAMPLES = 4
# How often of four samples each problem passes before and after; the rest fail by turns.
PASSES = [
    (0, 4), (0, 3), (0, 0), (1, 3), (2, 4), (4, 4), (4, 3), (3, 0), (1, 4), (2, 4), (0, 2), (2, 4),
]  # fmt: skip
# What is told of them is pinned: how intervals are made is another matter.
BETTER = {"gain": 0.268, "gain_low": 0.225, "gain_high": 0.311, "verdict": "better"}
WORSE = {"gain": -0.031, "gain_low": -0.052, "gain_high": -0.01, "verdict": "worse"}
FAILURES = ("failed", "runtime_error", "syntax_error", "timeout")
RIGHT = "Here it is:\n```python\ndef f(x):\n    # twice\n    return 2 * x\n```\n"
WRONG = "Here it is:\n```python\ndef f(x):\n    # twice\n    return x + 3\n```\n"


class Making:
    """Writes the parts of a run directory; each method adds one, and most tests want them all."""

    def __init__(self, path: Path, **settings) -> None:
        self.path = path
        self.round = path / "rounds" / "01"
        self.round.mkdir(parents=True)
        values = {"model": "/models/tiny-coder.gguf", "problems": "mine.jsonl", **settings}
        (path / "config.toml").write_text(configuration.build(values).to_toml())
        self.problems = [problem(number) for number in range(len(PASSES))]

    def everything(self) -> "Making":
        """A finished run of one round that became better."""
        self.sets()
        self.manifest()
        self.selected()
        self.trained()
        self.gate()
        self.events()
        self.evaluated()
        return self

    def sets(self) -> None:
        rows(self.path / "problems" / "eval.jsonl", self.problems)
        rows(self.path / "problems" / "train.jsonl", [problem(n, "train") for n in range(5)])
        left = LeftOut(
            problem="train/9", split="train", like="p3", kept_in="eval", sign="prompt", likeness=1.0
        )
        rows(self.path / "problems" / "left_out.jsonl", [left])

    def manifest(self, **use) -> None:
        sandbox = SandboxUse(
            **{"tier": "3 (namespaces)", "not_covered": ["A hole in the kernel."], **use}
        )
        facts = {"seed": 0, "hashes": {"starting model": "ab" * 32}, "versions": {"python": "3.11"}}
        write(self.path / "manifest.json", {**facts, "sandboxes": [sandbox.model_dump()]})

    def selected(self) -> None:
        (self.round / "selected.jsonl").write_text("")
        facts = {
            "strategy": "tests", "completions": 40, "kept": 12,
            "problems": 5, "problems_covered": 4,
            "dropped": {"failed tests": 25, "duplicate": 3},
        }  # fmt: skip
        write(self.round / "selected.jsonl.done", facts)

    def trained(self) -> None:
        curve = [{"step": n, "loss": 0.5 / n, "learning_rate": 1e-3} for n in range(1, 31)]
        for point in curve[9::10]:
            point["held_out_loss"] = 0.2 + 0.5 / point["step"]
        held_out = {"examples": 3, "problems": 1, "positions": 90, "before": 0.6, "after": 0.217}
        record = {"held_out": held_out, "curve": curve, "steps": 30, "kept_step": 30}
        write(self.round / "adapter" / "training.json", record)
        summary = {"examples": 12, "trained_tokens": 3456, "steps": 30, "peak_memory_mb": 900.5}
        write(self.round / "adapter.done", {"summary": summary})

    def gate(self) -> None:
        checks = [
            Check(name="merge", passed=True, bound="all values are finite numbers"),
            Check(name="quantisation", passed=True, figures={"KL to F16": 3.2e-6, "type": "Q8_0"}),
            Check(name="answers", passed=None, reason="There were no rows to compare on."),
        ]
        found = Parity(file="model.gguf", passed=True, checks=checks)
        (self.round / "parity.json").write_text(found.model_dump_json())

    def events(self) -> None:
        scored = "evaluate (eval): generate"
        parts = [
            (0, Notice(level="warning", message="The comparison finds a gain of 11.2 points.")),
            (1, StageStarted(stage="prepare", title="prepare", total=4)),
            (3, StageFinished(stage="prepare")),
            (3, RoundStarted(round=1, rounds=1)),
            (4, StageStarted(stage="generate", title="generate", total=40)),
            (64, StageFinished(stage="generate", summary={"completions": 40, "tokens": 1234})),
            (64, StageStarted(stage="verify", title="verify", total=40)),
            (70, StageFinished(stage="verify")),
            (70, StageStarted(stage="train", title="train", total=12)),
            (130, StageFinished(stage="train", summary={"trained tokens": 3456})),
            (131, StageStarted(stage="evaluate", title=f"{scored}, base", total=8)),
            (141, StageFinished(stage="evaluate", summary={"tokens": 100})),
            (141, StageStarted(stage="evaluate", title=f"{scored}, round-01", total=8)),
            (161, StageFinished(stage="evaluate", summary={"tokens": 110})),
        ]  # fmt: skip
        lines = [Recorded(at=BEGAN + at, event=event) for at, event in parts]
        rows(self.path / "events.jsonl", lines)

    def evaluated(self, texts=(WRONG, RIGHT), passes=PASSES, **more) -> EvalResult:
        """Completions and verdicts of both models, and the comparison that they come to."""
        ids = [each.id for each in self.problems]
        scores = []
        for index, label in enumerate(("base", "round-01")):
            completions, verdicts = answers(ids, [each[index] for each in passes], texts)
            folder = self.path / "scores" / "eval" / label
            rows(folder / "completions.jsonl", completions)
            rows(folder / "verdicts.jsonl", verdicts)
            scores.append(metrics.score(verdicts, label, ids, [1, 2]))
        compared = metrics.compare("eval", scores[1], scores[0])
        result = compared.model_copy(update={**BETTER, **more})
        (self.path / "evaluation.json").write_text(result.model_dump_json())
        return result

    def extras(self) -> None:
        """What only some runs have: choices of decoding, controls, rounds on dev, a lab ..."""
        better, plain = {"temperature": 0.2, "top_p": 0.95}, {"temperature": 1.0}
        tried = [("base", plain, 0.4), ("base", better, 0.55), ("round-01", plain, 0.7)]
        self.evaluated(
            baseline_decoding=better,
            candidate_decoding=plain,
            detectable=0.112,
            controls=[
                ControlScore(
                    name="references", score=score("r", 0.5), gain=0.1, gain_low=0, gain_high=0.2
                )
            ],
            choices=[
                DecodingScore(model=model, decoding=how, score=score(model, value), chosen=at > 0)
                for at, (model, how, value) in enumerate(tried)
            ],
        )
        gain = {"gain": 0.3, "gain_low": 0.2, "gain_high": 0.4}
        both = {"candidate": score("round-01", 0.7), "baseline": score("base", 0.4)}
        write(self.round / "evaluation.json", {"problem_set": "dev", **both, **gain})
        diversity = {"problems": 9, "distinct": 1.75, "pass_at_1": 0.4, "pass_at_k": 0.8, "k": 4}
        write(self.round / "diversity.json", diversity)
        arms = [
            {"name": "none", "score": score("n", 0.35), "gain": -0.05, "gain_low": -0.1}
            | {"gain_high": 0.0, "verdict": "no evidence", "examples": 9, "tokens": 5000},
            {"name": "tests", "score": score("t", 0.7), "chosen": True, **gain}
            | {"verdict": "better", "examples": 7, "tokens": 5000},
        ]
        lab = {
            "arms": arms,
            "problem_set": "dev",
            "tokens_each": 5000,
            "left_out": [{"name": "hybrid", "reason": "It selects nothing."}],
        }
        write(self.path / "comparison.json", lab)
        write(self.path / "stopped.json", {"after_round": 1, "reason": "Nothing was gained."})
        left = {"hours": 0.05, "items": [{"what": "The last round.", "stage": "train"}]}
        write(self.path / "omitted.json", left)
        guard = {"name": "surprise", "before": 1.0, "after": 1.1, "bound": 1.2, "passed": True}
        worse = [{"question": "capital", "answer": "def f(): ...", "flaws": ["code"]}]
        found = {"questions": 60, "checks": [guard], "worse": worse, "passed": True}
        write(self.path / "regression.json", found)

    def rejected(self) -> None:
        """The only round gave no model."""
        note = Rejection(
            round=1, stage="export", reason="The check 'quantisation' failed.", kept="base",
            check={"name": "quantisation", "bound": "mean KL at most 0.5", "figures": {"KL": 2.5}},
        )  # fmt: skip
        (self.round / "rejected.json").write_text(note.model_dump_json())


def problem(number: int, split: str = "eval") -> Problem:
    tests = CallTests(cases=[CallCase(args=[number], expected=2 * number)])
    meta = {"difficulty": ("easy", "hard")[number % 2]}
    name = f"p{number}" if split == "eval" else f"{split}/{number}"
    return Problem(
        id=name, prompt=f"Write f(x) for {name}.", entry_point="f", tests=tests, meta=meta
    )


def answers(ids, passes, texts):
    """Four completions and verdicts of each problem: first those that fail."""
    wrong, right = texts
    completions, verdicts = [], []
    for number, (name, passed) in enumerate(zip(ids, passes, strict=True)):
        for sample in range(SAMPLES):
            ok = sample >= SAMPLES - passed
            status = "passed" if ok else FAILURES[(number + sample) % len(FAILURES)]
            completions.append(
                Completion(
                    problem_id=name,
                    sample=sample,
                    text=right if ok else wrong,
                    finish_reason="stop",
                    token_count=20,
                    mean_logprob=-0.5,
                    seed=sample,
                )
            )  # fmt: skip
            detail = "" if ok else f"case 1: expected {2 * number}, got 3"
            verdicts.append(Verdict(problem_id=name, sample=sample, status=status, detail=detail))
    random.Random(7).shuffle(verdicts)
    return completions, verdicts


def score(label, value, spread=0.05):
    """A model's score on dev."""
    at = PassAtK(k=1, value=value, low=value - spread, high=value + spread)
    size = {"problems": 9, "samples": 36, "counts": {}}
    return {"model": label, "pass_at": [at.model_dump()], **size}


def rows(path: Path, content) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(row.model_dump_json() + "\n" for row in content))


def write(path: Path, content) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
