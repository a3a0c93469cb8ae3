"""`localdistill export` keeps what a user has put or changed where it once wrote."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from localdistill.publishing.stamps import foreign_in, stamps
from localdistill.quantization.fingerprint import COVERED, file_fingerprint
from localdistill.quantization.folder_write import write_note
from localdistill.run_dir import RunDir


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.parametrize(
    ("option", "name"),
    [
        ("--ollama", "notes.txt"),
        ("--ollama", "Modelfile"),
        ("--ollama", "README.md"),
        ("--ollama", "deeper/one.jpg"),
        ("--hf", "config.json"),
        ("--hf", "README.md"),
    ],
)
def test_what_a_user_has_put_or_changed_in_a_folder_stays(finished, give, tmp_path, option, name):
    folder = tmp_path / "o"
    assert give(finished, option, folder)[0] == 0
    (folder / name).parent.mkdir(exist_ok=True)
    with (folder / name).open("a") as file:
        file.write("years")
    before = contents(tmp_path)
    code, _, err = give(finished, option, folder, "--round", 1)
    assert (code, err.count("\n")) == (2, 1)
    assert f"({name.split('/')[0]}). Move that elsewhere, or name another folder" in err
    assert contents(tmp_path) == before


def test_a_link_that_a_user_has_put_in_place_of_a_file_stays(finished, give, tmp_path):
    folder = tmp_path / "o"
    assert give(finished, "--ollama", folder)[0] == 0
    (folder / "Modelfile").rename(tmp_path / "mine")
    (folder / "Modelfile").symlink_to(tmp_path / "mine")
    assert give(finished, "--ollama", folder)[0] == 2
    assert (folder / "Modelfile").is_symlink()


def test_what_a_user_changes_while_it_is_written_stays(finished, give, tmp_path, monkeypatch):
    folder = tmp_path / "o"
    assert give(finished, "--ollama", folder)[0] == 0

    def meanwhile(*arguments):
        (folder / "notes.txt").write_text("years")
        return "FROM ./model.gguf\n"

    monkeypatch.setattr("localdistill.publishing.publish.modelfile", meanwhile)
    code, _, err = give(finished, "--ollama", folder)
    assert code == 2 and "notes.txt" in err
    assert (folder / "notes.txt").read_text() == "years"
    assert [path.name for path in tmp_path.iterdir()] == ["o"]


def test_a_large_file_that_was_edited_in_place_is_known_by_its_time(tmp_path):
    """The edit lies between what a fingerprint looks at."""
    file = tmp_path / "large.gguf"
    with file.open("wb") as content:
        content.truncate(10 * COVERED)
    os.utime(file, ns=(10**9, 10**9))
    noted = stamps(tmp_path)
    fingerprint = file_fingerprint(file)
    assert foreign_in(tmp_path, noted) == []
    with file.open("r+b") as content:
        content.seek(COVERED // 8)
        content.write(b"edited")
    assert file_fingerprint(file) == fingerprint
    assert foreign_in(tmp_path, noted) == ["large.gguf"]


def test_what_a_kill_has_left_is_taken_away(finished, give, tmp_path):
    left = tmp_path / "o.partial"
    left.mkdir()
    write_note(left, published="ollama")
    (left / "model.gguf").write_bytes(b"half")
    assert give(finished, "--ollama", tmp_path / "o")[0] == 0
    assert not left.exists()


@pytest.mark.parametrize("option", ["--out", "--adapter-gguf"])
def test_a_card_that_was_edited_stays(finished, give, tmp_path, option):
    out, card = tmp_path / "a.gguf", tmp_path / "a.gguf.README.md"
    assert give(finished, option, out)[0] == 0
    assert give(finished, option, out, "--round", 1)[0] == 0  # ours is replaced
    assert "Round 2" not in card.read_text()
    with card.open("a") as file:
        file.write("What I think of it: years")
    before = contents(tmp_path)
    code, _, err = give(finished, option, out)
    assert (code, err.count("\n")) == (2, 1)
    assert f"{card}: is not as this command has written it. Move it away" in err
    assert contents(tmp_path) == before
    card.unlink()
    assert give(finished, option, out)[0] == 0
    assert "Round 2" in card.read_text()


def test_a_card_of_ours_that_a_kill_kept_from_being_replaced_is_ours(
    finished, give, tmp_path, monkeypatch
):
    out = tmp_path / "a.gguf"
    assert give(finished, "--out", out)[0] == 0

    def killed(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("localdistill.publishing.publish.write_atomically", killed)
        assert give(finished, "--out", out, "--round", 1)[0] == 130
    assert "Round 2" in (tmp_path / "a.gguf.README.md").read_text()
    assert out.read_bytes() == RunDir(finished).round(1).model.read_bytes()
    assert give(finished, "--out", out, "--round", 1)[0] == 0
    assert "Round 2" not in (tmp_path / "a.gguf.README.md").read_text()


def test_what_people_edit_is_a_copy_and_weights_are_not(finished, give, tmp_path):
    assert give(finished, "--hf", tmp_path / "hf", "--ollama", tmp_path / "o")[0] == 0
    merged, model = RunDir(finished).round(2).merged, RunDir(finished).round(2).model
    for file in (tmp_path / "hf").iterdir():
        if file.suffix == ".safetensors":
            assert file.samefile(merged / file.name)
        else:
            assert file.stat().st_nlink == 1, file.name
    assert (tmp_path / "o" / "model.gguf").samefile(model)
    assert (tmp_path / "o" / "Modelfile").stat().st_nlink == 1
