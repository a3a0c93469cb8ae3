import hashlib

from localdistill.problems.prompt import TEMPLATE, TEMPLATE_HASH, messages
from localdistill.types import Message, Problem


def content(**fields):
    (message,) = messages(Problem(id="1", **fields))
    assert message.role == "user"
    return message.content


def test_a_prompt_that_stands_alone_is_sent_as_it_is():
    prompt = "Write a Python function `f(x)` that {doubles} x.\n\n  ```keep```  \n"
    assert messages(Problem(id="1", prompt=prompt)) == [Message(role="user", content=prompt)]


def test_starter_code_follows_in_a_fence():
    expected = "Do it.\n\nStart from this code:\n\n```python\ndef f(x):\n    {}\n```"
    assert content(prompt="Do it.", starter_code="\ndef f(x):\n    {}\n\n") == expected


def test_a_fence_is_longer_than_those_in_the_code():
    text = content(prompt="Do it.", starter_code='"""\n```\nf(1)\n```\n"""')
    assert "````python\n" in text
    assert text.endswith("\n````")


def test_context_files_stand_before_the_starter_code():
    text = content(prompt="Do it.", context_files={"a.py": "x = 1\n"}, starter_code="y")
    assert text == (
        "Do it.\n\nThe file `a.py`:\n\n```\nx = 1\n```\n\n"
        "Start from this code:\n\n```python\ny\n```"
    )


def test_the_hash_is_that_of_the_template():
    assert hashlib.sha256("\n\n".join(TEMPLATE).encode()).hexdigest() == TEMPLATE_HASH
