"""Renders a model's own chat template, the way Hugging Face and llama-cpp-python do."""

from __future__ import annotations

import json
from collections.abc import Sequence

import jinja2
import jinja2.ext
import jinja2.nodes
import jinja2.parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from localdistill.bounded import OutOfBounds, bounded
from localdistill.errors import ModelError
from localdistill.prompt_date import PROMPT_DATE
from localdistill.types import Message

_LONGEST = 1 << 24  # characters of a rendered prompt; no model's context holds as many
_HOSTILE = "the model's chat template makes too much of a prompt"


class _GenerationTag(jinja2.ext.Extension):
    """Passes over ``{% generation %}``, which marks trainable text in Hugging Face templates."""

    tags = {"generation"}  # noqa: RUF012 - jinja2 declares it so

    def parse(self, parser: jinja2.parser.Parser) -> list[jinja2.nodes.Node]:
        parser.stream.skip(1)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def _tojson(value: object, indent: int | None = None, *, sort_keys: bool = False) -> str:
    # Jinja's own filter escapes HTML, which would put other tokens into the prompt.
    return json.dumps(value, ensure_ascii=False, indent=indent, sort_keys=sort_keys)


def _raise_exception(message: str) -> None:
    raise jinja2.TemplateError(message)


class ChatTemplate:
    """One template with the texts of its model's start and end tokens.

    The template comes out of a file that somebody downloaded, so it runs in Jinja's sandbox, and
    within bounds of time and memory.

    Raises:
        ModelError: the template is not valid Jinja, or does not keep within its bounds.
    """

    def __init__(self, source: str, *, bos_token: str, eos_token: str) -> None:
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=[_GenerationTag, jinja2.ext.loopcontrols],
        )
        environment.filters["tojson"] = _tojson
        environment.globals["raise_exception"] = _raise_exception
        environment.globals["strftime_now"] = PROMPT_DATE.strftime
        self._tokens = {"bos_token": bos_token, "eos_token": eos_token}
        try:
            with bounded():  # expressions of constants are computed here
                self._template = environment.from_string(source)
        except (jinja2.TemplateError, OutOfBounds) as error:
            message = f"the model's chat template cannot be read ({error}); use another GGUF file"
            raise ModelError(message) from error

    def render(self, messages: Sequence[Message], *, add_generation_prompt: bool = True) -> str:
        """The text that the model continues as the assistant.

        Raises:
            ModelError: the template refuses these messages, a system message for example, or does
                not keep within its bounds.
        """
        try:
            with bounded():
                text = self._template.render(
                    messages=[message.model_dump() for message in messages],
                    add_generation_prompt=add_generation_prompt,
                    **self._tokens,
                )
        except (jinja2.TemplateError, TypeError, ValueError, LookupError) as error:
            message = f"the model's chat template refuses the prompt: {error}"
            raise ModelError(message) from error
        except OutOfBounds as error:
            raise ModelError(f"{_HOSTILE} ({error}); use another model file") from error
        if len(text) > _LONGEST:
            raise ModelError(f"{_HOSTILE} ({len(text):,} characters); use another model file")
        return text
