import pytest

from localdistill import bounded
from localdistill.backends.chat_template import ChatTemplate
from localdistill.errors import ModelError
from localdistill.types import Message

ASK = [Message(role="user", content='<b> "é"')]


def render(source, messages=ASK, **options):
    return ChatTemplate(source, bos_token="<s>", eos_token="</s>").render(messages, **options)


def test_blocks_leave_no_blank_lines():
    source = "{% for m in messages %}\n  {% if true %}\n{{ m.role }}\n  {% endif %}\n{% endfor %}\n"
    assert render(source) == "user\n"


def test_special_tokens_and_the_generation_prompt_are_there():
    source = "{{ bos_token }}{{ messages[0]['content'] }}{{ eos_token }}"
    source += "{% if add_generation_prompt %}A:{% endif %}"
    assert render(source) == '<s><b> "é"</s>A:'
    assert render(source, add_generation_prompt=False) == '<s><b> "é"</s>'


def test_json_is_not_escaped_for_html():
    assert render("{{ messages[0].content | tojson }}") == '"<b> \\"é\\""'


def test_loop_controls_and_generation_marks_are_understood():
    assert (
        render("{% for i in range(9) %}{% if i == 2 %}{% break %}{% endif %}{{ i }}{% endfor %}")
        == "01"
    )
    assert render("{% generation %}x{% endgeneration %}") == "x"


def test_the_date_is_the_same_on_every_day():
    assert render("{{ strftime_now('%d %b %Y') }}") == "26 Jul 2024"


def test_a_refusal_of_the_template_is_passed_on():
    with pytest.raises(ModelError, match="only user messages"):
        render("{{ raise_exception('only user messages') }}")


@pytest.mark.parametrize(
    "source",
    [
        "{% if %}",
        "{{ messages[0].content + 1 }}",
        "{{ messages[5].content.x }}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ messages.append(1) }}",
        "{{ strftime_now.__globals__ }}",
        "{{ strftime_now.__globals__['json'] }}",
    ],
)
def test_a_template_that_fails_or_attacks_is_a_model_error_or_nothing(source):
    try:
        text = render(source)
    except ModelError as error:
        assert "chat template" in str(error)
    else:
        assert text == ""  # Jinja's sandbox hides what it forbids


@pytest.mark.parametrize(
    "source",
    [
        "{% for i in range(10**9) %}{% endfor %}",
        "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
        "{% set n = namespace(x='x') %}{% for i in range(99) %}{% set n.x = n.x ~ n.x %}"
        "{% endfor %}",
        "{{ 'x' * 10**12 }}",  # computed when it is compiled
        "{{ messages[0].content * 10**12 }}",
        "{{ '%99999999999d' % 1 }}",
        "{{ messages[0].content.ljust(10**12) }}",
        "{{ 'x' * 2**25 }}",  # more than any context
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{{ 3**10000000 > 0 }}",  # computed again where that has failed
    ],
)
def test_a_hostile_template_is_refused_in_one_line(monkeypatch, source):
    monkeypatch.setattr(bounded, "SECONDS", 0.2)
    with pytest.raises(ModelError, match="template") as refused:
        render(source)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("source", ["{{ ''.__class__.__mro__ }}", "{{ messages.append(1) }}"])
def test_a_template_reaches_nothing_else(source):
    with pytest.raises(ModelError, match="refuses the prompt"):
        render(source)
