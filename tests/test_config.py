"""The configuration: overrides, unknown names, saving and comparing."""

import pytest

from localdistill import config as configuration
from localdistill.errors import ConfigError

MINIMAL = {"model": "m.gguf", "problems": "p.jsonl"}


def test_saved_configuration_reads_back_equal(tmp_path):
    config = configuration.build({**MINIMAL, "train": {"rank": 8}, "evaluate": {"ks": [1, 4]}})
    path = tmp_path / "config.toml"
    path.write_text(config.to_toml())
    assert configuration.build(configuration.read_toml(path)) == config


def test_unknown_setting_names_the_nearest_valid_one():
    with pytest.raises(ConfigError, match=r"no setting train\.learning_rat.*train\.learning_rate"):
        configuration.build({**MINIMAL, "train": {"learning_rat": 1}})


def test_a_value_that_does_not_fit_is_one_line_with_the_name():
    with pytest.raises(ConfigError, match=r"^generate\.samples = 0: [^\n]+$"):
        configuration.build({**MINIMAL, "generate": {"samples": 0}})


def test_missing_setting_is_named():
    with pytest.raises(ConfigError, match="problems is missing"):
        configuration.build({"model": "m"})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("train.rank=8", ("train.rank", 8)),
        ("deterministic=true", ("deterministic", True)),
        ("evaluate.ks=[1, 4]", ("evaluate.ks", [1, 4])),
        ("select.strategy=none", ("select.strategy", "none")),
        ("model=a=b.gguf", ("model", "a=b.gguf")),
    ],
)
def test_assignments_are_toml_values_or_strings(text, expected):
    assert configuration.parse_assignment(text) == expected


def test_an_assignment_without_a_value_says_how_to_write_it():
    with pytest.raises(ConfigError, match="NAME=VALUE"):
        configuration.parse_assignment("train.rank")


def test_a_value_cannot_be_used_as_a_section():
    with pytest.raises(ConfigError, match="not a section"):
        configuration.apply({"seed": 1}, "seed.x", 2)


def test_differences_name_the_field_and_both_values():
    old = configuration.build(MINIMAL)
    new = configuration.build({**MINIMAL, "train": {"rank": 8}})
    assert configuration.differences(old, new) == ["train.rank (16 there, 8 here)"]
    assert configuration.differences(old, old) == []


def test_sampling_of_a_section_holds_what_decides_a_draw():
    config = configuration.build({**MINIMAL, "generate": {"temperature": 1.6, "top_k": 20}})
    sampling = config.generate.sampling()
    assert (sampling.temperature, sampling.top_k) == (1.6, 20)


def test_broken_toml_names_the_file(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text("model = ")
    with pytest.raises(ConfigError, match=r"run\.toml: not valid TOML"):
        configuration.read_toml(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        configuration.read_toml(tmp_path / "none.toml")


def test_a_byte_order_mark_is_no_part_of_the_settings(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text("\ufeffrounds = 2\n", encoding="utf-8")
    assert configuration.read_toml(path) == {"rounds": 2}
