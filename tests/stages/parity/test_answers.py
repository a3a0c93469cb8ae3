"""Greedy answers, and what follows from a loop in one of them."""

from __future__ import annotations

import pytest

from localdistill.backends.llama_decoder import LlamaDecoder
from localdistill.backends.llama_model import LlamaModel
from localdistill.stages.parity import answers
from localdistill.stages.parity.answers import Answer, answers_check, greedy, prompts_of
from localdistill.stages.parity.positions import Row
from tests.quantization.tiny import Tiny

pytestmark = pytest.mark.real


@pytest.fixture
def tiny(tmp_path) -> Tiny:
    return Tiny.write(tmp_path / "tiny", "qwen3")


@pytest.fixture
def model(tiny):
    opened = LlamaModel(tiny.gguf, gpu_layers=0)
    yield opened
    opened.close()


def test_each_answer_is_the_likeliest_token_after_the_other(model, monkeypatch):
    monkeypatch.setattr(answers, "_PASS", 5)  # prompts in several parts
    prompts = [[3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13], [100, 101], [42]]
    found = greedy(model, prompts, threads=1, limit=6)
    for prompt, answer in zip(prompts, found, strict=True):
        decoder = LlamaDecoder(model, sequences=1, cells=64, threads=1)
        logits = None
        for place, token in enumerate(prompt):
            logits = decoder.step([0], [token], [place])
        for place, token in enumerate(answer.tokens, start=len(prompt)):
            assert int(logits[0].argmax()) == token
            logits = decoder.step([0], [token], [place])
        decoder.close()
        assert len(answer.tokens) == 6 or int(logits[0].argmax()) in model.end_tokens


def test_a_loop_ends_its_answer(model, monkeypatch):
    class Soon:
        def __init__(self):
            self.fed = 0

        def feed(self, token, piece):
            self.fed += 1
            return self.fed == 3

    monkeypatch.setattr(answers, "Repetition", Soon)
    found = greedy(model, [[3, 4], [5]], threads=1, limit=20)
    assert [answer.loops for answer in found] == [True, True]
    assert [len(answer.tokens) for answer in found] == [2, 2]


def test_an_answer_ends_where_the_context_does(model, monkeypatch):
    monkeypatch.setattr(model, "trained_context", 8)
    monkeypatch.setattr(model, "end_tokens", frozenset())
    found = greedy(model, [[3, 4, 5, 6], [7]], threads=1, limit=20)
    assert [len(answer.tokens) for answer in found] == [4, 7]


def row(*tokens, source="held out"):
    return Row([*tokens, 1], len(tokens) - 1, source)


def test_prompts_are_different_ones_from_all_over_the_rows(model):
    rows = [row(number // 2, 7) for number in range(40)] + [row(1, 2, source="own")]
    found = prompts_of(rows, model)
    assert len(found) == answers.PROMPTS
    assert found[0] == [0, 7] and found[-1] == [15, 7]
    fixed = prompts_of([row(1, 2, source="own")], model)
    assert len(fixed) == 3 and fixed[0] != [1, 2]


@pytest.mark.parametrize(
    ("new", "start", "passed", "told"),
    [
        ([False, False], None, True, 0),
        ([True, False], [True], True, 1),
        ([True, True], [True, False], False, 1),
    ],
)
def test_only_a_loop_that_the_starting_file_does_not_have_counts(
    tiny, monkeypatch, new, start, passed, told
):
    asked = []
    outcomes = [new, start]

    def stand_in(model, prompts, threads=None):
        asked.append(prompts)
        loops = outcomes[len(asked) - 1]
        assert len(loops) == len(prompts)
        return [Answer([100, 101], loop) for loop in loops]

    monkeypatch.setattr(answers, "greedy", stand_in)
    rows = [row(3, 4), row(5, 6)]
    check = answers_check(tiny.gguf, tiny.gguf, rows)
    assert check.passed is passed
    assert check.figures["loops that the starting file has too"] == told
    assert len(asked) == (1 if start is None else 2)
    assert passed or "1 of 2 greedy answers" in check.reason


@pytest.mark.parametrize(("loops", "passed"), [(1, True), (2, False)])
def test_to_questions_of_another_kind_most_answers_must_be_sound(tiny, monkeypatch, loops, passed):
    outcomes = iter([[Answer([1], number < loops) for number in range(3)], [Answer([1])] * loops])
    monkeypatch.setattr(answers, "greedy", lambda *given: next(outcomes))
    check = answers_check(tiny.gguf, tiny.gguf, [row(1, 2, source="own")])
    assert check.passed is passed
    assert (check.figures["answers"], check.figures["loops"]) == (3, loops)
