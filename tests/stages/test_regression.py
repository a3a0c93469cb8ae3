"""The guard against forgetting: form of answers, surprise at good ones, and their bounds."""

import json
from pathlib import Path

import numpy as np
import pytest

from localdistill.events import Notice
from localdistill.quantization.gguf_file import read_header
from localdistill.stages import regression
from localdistill.stages.general.looks import flaws
from localdistill.stages.general.questions import QUESTIONS, Question
from localdistill.stages.general.surprise import surprise
from localdistill.stages.parity.llama_logits import LlamaLogits
from localdistill.stages.regression_found import told_in_words
from localdistill.types import Completion, Message

SEED = Path(__file__).parents[2] / "models" / "seed" / "seed-q8_0.gguf"


def said(text, ended="end_token"):
    return Completion(
        problem_id="q",
        sample=0,
        text=text,
        finish_reason="stop" if ended == "end_token" else "length",
        token_count=1,
        mean_logprob=None,
        seed=0,
        ended_by=ended,
    )


GOOD = [said(question.answer) for question in QUESTIONS]


class TestQuestions:
    def test_own_answers_are_sound(self):
        found = {q.id: flaws(q, q.answer, ended=True, loops=False) for q in QUESTIONS}
        assert {name: wrong for name, wrong in found.items() if wrong} == {}

    def test_ids_and_prompts_differ(self):
        assert len({q.id for q in QUESTIONS}) == len({q.prompt for q in QUESTIONS}) == 40

    @pytest.mark.parametrize(
        ("answer", "ended", "loops", "flaw"),
        [
            ("Paris", False, False, "does not come to an end"),
            ("Paris", False, True, "repeats itself"),
            ("  ", True, False, "is empty"),
            ("```python\nParis\n```", True, False, "has a block of code that nobody asked for"),
            ("Paris is a fine old city", True, False, "has 6 words, not 1 to 4"),
            ("Rome", True, False, "does not say what was asked for"),
        ],
    )
    def test_each_flaw_is_found(self, answer, ended, loops, flaw):
        assert flaw in flaws(QUESTIONS[0], answer, ended=ended, loops=loops)

    def test_lines_and_json(self):
        three = Question("l", "three lines", "a\nb\nc", (1, 9), lines=3)
        assert flaws(three, "a\nb", ended=True, loops=False) == ["has 2 lines, not 3"]
        either = Question("j", "json", "{}", (1, 9), is_json=True)
        assert flaws(either, "{'a': 1}", ended=True, loops=False) == ["is not JSON"]
        assert flaws(either, "[" * 100_000, ended=True, loops=False)


class TestBounds:
    def compare(self, before=4.0, after=4.0, answers=GOOD):
        return regression.compare([before] * 40, [after] * 40, GOOD, answers)

    def test_alike_passes(self):
        found = self.compare()
        assert found.passed
        assert not found.worse

    def test_surprise_may_rise_to_its_bound(self):
        assert self.compare(after=4.19).passed  # 5% of 4 is more than 0.1
        found = self.compare(after=4.21)
        assert [check.passed for check in found.checks] == [False, True]
        assert self.compare(before=1.0, after=1.09).passed
        assert not self.compare(before=1.0, after=1.11).passed

    def test_a_surprise_that_is_no_number_does_not_pass(self):
        assert not self.compare(after=float("nan")).passed

    def test_form_may_be_lost_by_one_in_ten(self):
        bad = said("x " * 400, "length")
        assert self.compare(answers=[bad] * 4 + GOOD[4:]).passed
        found = self.compare(answers=[bad] * 5 + GOOD[5:])
        assert [check.passed for check in found.checks] == [True, False]
        assert [row.question for row in found.worse] == [q.id for q in QUESTIONS[:5]]
        assert "worse than before (form)" in told_in_words(found)

    def test_what_the_old_model_could_not_do_either_is_not_held_against_the_new(self):
        bad = [said("x " * 400, "length")] * 40
        found = regression.compare([4.0] * 40, [4.0] * 40, bad, bad)
        assert found.passed
        assert found.checks[1].before == 0

    def test_where_the_old_model_answers_hardly_any_a_loss_cannot_be_told(self):
        bad = [said("x " * 400, "length")] * 40
        found = regression.compare([4.0] * 40, [4.0] * 40, GOOD[:4] + bad[4:], bad)
        assert (found.checks[1].passed, found.checks[1].bound, found.passed) == (None, 0, True)
        assert "cannot be told" in told_in_words(found)
        found = regression.compare([4.0] * 40, [9.0] * 40, bad, bad)
        assert found.passed is False
        assert "worse than before (surprise)" in told_in_words(found)
        found = regression.compare([4.0] * 40, [4.0] * 40, GOOD[:5] + bad[5:], bad)
        assert found.checks[1].passed is False


@pytest.mark.real
class TestReal:
    def request(self, tmp_path, candidate=SEED, baseline=SEED):
        models = {
            name: regression.ModelAsked(label=name, gguf=gguf, work_dir=tmp_path / name)
            for name, gguf in (("base", baseline), ("new", candidate))
        }
        return regression.RegressionRequest(
            candidate=models["new"],
            baseline=models["base"],
            slots=16,
            threads=1,  # a tiny model: two would mostly wait for each other
            out=tmp_path / "regression.json",
        )

    @pytest.fixture(autouse=True)
    def short_answers(self, monkeypatch):
        monkeypatch.setattr(regression, "_MAX_TOKENS", 16)

    def test_surprise_is_that_of_one_token_at_a_time(self):
        question = QUESTIONS[3]
        [found] = surprise(SEED, [question])
        with LlamaLogits(SEED, 512) as logits:
            model = logits.model
            tokens = model.prompt_tokens([Message(role="user", content=question.prompt)])
            nats = []
            for token in model.tokenize(question.answer):
                last = [slab[-1].astype(np.float64) for slab in logits.slabs(tokens, 0)][-1]
                nats.append(np.log(np.exp(last).sum()) - last[token])
                tokens.append(token)
        assert found == pytest.approx(np.mean(nats), abs=1e-4)

    def test_a_model_against_itself(self, tmp_path):
        found = regression.run(self.request(tmp_path), lambda event: None)
        assert found.passed
        assert found.checks[0].before == found.checks[0].after > 0
        assert found.checks[1].before == found.checks[1].after

    def test_a_model_that_is_more_surprised_than_the_old_one(self, tmp_path):
        # The seed model has never seen plain English: one that knows nothing at all, and holds all
        # tokens for equally likely, is less surprised by it.
        knows_nothing = tmp_path / "flat.gguf"
        data = bytearray(SEED.read_bytes())
        norm = read_header(SEED).tensors["output_norm.weight"]
        data[norm.offset : norm.offset + norm.size] = bytes(norm.size)
        knows_nothing.write_bytes(bytes(data))
        events = []
        request = self.request(tmp_path, baseline=knows_nothing)
        found = regression.run(request, events.append)
        vocabulary = read_header(SEED).tensors["token_embd.weight"].dims[1]
        assert found.checks[0].before == pytest.approx(np.log(vocabulary), abs=1e-3)
        assert not found.checks[0].passed
        assert any(isinstance(event, Notice) and event.level == "warning" for event in events)
        assert json.loads(request.out.read_text())["passed"] is False

    def test_it_goes_on_where_it_was_stopped(self, tmp_path, monkeypatch):
        calls = []
        real = regression.surprise

        def once(gguf, *rest):
            if calls:
                raise KeyboardInterrupt
            calls.append(gguf)
            return real(gguf, *rest)

        monkeypatch.setattr(regression, "surprise", once)
        with pytest.raises(KeyboardInterrupt):
            regression.run(self.request(tmp_path), lambda event: None)
        assert not (tmp_path / "regression.json").exists()
        asked = (tmp_path / "base" / "completions.jsonl").stat().st_mtime_ns
        monkeypatch.setattr(regression, "surprise", real)
        found = regression.run(self.request(tmp_path), lambda event: None)
        assert found.passed
        assert (tmp_path / "base" / "completions.jsonl").stat().st_mtime_ns == asked
