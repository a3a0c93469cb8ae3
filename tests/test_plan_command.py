"""The command plan, on the seed model."""

import re

import pytest

from localdistill.cli import main


def run(*arguments):
    with pytest.raises(SystemExit) as caught:
        main(["plan", *arguments])
    return caught.value.code


def test_it_shows_what_generation_takes_of_the_seed_model(capsys):
    assert run("--slots", "4", "--threads", "2", "--max-tokens", "100") == 0
    told = capsys.readouterr().out
    assert "seed-q8_0.gguf" in told
    assert re.search(r"cache +\d+ MB +keys and values of [\d,]+ tokens", told)
    assert re.search(r"in all +\d+ MB +of .* free; swap is not counted", told)
    assert "4 samples at once, 2 threads; up to 100 tokens" in told


def test_more_samples_need_more(capsys):
    def total(slots):
        assert run("--slots", str(slots)) == 0
        return int(re.search(r"in all +(\d+) MB", capsys.readouterr().out)[1])

    assert total(1) < total(8) < total(32)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--slots", "999"), "--slots 999"),
        (("--max-tokens", "0"), "--max-tokens 0"),
        (("--threads", "0"), "--threads 0"),
        (("--model", "nothing.gguf"), "nothing.gguf"),
    ],
)
def test_bad_options_are_one_line(capsys, arguments, named):
    assert run(*arguments) == 2
    told = capsys.readouterr().err
    assert named in told and told.count("\n") == 1
