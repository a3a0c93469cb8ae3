"""What a run says before it begins."""

import pytest

from localdistill import config as configuration
from localdistill import pipeline


def test_a_run_says_beforehand_what_it_can_show(requests, config, tmp_path):
    said = []
    built = configuration.build(config)
    pipeline.run(built, tmp_path / "run", said.append)
    (notice,) = [event for event in said if "comparison on" in getattr(event, "message", "")]
    assert (notice.level, "1 problems with 4 samples" in notice.message) == ("warning", True)
    pipeline.run(built, tmp_path / "run", said.append)  # a continued one has said so
    assert len([event for event in said if "comparison on" in getattr(event, "message", "")]) == 1


@pytest.mark.parametrize(
    ("settings", "warned"),
    [
        ({"select": {"strategy": "none"}}, True),
        ({"select": {"strategy": "none"}, "generate": {"temperature": 0.95}}, True),
        ({"select": {"strategy": "none"}, "generate": {"temperature": 1.6}}, False),
        ({"select": {"strategy": "none"}, "generate": {"top_k": 20}}, False),
        ({"select": {"strategy": "tests"}}, False),
    ],
)
def test_training_on_samples_of_the_model_as_it_is_is_warned_of(
    requests, config, tmp_path, settings, warned
):
    said = []
    pipeline.run(configuration.build({**config, **settings}), tmp_path / "run", said.append)
    found = [event for event in said if "nothing but noise" in getattr(event, "message", "")]
    assert len(found) == warned
