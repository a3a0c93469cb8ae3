"""Which large files of old rounds go, and what is written down of them."""

import pytest

from localdistill import pruning
from localdistill.errors import ConfigError
from localdistill.markers import mark_done
from localdistill.quantization.fingerprint import folder_fingerprint
from localdistill.run_dir import RunDir


@pytest.mark.parametrize(
    ("rounds", "best", "gone"),
    [
        ([], [0], []),
        ([1], [0], []),
        ([1, 2], [1], []),
        ([1, 2, 3], [1], [2]),
        ([1, 2, 3], [3], [1, 2]),
        ([1, 2, 3, 4], [0, 2], [1, 3]),  # the starting model is best, and round 2 of the others
        ([1, 3, 4], [3], [1]),  # round 2 was rejected
        ([3, 2, 1], [2], [1]),
    ],
)
def test_all_but_the_best_and_the_last_go(rounds, best, gone):
    assert pruning.superseded(rounds, best, "best+last") == gone
    assert pruning.superseded(rounds, best, "all") == []


@pytest.fixture
def round_(tmp_path):
    """A finished round, with all that may stand in its folder."""
    paths = RunDir(tmp_path).round(1)
    for folder in (paths.adapter, paths.merged, paths.path / "adapter.checkpoints"):
        folder.mkdir(parents=True)
        (folder / "weights").write_bytes(bytes(1000))
    for file in (paths.completions, paths.verdicts, paths.selected, paths.parity, paths.model):
        file.write_text("content")
    mark_done(paths.merged, adapter="a", master="m", quant="same")
    mark_done(paths.model, adapter="a")
    (paths.path / "selected.jsonl.damaged").write_text("edited")
    return paths


def test_what_is_large_goes_and_what_tells_of_the_round_stays(round_):
    fingerprint = folder_fingerprint(round_.merged)
    found = pruning.prune(round_, 1, kept=[3, 2])
    left = {path.name for path in round_.path.iterdir()}
    assert left == {
        "adapter", "completions.jsonl", "verdicts.jsonl", "selected.jsonl", "parity.json",
        "merged.done", "model.gguf.done", "pruned.json", "pruned.json.copy",
    }  # fmt: skip
    assert found == pruning.pruned(round_)
    assert (found.round, found.kept, found.fingerprint) == (1, [2, 3], fingerprint)
    assert found.made_of == {"adapter": "a", "master": "m"}
    assert found.removed["merged"] == 1000
    assert found.removed["model.gguf"] == 7


def test_a_kill_in_the_middle_is_made_up_for(round_, monkeypatch):
    def killed(path):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(pruning.shutil, "rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            pruning.prune(round_, 1, kept=[2, 3])
    before = pruning.pruned(round_)
    assert round_.merged.exists()
    assert pruning.prune(round_, 1, kept=[9]) == before
    assert not round_.merged.exists() and not round_.model.exists()


def test_nothing_is_pruned_before_it_is_written_down(round_):
    assert pruning.pruned(round_) is None
    pruning.record(round_).write_text("{}")
    with pytest.raises(ConfigError, match=r"pruned\.json: is damaged"):
        pruning.prune(round_, 1, kept=[2, 3])
    assert round_.model.exists()
