"""The fixed conversations whose tokens must be the same in training and at run time."""

from __future__ import annotations

from localdistill.types import Message

_CODE = '''def merge(left, right):
\t"""Merge two sorted lists."""
    result: list[int] = []
    while left and right:
        result.append((left if left[0] <= right[0] else right).pop(0))
    return result + left + right  # 100% of both


print(f"{merge([1, 3], [2])!r}")
'''


def _user(*texts: str) -> list[Message]:
    """A conversation in which user and assistant take turns."""
    return [
        Message(role="assistant" if number % 2 else "user", content=text)
        for number, text in enumerate(texts)
    ]


_SYSTEM = Message(role="system", content="You are a careful programmer. Answer in one block.")

# name -> messages, to be answered by the assistant
CONVERSATIONS: dict[str, list[Message]] = {
    "plain": _user("Write a Python function that returns the larger of two numbers."),
    "system": [_SYSTEM, *_user("Reverse a linked list.")],
    "turns": _user("What is 2 + 2?", "4", "And times 10?", "40\n", "  Write it as a program.  "),
    "code": _user(f"What is wrong here?\n\n```python\n{_CODE}```\n"),
    "blanks": _user("a  b   c\t\td\n\n\n\te \r\n f\n \n  g\u00a0h"),
    "digits": _user("1234567890 3.14159 0x1F 1e-9 2024-11-26 10_000 ½"),
    "unicode": _user("Grüße, naïve café: 日本語のテスト, русский, العربية, हिन्दी, 한국어"),
    "emoji": _user("👩‍👩‍👧‍👦 🇩🇪 ✓ ∑ → ≤ 𝔘𝔫𝔦 \u200b|\ufeff|"),
    "quotes": _user("It's 'single', \"double\", “curly”, we'll, THEY'RE, <b>&amp;</b> \\n {{ x }}"),
    "special": _user("Say <|im_start|>, <|im_end|> and <|endoftext|> and <think></think>."),
    "empty": _user(""),
}
# Its letters and accents are apart. Qwen's published tokenizer joins them and llama.cpp does not:
# a difference that is known, and in training only (docs/decisions/0004-export.md).
DECOMPOSED = _user("Cafe\u0301, u\u0308ber, A\u030angstro\u0308m, \u1112\u1161\u11ab")
