"""docs/settings.md lists every setting as it is."""

import json
import re
import tomllib
from pathlib import Path

import pytest

from localdistill import config as configuration
from localdistill import run_options
from localdistill.config import Config

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
# Name, default and option of each row of a table of settings, which has four columns.
ROWS = re.findall(r"^\| `([a-z_.]+)` \| (.+?) \| (?:.*? )?\| (.*?) ?\|$", PAGE, re.MULTILINE)
DEFAULTS = {name: default for name, default, _ in ROWS}
REQUIRED = {"model": "m.gguf", "problems": "p.jsonl"}


def default_of(name):
    value = configuration.build(REQUIRED).model_dump(mode="json")
    for part in name.split("."):
        value = value[part]
    return value


def told(name):
    """The default on the page, as a value."""
    text = DEFAULTS[name]
    return None if text == "unset" else tomllib.loads(f"it = {text.strip('`')}")["it"]


def test_the_settings_are_those_of_the_configuration_each_once_and_in_its_order():
    assert [name for name, _, _ in ROWS] == in_the_order_of_sections(configuration.known_names())


def in_the_order_of_sections(names):
    return sorted(names, key=lambda name: "." in name)  # stable: those without a section first


@pytest.mark.parametrize("name", configuration.known_names())
def test_the_default_is_that_of_the_configuration(name):
    field = Config.model_fields.get(name)
    if field is not None and field.is_required():
        assert DEFAULTS[name] == "required"
    else:
        # As JSON, 1 is not 1.0, nor true.
        assert json.dumps(told(name)) == json.dumps(default_of(name))


def test_the_options_are_those_of_run():
    found = {name: option.split("`")[1] for name, _, option in ROWS if option}
    wanted = {
        name: f"--{option.replace('_', '-')}" for option, name in run_options._OPTIONS.items()
    }
    assert found == wanted


def test_what_is_said_of_the_seeds_own_settings_is_so():
    seed = configuration.read_toml(ROOT / "models" / "seed" / "run.toml")
    assert (seed["train"]["learning_rate"], seed["train"]["epochs"]) == (2e-3, 4)
    assert "a learning\nrate of 2e-3 and 4 epochs" in PAGE
    assert (default_of("train.learning_rate"), default_of("train.epochs")) == (1e-4, 1)
    assert "a learning rate of 1e-4 and 1 epoch." in PAGE


def test_the_file_on_the_page_is_a_configuration():
    lines = PAGE.split("reads:\n\n", 1)[1].split("\n\nor be given")[0]
    config = configuration.build(tomllib.loads(lines))
    assert (config.rounds, config.generate.samples, config.train.rank) == (2, 16, 8)
