"""What tests of the loop over rounds share."""

from localdistill import config as configuration
from localdistill import pipeline
from localdistill.types import (
    ModelScore,
    PassAtK,
    TrainingExample,
)


def score(label, value):
    at = PassAtK(k=1, value=value, low=0.0, high=1.0)
    return ModelScore(model=label, problems=1, samples=1, pass_at=[at], counts={"e": (0, 1)})


def run(config, tmp_path, **more):
    built = configuration.build({**config, **more})
    return pipeline.run(built, tmp_path / "run", lambda event: None)


def example(answer):
    said = [{"role": "user", "content": "q"}, {"role": "assistant", "content": answer}]
    row = TrainingExample(messages=said, problem_id="p", sample=0, strategy="none")
    return row.model_dump_json() + "\n"
