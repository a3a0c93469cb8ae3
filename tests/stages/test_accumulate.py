"""The examples of several rounds in one file."""

from localdistill.jsonl import read_rows
from localdistill.markers import write_whole
from localdistill.stages.accumulate import accumulate
from localdistill.types import TrainingExample


def rows(path, *answers):
    def one(sample, problem, answer):
        said = [{"role": "user", "content": "q"}, {"role": "assistant", "content": answer}]
        row = TrainingExample(messages=said, problem_id=problem, sample=sample, strategy="tests")
        return row.model_dump_json() + "\n"

    write_whole(path, "".join(one(sample, *each) for sample, each in enumerate(answers)))
    return path


def told(path):
    return [(row.problem_id, row.messages[-1].content) for row in read_rows(path, TrainingExample)]


def test_a_text_counts_once_where_it_came_first(tmp_path):
    first = rows(tmp_path / "1.jsonl", ("p", "a"), ("q", "a"))
    second = rows(tmp_path / "2.jsonl", ("q", "b"), ("p", "a"), ("p", "c"))
    assert accumulate([first, second], tmp_path / "all.jsonl") == 4
    assert told(tmp_path / "all.jsonl") == [("p", "a"), ("q", "a"), ("q", "b"), ("p", "c")]


def test_what_one_round_holds_twice_stays_so(tmp_path):
    first = rows(tmp_path / "1.jsonl", ("p", "a"), ("p", "a"), ("p", "b"))
    second = rows(tmp_path / "2.jsonl", ("p", "a"), ("p", "b"), ("p", "b"))
    assert accumulate([first, second], tmp_path / "all.jsonl") == 4
    assert told(tmp_path / "all.jsonl") == [("p", "a"), ("p", "a"), ("p", "b"), ("p", "b")]


def test_the_same_sources_are_not_read_again_and_others_are(tmp_path):
    first, second = rows(tmp_path / "1.jsonl", ("p", "a")), rows(tmp_path / "2.jsonl", ("p", "b"))
    out = tmp_path / "all.jsonl"
    assert accumulate([first], out) == 1
    before = out.stat().st_mtime_ns, out.stat().st_ino
    assert accumulate([first], out) == 1
    assert (out.stat().st_mtime_ns, out.stat().st_ino) == before
    assert accumulate([first, second], out) == 2
    assert told(out) == [("p", "a"), ("p", "b")]


def test_nothing_selected_in_any_round_is_an_empty_file(tmp_path):
    assert accumulate([rows(tmp_path / "1.jsonl")], tmp_path / "all.jsonl") == 0
    assert told(tmp_path / "all.jsonl") == []
