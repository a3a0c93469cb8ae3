"""Stage *fetch*: a model from the Hugging Face hub into the hub's own cache on this disk.

Beside *generate* from a server the only stage that uses a network, and never part of a round. What
it leaves is the cache as huggingface_hub lays it out, so that other programs find the model there,
and so does a later call without a network. Only weights as safetensors, configuration, tokenizer
and texts are taken: never a pickle, never code.

huggingface_hub 1.33 begins a file anew that another process had half fetched. Weights are
gigabytes, so they are fetched here, by ranges, into the blob that it would have made.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from localdistill.errors import ModelError
from localdistill.events import Callback, StageFinished, StageProgress, StageStarted
from localdistill.folders import require_room
from localdistill.quantization import names
from localdistill.quantization.hf_folder import INDEX, read_json, shard_names
from localdistill.stages.fetch_weights import Weights, fetch_weights

STAGE = "fetch"
_TEXTS = [
    "config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json",
    "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt",
    "chat_template.jinja", "chat_template.json", INDEX, "README.md", "LICENSE*", "NOTICE*",
]  # fmt: skip
# Without these a model can neither be trained nor be converted.
_NEEDED = ("config.json", "tokenizer.json")
_COMMIT = re.compile("[0-9a-f]{40}")
_MB = 1_000_000


class FetchRequest(BaseModel):
    """Which model, and into which cache."""

    model_config = ConfigDict(frozen=True)

    repo: str  # Qwen/Qwen2.5-Coder-0.5B-Instruct
    revision: str | None = None  # a branch, a tag or a commit; None: the main branch
    cache: Path  # folder of huggingface_hub's cache


class FetchSummary(BaseModel):
    """Where it is."""

    model_config = ConfigDict(frozen=True)

    path: Path
    commit: str


def find_fetched(request: FetchRequest) -> Path | None:
    """The folder of the model, if all that is needed of it is in the cache. Opens no connection."""
    storage = storage_folder(request)
    revision = request.revision or "main"
    try:
        named = storage / "refs" / revision
        commit = named.read_text(encoding="utf-8").strip() if named.is_file() else revision
        folder = storage / "snapshots" / commit
        return folder if _is_whole(folder) else None
    except (OSError, ValueError):  # what cannot be read or is no name is not there
        return None


def storage_folder(request: FetchRequest) -> Path:
    """Where the cache keeps all revisions of the model."""
    return request.cache / "--".join(["models", *request.repo.split("/")])


def _is_whole(folder: Path) -> bool:
    try:
        weights = _weight_names(folder)
    except ModelError:
        return False
    return all((folder / name).is_file() for name in (*_NEEDED, *weights))


def _weight_names(folder: Path) -> list[str]:
    """The files that hold the weights, as far as the folder's texts tell.

    Raises:
        ModelError: the index is damaged.
    """
    if not (folder / INDEX).is_file():
        return ["model.safetensors"]
    return shard_names(folder)


def run(request: FetchRequest, callback: Callback) -> FetchSummary:
    """Fetch what is missing; a file that an earlier call had half fetched is continued.

    Raises:
        ModelError: there is no such model, it is of a kind that cannot be used, or the hub cannot
            be reached.
        StorageError: the disk has no room for it.
    """
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.hf_api import RepoFile
    from huggingface_hub.utils import disable_progress_bars, logging

    disable_progress_bars()
    logging.set_verbosity_error()  # its advice on tokens and speed
    cache = str(request.cache)
    with _told(request):
        api = HfApi()
        revision = api.resolve_revision(request.repo, revision=request.revision, cache_dir=cache)
        commit = revision.resolved
        if not _COMMIT.fullmatch(commit):  # a folder is called so
            raise ModelError(f"{request.repo}: the hub names no commit of it. Look at HF_ENDPOINT.")
        where: dict[str, Any] = {"repo_id": request.repo, "revision": commit, "cache_dir": cache}
        folder = Path(snapshot_download(**where, allow_patterns=_TEXTS, ignore_patterns=["*/*"]))
        _check_kind(request, folder)
        listed = api.list_repo_tree(request.repo, revision=commit)
        tree = {file.path: file for file in listed if isinstance(file, RepoFile)}
        missing = [name for name in (*_NEEDED, *_weight_names(folder)) if name not in tree]
        if missing:
            raise ModelError(
                f"{request.repo}: the hub has no {missing[0]} of it. Give the repository with the "
                "original weights as safetensors, or a GGUF file of it that you have fetched."
            )
        weights = Weights(storage_folder(request), commit)
        files = [tree[name] for name in _weight_names(folder)]
        total = sum(file.size for file in files)
        have = sum(weights.have(file) for file in files)
        require_room(request.cache, total - have)
        progress = _Progress(callback, request.repo, total, have)
        for file in files:
            if file.lfs is not None:  # the rest is small
                fetch_weights(request.repo, file, weights, progress.add)
        path = Path(
            snapshot_download(
                **where,
                allow_patterns=[*_TEXTS, *(file.path for file in files)],
                ignore_patterns=["*/*"],
            )
        )
    if not _is_whole(path):
        raise ModelError(f"{path}: is not whole. Remove the folder and give the command again.")
    callback(StageFinished(stage=STAGE, summary={"commit": commit}))
    return FetchSummary(path=path, commit=commit)


def _check_kind(request: FetchRequest, folder: Path) -> None:
    """Refuse before gigabytes are fetched what could not be used afterwards."""
    if not (folder / "config.json").is_file():
        raise ModelError(
            f"{request.repo}: has no config.json, so it holds no whole model in Hugging Face's "
            "form (GGUF files or an adapter?). Give the repository with the original weights."
        )
    config = read_json(folder / "config.json")
    names.check_architecture(str(config.get("model_type")), request.repo)
    if config.get("quantization_config"):
        raise ModelError(f"{request.repo}: a quantised model. Give its original in 16 bits.")


class _Progress:
    """Counts bytes in megabytes, and speaks once for each."""

    def __init__(self, callback: Callback, repo: str, total: int, have: int) -> None:
        self.callback, self.bytes, self.told = callback, have, have // _MB
        self.total = max(1, total // _MB)
        callback(
            StageStarted(
                stage=STAGE,
                title=f"fetch {repo}",
                total=self.total,
                done=min(self.told, self.total),
                unit="MB",
            )
        )

    def add(self, count: int) -> None:
        """``count`` more bytes; negative where some have to be fetched again."""
        self.bytes += count
        done = min(self.bytes // _MB, self.total)
        if done != self.told:
            self.told = done
            self.callback(StageProgress(stage=STAGE, done=done))


@contextlib.contextmanager
def _told(request: FetchRequest) -> Iterator[None]:
    """Turn what huggingface_hub and httpx raise into one line with a fix."""
    import httpx
    from huggingface_hub import errors

    repo = request.repo
    at = f"{repo}@{request.revision}" if request.revision else repo
    try:
        yield
    except errors.GatedRepoError as error:
        text = f"{repo}: its makers want their terms accepted. Accept them on the model's page and"
        raise ModelError(f"{text} log in here with `hf auth login`.") from error
    except errors.RepositoryNotFoundError as error:
        text = f"{repo}: the hub has no such model, or it is private. Check the name, or log in"
        raise ModelError(f"{text} with `hf auth login`.") from error
    except errors.RevisionNotFoundError as error:
        text = f"{at}: the model has no such branch, tag or commit. Leave out the part after @"
        raise ModelError(f"{text} for the main branch.") from error
    except errors.HFValidationError as error:
        raise ModelError(f"{at}: no name of a model on the hub (ORGANISATION/NAME).") from error
    except (
        errors.RevisionResolutionError,
        errors.LocalEntryNotFoundError,
        errors.OfflineModeIsEnabled,
        errors.HfHubHTTPError,
        errors.FileMetadataError,
        httpx.HTTPError,
    ) as error:
        raise ModelError(f"{at}: is not on this disk, and {_unreachable(error)}") from error


def _unreachable(error: Exception) -> str:
    from huggingface_hub import constants

    if constants.is_offline_mode():
        return "HF_HUB_OFFLINE forbids to fetch it. Unset that variable, or give a folder or file."
    causes = [error, *_causes(error)]
    what = next((str(each).splitlines()[0] for each in reversed(causes) if str(each)), "no answer")
    return (
        f"the hub ({constants.ENDPOINT}) cannot be reached ({what}). Give the same command when "
        "there is a network (it goes on from here), or give a folder or a GGUF file."
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    while (cause := error.__cause__ or error.__context__) is not None:
        yield cause
        error = cause
