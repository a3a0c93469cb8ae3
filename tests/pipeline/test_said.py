"""What a run says before it begins."""

import pytest

from localdistill import config as configuration
from localdistill import pipeline, preflight
from localdistill.gpus import Gpu
from tests.quantization.tiny import Tiny, quantised


def test_a_run_says_beforehand_what_it_can_show(requests, config, tmp_path):
    said = []
    built = configuration.build(config)
    pipeline.run(built, tmp_path / "run", said.append)
    (notice,) = [event for event in said if "comparison on" in getattr(event, "message", "")]
    assert (notice.level, "1 problems with 4 samples" in notice.message) == ("warning", True)
    pipeline.run(built, tmp_path / "run", said.append)  # a continued one has said so
    assert len([event for event in said if "comparison on" in getattr(event, "message", "")]) == 1


@pytest.mark.parametrize(
    ("there", "used", "warned"),
    [([], False, False), (["RTX 2070"], True, False), (["RTX 2070"], False, True)],
)
def test_a_gpu_that_is_not_used_is_told_of(
    requests, config, tmp_path, monkeypatch, there, used, warned
):
    monkeypatch.setattr(preflight.gpus, "gpus", lambda: [Gpu(name, 8 << 30, 0) for name in there])
    monkeypatch.setattr(preflight.gpus, "are_hidden", lambda: False)
    monkeypatch.setattr(preflight, "offloads", lambda: used)
    said = []
    pipeline.run(configuration.build(config), tmp_path / "run", said.append)
    found = [event for event in said if "RTX 2070 is not used" in getattr(event, "message", "")]
    assert len(found) == warned


@pytest.mark.parametrize(
    ("settings", "warned"),
    [
        ({"select": {"strategy": "none"}}, True),
        ({"select": {"strategy": "none"}, "generate": {"temperature": 0.95}}, True),
        ({"select": {"strategy": "none"}, "generate": {"stop_at_code": True}}, True),
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
    ends_at_code = settings.get("generate", {}).get("stop_at_code", False)
    assert all(("to end with the program" in event.message) == ends_at_code for event in found)


@pytest.mark.parametrize(
    ("quant", "given", "old"),
    [
        ("same", "Q8_0", None),
        ("q8_0", "Q8_0", None),
        ("Q4_0", "Q8_0", "Q8_0"),
        ("same", None, None),
        ("Q4_0", None, None),
        ("IQ3_M", None, "Q4_K_M"),
    ],
)
def test_a_comparison_of_two_types_is_warned_of(
    requests, config, tmp_path, monkeypatch, quant, given, old
):
    if given is not None:
        model = quantised(Tiny.write(tmp_path / "tiny", "qwen3"), given)
        monkeypatch.setattr(preflight, "find_gguf", lambda path: model.gguf)
    said = []
    built = configuration.build({**config, "export": {"quant": quant}})
    preflight.say_if_types_differ(built, said.append)
    assert [notice.level for notice in said] == ["warning"] * (old is not None)
    if old is not None:
        assert f"a file of type {old}, and the new one will be {quant}" in said[0].message


@pytest.mark.parametrize(
    ("given", "folder", "warned"),
    [("IQ4_XS", False, True), ("IQ4_XS", True, False), ("Q4_K_M", False, False)],
)
def test_a_type_that_cannot_hold_a_small_training_is_warned_of(
    config, tmp_path, given, folder, warned
):
    """From the file alone; with the folder beside it the weights are not on the file's grid."""
    model = quantised(Tiny.write(tmp_path / "tiny", "qwen3"), given)
    path = model.gguf
    if folder:
        path = model.master
        model.gguf.rename(path / "model.gguf")
    said = []
    preflight.say_if_updates_get_lost(
        configuration.build({**config, "model": str(path)}), said.append
    )
    assert ["export.quant to Q8_0" in notice.message for notice in said] == [True] * warned


def test_that_warning_comes_before_anything_is_drawn(requests, config, tmp_path):
    said = []
    built = configuration.build({**config, "export": {"quant": "IQ3_M"}})
    pipeline.run(built, tmp_path / "run", said.append)
    assert len([event for event in said if "file of type" in getattr(event, "message", "")]) == 1
