"""A GGUF model opened with llama.cpp: its weights, vocabulary and chat template."""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from collections import deque
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from localdistill import memory
from localdistill.backends.chat_template import ChatTemplate
from localdistill.errors import MemoryShortage, MissingDependency, ModelError
from localdistill.thinking import CLOSE, OPEN
from localdistill.types import Message

# The last complaints of llama.cpp, for messages to the user; it reports a cause in its log only.
_complaints: deque[str] = deque(maxlen=4)
_log_callback: Any = None  # kept, or the C side would call freed memory
_WARNING, _ERROR = 3, 4  # ggml_log_level


def bindings() -> Any:
    """The ``llama_cpp`` module, its log cut down to warnings on standard error.

    Raises:
        MissingDependency: llama-cpp-python is not installed.
    """
    global _log_callback  # noqa: PLW0603 - llama.cpp has one log for a process
    if "OMP_WAIT_POLICY" not in os.environ:
        # llama.cpp's threads meet hundreds of times a token. GNU OpenMP lets them spin for it
        # 300,000 turns long, as if the machine were theirs alone: beside other programs each spin
        # lasts until the thread that is waited for gets a core again. With too few turns they sleep
        # and wake each time. Seed model, 16 sequences, 2 threads on 2 cores, tokens/s: 5,000 with
        # the default, 1,900 with 100 turns, 3,900 to 5,700 with 3,000. Beside two busy loops: 2,000
        # to 2,200 with either of the larger ones. Read when the library is loaded.
        os.environ.setdefault("GOMP_SPINCOUNT", "3000")
    try:
        import llama_cpp
    except (ImportError, OSError, RuntimeError) as error:
        raise MissingDependency(
            f"llama-cpp-python cannot be loaded ({error}): run `make install`"
        ) from error
    if _log_callback is None:

        def log(level: int, text: bytes, _user: object) -> None:
            if level in (_WARNING, _ERROR):
                line = text.decode(errors="replace")
                sys.stderr.write(line)
                if level == _ERROR and line.strip():
                    _complaints.append(line.strip())

        _log_callback = llama_cpp.llama_log_callback(log)
        llama_cpp.llama_log_set(_log_callback, ctypes.c_void_p(0))
        llama_cpp.llama_backend_init()
    return llama_cpp


def forget_causes() -> None:
    """What llama.cpp complains of from now on is what is asked next."""
    _complaints.clear()


def cause() -> str:
    """What llama.cpp has complained of since ``forget_causes``, in brackets; or nothing."""
    return f" ({_complaints[0]})" if _complaints else ""


def check_header(path: Path) -> None:
    """Refuse what is plainly no GGUF model, before C code reads it.

    Raises:
        ModelError: missing, a folder, empty, another kind of file, or an unsupported version.
    """
    if not path.exists():
        raise ModelError(f"{path}: no such model file; give the path of a .gguf file")
    if path.is_dir():
        raise ModelError(f"{path} is a folder; to generate, give a .gguf file (export makes one)")
    try:
        with path.open("rb") as file:
            header = file.read(24)
    except OSError as error:
        raise ModelError(f"{path} cannot be read ({error.strerror}); check its rights") from error
    if len(header) < 24 or header[:4] != b"GGUF":
        raise ModelError(f"{path} is not a GGUF file; download or export it again")
    version, tensors, entries = struct.unpack("<IQQ", header[4:])
    if version not in (2, 3):
        raise ModelError(
            f"{path}: GGUF version {version} is not supported; convert it to version 3"
        )
    if not 0 < tensors < 1_000_000 or not 0 < entries < 1_000_000:
        raise ModelError(f"{path}: its GGUF header is damaged; download or export it again")


class LlamaModel:
    """Weights, vocabulary and template of one GGUF file. ``close`` frees them.

    ``weights`` is the same model in another form, opened in its place; ``path`` stands in messages.
    ``vocabulary_only``: no weights are read, so that it takes no memory and nothing can be drawn.

    Raises:
        ModelError: the file is no model that llama.cpp can read, or it has no chat template.
        MemoryShortage: llama.cpp finds no room for it.
    """

    def __init__(
        self,
        path: Path,
        *,
        gpu_layers: int,
        weights: Path | None = None,
        vocabulary_only: bool = False,
    ) -> None:
        check_header(path)
        self.path = path
        self._lib = bindings()
        params = self._lib.llama_model_default_params()
        params.n_gpu_layers = gpu_layers
        params.vocab_only = vocabulary_only
        forget_causes()
        self.handle = self._lib.llama_model_load_from_file(str(weights or path).encode(), params)
        if not self.handle and memory.is_short(cause()):
            raise MemoryShortage(f"{path}: no memory to load it{cause()}. Close other programs.")
        if not self.handle:
            raise ModelError(
                f"{path} cannot be read as a model{cause()}; it may be damaged or cut short: "
                "download or export it again"
            )
        self.vocab = self._lib.llama_model_get_vocab(self.handle)
        self.vocab_size = int(self._lib.llama_vocab_n_tokens(self.vocab))
        self.trained_context = int(self._lib.llama_model_n_ctx_train(self.handle))
        is_end = self._lib.llama_vocab_is_eog
        self.end_tokens = frozenset(t for t in range(self.vocab_size) if is_end(self.vocab, t))
        self._bos = int(self._lib.llama_vocab_bos(self.vocab))
        self._adds_bos = bool(self._lib.llama_vocab_get_add_bos(self.vocab)) and self._bos >= 0
        self._pieces: dict[int, bytes] = {}
        try:
            self.template = self._chat_template()
        except ModelError:
            self.close()
            raise

    @property
    def cache_bytes(self) -> int:
        """Bytes that the cache takes for one token: a key and a value of 16 bits in each layer."""
        lib, heads = self._lib, int(self._lib.llama_model_n_head(self.handle))
        width = int(lib.llama_model_n_embd(self.handle)) // max(1, heads)
        width = int(self._meta("attention.key_length") or width)
        shared = int(lib.llama_model_n_head_kv(self.handle))
        return int(lib.llama_model_n_layer(self.handle)) * shared * width * 2 * 2

    def _meta(self, key: str) -> str:
        """Metadata ``key`` of the model's architecture; empty where there is none."""
        buffer = ctypes.create_string_buffer(64)
        architecture = ctypes.create_string_buffer(64)
        read = self._lib.llama_model_meta_val_str
        read(self.handle, b"general.architecture", architecture, len(architecture))
        found = read(self.handle, architecture.value + b"." + key.encode(), buffer, len(buffer))
        return buffer.value.decode() if found >= 0 else ""

    def _chat_template(self) -> ChatTemplate:
        source = self._lib.llama_model_chat_template(self.handle, None)
        if not source:
            raise ModelError(
                f"{self.path} has no chat template; use an instruct model, or add a template to "
                "the file with gguf's `gguf-new-metadata --chat-template-file`"
            )
        eos = int(self._lib.llama_vocab_eos(self.vocab))
        return ChatTemplate(
            source.decode(errors="replace"),
            bos_token=self._token_text(self._bos),
            eos_token=self._token_text(eos),
        )

    def _token_text(self, token: int) -> str:
        if token < 0:
            return ""
        text: bytes = self._lib.llama_vocab_get_text(self.vocab, token)
        return text.decode(errors="replace")

    def prompt_tokens(self, messages: Sequence[Message]) -> list[int]:
        """Tokens of ``messages`` in the model's template, up to where its answer begins."""
        return self.tokens_of_prompt(self.template.render(messages))

    def tokens_of_prompt(self, text: str) -> list[int]:
        """Tokens of a rendered prompt."""
        tokens = self.tokenize(text)
        # Some templates write the start token and some leave it to the tokenizer: one is wanted.
        if self._adds_bos and tokens[:1] != [self._bos]:
            tokens.insert(0, self._bos)
        return tokens

    def tokenize(self, text: str) -> list[int]:
        """Tokens of ``text``; special tokens that stand in it count as such, none are added."""
        data = text.encode()
        room = len(data) + 8
        while True:
            buffer = (ctypes.c_int32 * room)()
            count = self._lib.llama_tokenize(self.vocab, data, len(data), buffer, room, False, True)
            if count >= 0:
                return list(buffer[:count])
            room = -count

    def text(self, tokens: Iterable[int]) -> str:
        """The text of ``tokens``, without control tokens.

        A token may hold a part of a character, so bytes are joined first; what is no UTF-8 even
        then becomes U+FFFD.
        """
        return b"".join(map(self.piece, tokens)).decode("utf-8", errors="replace")

    def piece(self, token: int) -> bytes:
        """The bytes of one token; none for a control token.

        Some files declare the tags of thinking as such. They are a part of what a model says.
        """
        piece = self._pieces.get(token)
        if piece is None:
            room = 64
            while True:
                buffer = ctypes.create_string_buffer(room)
                count = self._lib.llama_token_to_piece(self.vocab, token, buffer, room, 0, False)
                if count >= 0:
                    break
                room = -count
            piece = buffer.raw[:count]
            if not piece and self._token_text(token) in (OPEN, CLOSE):
                piece = self._token_text(token).encode()
            self._pieces[token] = piece
        return piece

    def close(self) -> None:
        """Free the weights."""
        if self.handle:
            self._lib.llama_model_free(self.handle)
            self.handle = None
