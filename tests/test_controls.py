"""What the controls train on."""

import pytest

from localdistill.controls import references, shuffled
from localdistill.errors import ConfigError
from localdistill.types import Message, Problem, TrainingExample


def example(problem, answer):
    said = [
        Message(role="user", content=f"Do {problem}."),
        Message(role="assistant", content=answer),
    ]
    return TrainingExample(messages=said, problem_id=problem, sample=0, strategy="tests")


def selection(**counts):
    return [example(name, f"{name}{n}") for name, count in counts.items() for n in range(count)]


def test_references_stand_in_for_each_selected_answer():
    problems = {
        "a": Problem(id="a", prompt="Do a.", reference="def f():\n    return 1\n"),
        "b": Problem(id="b", prompt="Do b."),
    }
    found = references(selection(a=2, b=1), problems)
    assert [row.problem_id for row in found] == ["a", "a"]
    assert found[0].messages[0].content == "Do a."
    assert found[0].messages[1].content == "```python\ndef f():\n    return 1\n```"
    assert (found[0].strategy, found[0].complete) == ("references", True)


def test_a_reference_has_no_thinking_that_was_drawn():
    given = [row.model_copy(update={"thinking_as_drawn": True}) for row in selection(a=2, b=2)]
    problems = {"a": Problem(id="a", prompt="Do a.", reference="def f(): pass")}
    assert not any(row.thinking_as_drawn for row in references(given, problems))
    assert all(row.thinking_as_drawn for row in shuffled(given, 1))


def test_references_are_refused_where_there_are_none():
    with pytest.raises(ConfigError, match=r"none of .* has a reference solution.*shuffled"):
        references(selection(a=1), {"a": Problem(id="a", prompt="Do a.", reference=" \n")})


@pytest.mark.parametrize("counts", [{"a": 1, "b": 1}, {"a": 4, "b": 1, "c": 3}, {"a": 2, "b": 2}])
def test_no_answer_keeps_its_prompt_and_each_prompt_is_used_as_often_as_before(counts):
    given = selection(**counts)
    for seed in range(5):
        found = shuffled(given, seed)
        assert sorted(row.messages[1].content for row in found) == sorted(
            row.messages[1].content for row in given
        )
        assert sorted(row.messages[0].content for row in found) == sorted(
            row.messages[0].content for row in given
        )
        for row in found:
            assert row.messages[0].content == f"Do {row.problem_id}."
            assert not row.messages[1].content.startswith(row.problem_id)


def test_the_exchange_is_repeatable_and_depends_on_the_seed():
    given = selection(**{f"p{n}": 1 for n in range(20)})
    assert shuffled(given, 1) == shuffled(given, 1) != shuffled(given, 2)


def test_a_problem_with_most_of_the_examples_cannot_be_exchanged():
    with pytest.raises(ConfigError, match="more than half"):
        shuffled(selection(a=3, b=2), 0)
