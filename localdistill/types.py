"""What stages hand to each other: the rows of the JSONL files in a run directory.

Frozen pydantic models, so that a file made by anybody is validated where it is read. Unknown fields
are ignored: a file of a later version, or with notes of its maker, can still be read.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Row(BaseModel):
    """Base of everything that is one line in a file."""

    # An expected value may be NaN or infinite; as JSON's null it would silently become None.
    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_inf_nan="constants")


class AssertTests(Row):
    """MBPP: ``setup`` runs first, then each statement of ``asserts`` by itself."""

    kind: Literal["asserts"] = "asserts"
    setup: str = ""
    asserts: list[str]


class CheckTests(Row):
    """HumanEval: ``code`` defines ``check(candidate)``; ``setup`` has the prompt's helpers."""

    kind: Literal["check"] = "check"
    code: str
    setup: str = ""


class StdinCase(Row):
    """One run of a program: what it reads and what it must print."""

    input: str
    output: str


class StdinTests(Row):
    """Competitive programming: a whole program, run once for each case."""

    kind: Literal["stdin"] = "stdin"
    cases: list[StdinCase]


class CallCase(Row):
    """One call of the entry point: JSON values for its arguments and its result."""

    args: list[Any]
    expected: Any


class CallTests(Row):
    """Calls of the entry point, which may be ``Solution.method``."""

    kind: Literal["call"] = "call"
    cases: list[CallCase]


Tests = Annotated[AssertTests | CheckTests | StdinTests | CallTests, Field(discriminator="kind")]


class Problem(Row):
    """One programming problem (the *native* format of problem files)."""

    id: str
    prompt: str
    tests: Tests | None = None
    entry_point: str | None = None
    starter_code: str | None = None
    reference: str | None = None
    context_files: dict[str, str] = Field(default_factory=dict)
    time_limit_s: float = Field(default=5.0, gt=0)  # for each call or stdin case
    memory_limit_mb: int = Field(default=1024, gt=0)
    meta: dict[str, Any] = Field(default_factory=dict)


class Message(Row):
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


# The model's own end token; the end of its first complete code block; its length, or the context's;
# a loop in which it said the same again and again. The last two are finish_reason "length".
EndedBy = Literal["end_token", "code_block", "length", "repetition"]


class Completion(Row):
    """One sample drawn from a model."""

    problem_id: str
    sample: int = Field(ge=0)  # 0..n-1 within its problem
    text: str
    # "stop": it came to its end; "length": it was cut, and is never trained on with an end token.
    finish_reason: Literal["stop", "length"]
    token_count: int = Field(ge=0)  # tokens sampled, the end token and thinking included
    # Nats a token under the model's own distribution at temperature 1 without truncation;
    # None where the generator cannot tell.
    mean_logprob: float | None
    seed: int
    # The least of its tokens' log-probabilities, of the same kind.
    min_logprob: float | None = None
    # What ended it. None: made by another tool, or a server that does not tell.
    ended_by: EndedBy | None = None
    # A thinking model's `<think>` part, without the tags; ``text`` is what followed it.
    thinking: str | None = None
    # Tags and blanks as the model said them: before + thinking + after + text is all that it said.
    # None: not known, as with most servers, or there is no thinking; then not in the file.
    # ``thinking_before`` is empty where the prompt had opened the thinking.
    thinking_before: str | None = Field(default=None, exclude_if=lambda value: value is None)
    thinking_after: str | None = Field(default=None, exclude_if=lambda value: value is None)

    @property
    def key(self) -> tuple[str, int]:
        """What makes it unique in its file."""
        return self.problem_id, self.sample

    @property
    def looped(self) -> bool:
        """Whether it was cut as it said the same again and again, as far as is known."""
        return self.ended_by == "repetition"


Status = Literal[
    "passed",
    "failed",
    "runtime_error",
    "syntax_error",
    "no_code",
    "timeout",
    "memory_exceeded",
    "output_exceeded",
    "nondeterministic",
    "infra_error",
]


class Verdict(Row):
    """What became of one completion. Only ``passed`` passes; ``infra_error`` is our own fault."""

    problem_id: str
    sample: int = Field(ge=0)
    status: Status
    detail: str = ""
    duration_s: float = 0.0

    @property
    def key(self) -> tuple[str, int]:
        """What makes it unique in its file."""
        return self.problem_id, self.sample

    @property
    def passed(self) -> bool:
        """Whether the completion solves its problem."""
        return self.status == "passed"


class SandboxUse(Row):
    """Under which sandbox tier candidates ran; sentences for a person."""

    tier: str
    not_covered: list[str] = []  # what it does not protect from
    passed_over: list[str] = []  # better tiers, or ways of this one, that were not there, and why
    unsafe: bool = False  # the user went on without a sandbox


class TrainingExample(Row):
    """One conversation to train on (``messages``, as TRL reads it), and where it came from.

    The last message is all that the model said, its thinking in tags included.
    """

    messages: list[Message]
    problem_id: str
    sample: int
    strategy: str
    # False for a completion that was cut by its length: it is trained on without an end token.
    complete: bool = True
    mean_logprob: float | None = None
    # The tags are as they were drawn, so that the text follows the prompt as it is. If not, an
    # opening tag that the prompt has as well is left out; see ``thinking.after_prompt``.
    thinking_as_drawn: bool = Field(default=False, exclude_if=lambda value: not value)


class PassAtK(Row):
    """pass@k of one model over a problem set, as a share of 1, with its interval."""

    k: int
    value: float
    low: float
    high: float


class ModelScore(Row):
    """How one model did on one problem set."""

    model: str
    problems: int  # with at least one sample that counts
    samples: int  # that count, over all problems
    pass_at: list[PassAtK]
    # problem id -> (samples that passed, samples that count)
    counts: dict[str, tuple[int, int]]


class Rejection(Row):
    """Why a round gave no new model (``rejected.json``)."""

    round: int
    stage: str  # "select", "train" or "export"
    reason: str
    kept: str  # label of the model that the run goes on with
    check: dict[str, Any] | None = None  # of the parity gate: the one that failed, with figures


class DecodingScore(Row):
    """How one model did on dev with one way of decoding: what the choice of it was made by."""

    model: str
    decoding: dict[str, Any]  # the fields of ``Sampling``
    score: ModelScore
    chosen: bool = False


class DecodingChoice(Row):
    """Which way of decoding a model does best with on dev, of all that were tried."""

    name: str  # of the chosen one: its folder below the model's scores on dev
    scores: list[DecodingScore]


class Diversity(Row):
    """How different the right programs among a round's samples are (``diversity.json``)."""

    problems: int  # with at least one sample that counts
    distinct: float  # mean over them: different passing programs, by their syntax trees
    pass_at_1: float
    pass_at_k: float
    k: int  # the most samples that a problem has


class Stopped(Row):
    """Why a run made fewer rounds than it might have (``stopped.json``)."""

    after_round: int  # the last one that was gone through
    reason: str


class Opening(Row):
    """One time that the eval set of a run was looked at."""

    at: float  # Unix time in seconds
    candidate: str  # label of the model
    candidate_hash: str  # SHA-256 of its file
    problems: int
    samples: int  # for each problem


class ControlScore(Row):
    """What another kind of training than the one in question comes to, on the same problems."""

    name: str  # "references", "shuffled"
    score: ModelScore
    # Paired difference to the baseline in pass@1, as a share of 1, with its interval.
    gain: float
    gain_low: float
    gain_high: float
    decoding: dict[str, Any] | None = None  # its best on dev, or the new model's; as in EvalResult


class EvalResult(Row):
    """A candidate model against a baseline on the same problems (``evaluation.json``)."""

    problem_set: str
    candidate: ModelScore
    baseline: ModelScore | None = None
    # Paired difference candidate - baseline in pass@1, as a share of 1, with its interval.
    gain: float | None = None
    gain_low: float | None = None
    gain_high: float | None = None
    p_value: float | None = None  # of "they are alike", by flipping the signs of the differences
    verdict: Literal["better", "no evidence", "worse"] | None = None
    level: float = 0.95  # of the intervals, and so of the verdict
    interval_method: str = "percentile"
    detectable: float | None = None  # smallest gain that is found in 4 of 5 cases, before the run
    # How each model was decoded (fields of ``Sampling``): its best on dev, or as configured.
    candidate_decoding: dict[str, Any] | None = None
    baseline_decoding: dict[str, Any] | None = None
    # Of each model's file, as in Q4_K_M; None: not known.
    candidate_type: str | None = None
    baseline_type: str | None = None
    choices: list[DecodingScore] = Field(default_factory=list)
    openings: list[Opening] = Field(default_factory=list)  # of this set by this run, this one last
    controls: list[ControlScore] = Field(default_factory=list)

    @property
    def decoding_chosen(self) -> bool:
        """Whether the baseline was compared as it does best, of several ways that dev tried.

        Also where there is no baseline, and so nothing to be misled about. Not where eval was
        opened in another way, before the choice was made.
        """
        if self.baseline is None:
            return True
        tried = [each for each in self.choices if each.model == self.baseline.model]
        best = [each.decoding for each in tried if each.chosen]
        used = self.baseline_decoding
        return len(tried) > 1 and (used is None or used in best)

    @property
    def types_differ(self) -> bool:
        """Whether the two files are known to be of different types.

        The gain is then what training and quantisation do together.
        """
        both = self.candidate_type, self.baseline_type
        return None not in both and both[0] != both[1]
