"""What tests of the loop over rounds share."""

from localdistill import config as configuration
from localdistill import pipeline
from localdistill.markers import write_whole
from localdistill.stages.general.questions import QUESTIONS
from localdistill.stages.regression import compare
from localdistill.types import (
    Completion,
    DecodingChoice,
    DecodingScore,
    EvalResult,
    ModelScore,
    PassAtK,
    TrainingExample,
)

# pass@1 on dev of the stand-ins: the second of three rounds does best.
ON_DEV = {"base": 0.2, "round-01": 0.3, "round-02": 0.6, "round-03": 0.5}


def score(label, value):
    at = PassAtK(k=1, value=value, low=0.0, high=1.0)
    passed = round(100 * value)
    return ModelScore(
        model=label, problems=1, samples=100, pass_at=[at], counts={"e": (passed, 100)}
    )


def evaluated(request, value=0.5):
    """What the stage *evaluate* answers to ``request``."""
    return EvalResult(
        problem_set=request.name,
        candidate=score(request.candidate.label, value),
        baseline=score(request.baseline.label, 0.2),
        choices=request.choices,
        openings=request.openings,
    ).model_dump()


def chosen(request, values):
    """What the stage *decoding* answers: the first way is as in ``values``, others a little less.

    A value may also be one for each way, by its name.
    """
    of_model = values[request.model.label]
    scores = {
        name: of_model[name] if isinstance(of_model, dict) else of_model - 0.01 * n
        for n, name in enumerate(request.decodings)
    }
    best = max(scores, key=scores.get)
    return DecodingChoice(
        name=best,
        scores=[
            DecodingScore(
                model=request.model.label,
                decoding=sampling.model_dump(),
                score=score(request.model.label, scores[name]),
                chosen=name == best,
            )
            for name, sampling in request.decodings.items()
        ],
    ).model_dump()


def plain_answers():
    """Good ones to all plain questions."""
    said = {"sample": 0, "finish_reason": "stop", "token_count": 1, "mean_logprob": None, "seed": 0}
    return [Completion(problem_id=each.id, text=each.answer, **said) for each in QUESTIONS]


def answer(name, request, on_dev, diversities):
    """What the stage ``name`` is taken to have done."""
    if hasattr(request, "out"):
        request.out.parent.mkdir(parents=True, exist_ok=True)
    if name == "prepare":
        gguf = request.work_dir / "start.gguf"
        gguf.parent.mkdir(parents=True, exist_ok=True)
        gguf.write_bytes(b"weights")
        master = str(request.work_dir / "master")
        return {"gguf": str(gguf), "master": master, "too_long": {}}
    if name == "select" and not request.out.exists():
        write_whole(request.out, "")
    if name == "export":  # a file of its own for each round
        request.out.write_text(str(request.out.parent))
    if name == "diversity" and (number := int(request.out.parent.name)) in diversities:
        write_whole(request.out, diversities[number].model_dump_json())
        return diversities[number].model_dump()
    if name == "regression":
        return compare([1.0] * 40, [1.0] * 40, *[plain_answers()] * 2).model_dump()
    if name == "decoding":
        return chosen(request, on_dev)
    return evaluated(request) if name == "evaluate" else {}


def run(config, tmp_path, **more):
    built = configuration.build({**config, **more})
    return pipeline.run(built, tmp_path / "run", lambda event: None)


def labels(requests, stage, split="dev"):
    """Labels of the models that ``stage`` was asked to score on ``split``, in order."""
    found = [request for name, request in requests if name == stage and request.name == split]
    return [(r.candidate if stage == "evaluate" else r.model).label for r in found]


def example(answer):
    said = [{"role": "user", "content": "q"}, {"role": "assistant", "content": answer}]
    row = TrainingExample(messages=said, problem_id="p", sample=0, strategy="none")
    return row.model_dump_json() + "\n"
