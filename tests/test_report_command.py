"""The command ``report``, and the report at the end of a run."""

import pytest

from localdistill import report
from localdistill.cli import main
from localdistill.events import Notice
from localdistill.report_command import write_at_the_end
from tests.report.making import Making


@pytest.fixture
def run(tmp_path):
    making = Making(tmp_path / "run")
    making.rejected()
    return making.path


def reported(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main(["report", *map(str, arguments)])
    captured = capsys.readouterr()
    return ended.value.code, captured.out, captured.err


def test_it_is_written_into_the_run_or_where_one_says(run, capsys, tmp_path):
    assert reported(capsys, run) == (0, f"Report: {run / 'report.html'}\n", "")
    out = tmp_path / "new" / "mine.html"
    assert reported(capsys, run, "--out", out) == (0, f"Report: {out}\n", "")
    assert out.read_text() == (run / "report.html").read_text()


def test_what_cannot_be_written_is_one_line(run, capsys, tmp_path):
    (tmp_path / "file").write_text("")
    for out, said in ((tmp_path, "a folder; name a file"), (tmp_path / "file" / "x", "file")):
        code, shown, err = reported(capsys, run, "--out", out)
        assert (code, shown) == (2, "")
        assert said in err
        assert err.count("\n") == 1


def test_a_folder_without_a_run_is_one_line(tmp_path, capsys):
    code, _, err = reported(capsys, tmp_path)
    assert code == 2
    assert "holds no run" in err
    assert not (tmp_path / "report.html").exists()


def test_a_report_that_fails_does_not_take_the_result_with_it(run, monkeypatch):
    said = []
    assert write_at_the_end(run, said.append) == run / "report.html"
    assert said == []

    def broken(path):
        raise OSError("no room")

    monkeypatch.setattr(report, "write", broken)
    assert write_at_the_end(run, said.append) is None
    (notice,) = said
    assert isinstance(notice, Notice)
    assert "no room" in notice.message
    assert f"`localdistill report {run}`" in notice.message
