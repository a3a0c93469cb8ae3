"""What tests of the loop over rounds share."""

from localdistill import config as configuration
from localdistill import pipeline
from localdistill.types import (
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
