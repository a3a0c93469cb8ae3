"""Data sets cut to one number of trained tokens."""

import pytest

from localdistill.errors import NothingSelected
from localdistill.jsonl import read_rows
from localdistill.stages.budget import BudgetRequest, Source, cut, run, tokens_each
from localdistill.trainers import chat_tokens
from localdistill.trainers.chat_tokens import TokenizedExample
from localdistill.types import Message, TrainingExample


def example(number, length):
    said = [Message(role="user", content="q"), Message(role="assistant", content="x" * length)]
    return TrainingExample(messages=said, problem_id=f"p{number}", sample=0, strategy="s")


@pytest.fixture
def sets(tmp_path, monkeypatch):
    class Letters:  # a token for each letter of an answer, and two for a prompt
        def __init__(self, folder):
            pass

        def example(self, row):
            answer = row.messages[-1].content
            return TokenizedExample([0, 0, *map(ord, answer)], 2, row.problem_id)

    monkeypatch.setattr(chat_tokens, "ChatTokenizer", Letters)

    def write(name, *lengths):
        rows = [example(n, length) for n, length in enumerate(lengths)]
        path = tmp_path / f"{name}.jsonl"
        path.write_text("".join(row.model_dump_json() + "\n" for row in rows))
        return Source(name=name, data=path, out=tmp_path / f"{name}.cut.jsonl")

    return write


def request(tmp_path, *sources, **more):
    given = {"model": tmp_path, "max_length": 20, "seed": 1, "out": tmp_path / "budget.json"}
    return BudgetRequest(sources=sources, **{**given, **more})


def test_all_are_cut_to_what_the_smallest_has(sets, tmp_path):
    many, few = sets("many", *[5] * 10), sets("few", 5, 5, 3)
    summary = run(request(tmp_path, many, few), lambda event: None)
    assert summary.tokens_each == 13
    assert [(each.examples, each.tokens) for each in summary.cuts] == [(2, 10), (3, 13)]
    kept = [row.problem_id for row in read_rows(many.out, TrainingExample)]
    assert len(kept) == 2
    assert kept == sorted(kept)


def test_an_empty_set_takes_nothing_from_the_others(sets, tmp_path):
    summary = run(request(tmp_path, sets("a", 4, 4), sets("b")), lambda event: None)
    assert [each.tokens for each in summary.cuts] == [8, 0]


def test_what_training_leaves_out_is_not_counted(sets, tmp_path):
    source = sets("a", 4, 19, 0)
    assert run(request(tmp_path, source), lambda event: None).tokens_each == 4
    assert len(read_rows(source.out, TrainingExample)) == 1


def test_a_set_is_repeated_up_to_what_another_one_has(sets, tmp_path):
    like, source = sets("like", 10, 10), sets("a", 4, 3)
    wanted = request(tmp_path, source, like=like.data, repeat=True)
    summary = run(wanted, lambda event: None)
    assert summary.tokens_each == 20
    assert 17 <= summary.cuts[0].tokens <= 20


def test_the_same_again_is_skipped_and_a_torn_write_is_not(sets, tmp_path):
    source = sets("a", 4, 4, 4)
    wanted = request(tmp_path, source, tokens=8)
    first = run(wanted, lambda event: None)
    before = source.out.read_bytes()
    assert run(wanted, lambda event: None) == first.model_copy(update={"skipped": True})
    source.out.unlink()
    assert not run(wanted, lambda event: None).skipped
    assert source.out.read_bytes() == before
    assert not run(request(tmp_path, source, tokens=4), lambda event: None).skipped


def test_the_number_is_the_least_and_never_more():
    assert tokens_each([30, 20, 0], None) == 20
    assert tokens_each([30, 20], 10) == 10
    assert tokens_each([30, 20], 100) == 20
    with pytest.raises(NothingSelected, match="No strategy selects anything"):
        tokens_each([0, 0], None)


def test_one_example_is_left_however_long_it_is():
    assert len(cut([(example(0, 9), 9)], 1, "s")) == 1
    assert cut([], 5, "s", repeat=True) == []
