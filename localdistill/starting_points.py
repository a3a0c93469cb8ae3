"""What may stand where a command wants a model, and the file or folder that it means.

    FILE.gguf, FOLDER                a path
    qwen2.5-coder-0.5b-instruct      a name in the catalogue, of a model that is on this disk
    ollama:qwen2.5-coder:0.5b        what Ollama holds (also without the prefix, if nothing else)
    lmstudio:PUBLISHER/MODEL         what LM Studio holds
    Qwen/Qwen3-4B[@REVISION]         on the Hugging Face hub (hf:Qwen/Qwen3-4B in any case)

Only the last opens a network connection, and only if the model is not in the hub's cache already.
A path that exists is always that path.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from localdistill.catalogue.entry import Entry
from localdistill.catalogue.find import Found, OnDisk, find_models
from localdistill.catalogue.load import read_catalogue
from localdistill.catalogue.places import (
    LM_STUDIO,
    OLLAMA,
    Place,
    hub_cache,
    usual_places,
)
from localdistill.catalogue.stores import find_lm_studio, find_ollama, has_ollama, ollama_name
from localdistill.display import open_display
from localdistill.errors import ConfigError, ModelError, UserError
from localdistill.events import Event
from localdistill.models import hub_origin, models_dir
from localdistill.stages import fetch
from localdistill.stages.process import run_stage

HELP = (
    "a GGUF file, a Hugging Face folder, a name of `models`, ollama:NAME, lmstudio:NAME, or "
    "ORGANISATION/NAME[@REVISION] on the Hugging Face hub (docs/models.md)"
)
_HF, _OLLAMA, _LM_STUDIO = "hf:", "ollama:", "lmstudio:"
_HUB_ID = re.compile(r"([A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(?:@([\w./-]+))?")
_OLLAMA_NAME = re.compile(r"[a-z0-9][\w.-]*:[\w.-]+", re.IGNORECASE)


def is_name(given: str) -> bool:
    """Whether ``given`` is no path but a name of one of the kinds above."""
    if Path(given).exists():
        return False
    return (
        given.startswith((_HF, _OLLAMA, _LM_STUDIO))
        or _catalogued(given) is not None
        or _hub_id(given) is not None
        or _is_ollamas(given)
    )


def locate(
    given: str,
    *,
    trained: bool = True,
    fetch_it: bool = True,
    progress: str | None = None,
    before: Callable[[], None] = lambda: None,
    alive: Callable[[], None] = lambda: None,
) -> str:
    """The path that ``given`` means; ``given`` itself where it is no name.

    ``trained`` is whether it must be a model that can be trained. A model on the hub that is not on
    this disk is fetched with a display of kind ``progress``, after ``before`` has been called,
    which may raise, and ``alive`` now and then meanwhile; with ``fetch_it`` false it is refused.

    Raises:
        ConfigError: there is no such model on this disk, it is there several times, or it cannot be
            trained.
        ModelError: the hub has no such model, or cannot be reached.
    """
    entry, hub = _catalogued(given), _hub_id(given)
    if Path(given).exists():
        return given
    if given.startswith(_LM_STUDIO):
        return str(find_lm_studio(given.removeprefix(_LM_STUDIO), _stores(LM_STUDIO)))
    if entry is not None:
        return _of_entry(given, entry, trained)
    if hub is not None:
        return _of_hub(given, hub, progress, fetch_it, before, alive)
    if given.startswith(_HF):
        raise ConfigError(f"--model {given}: write it as hf:ORGANISATION/NAME[@REVISION].")
    if given.startswith(_OLLAMA) or _is_ollamas(given):
        return str(find_ollama(given.removeprefix(_OLLAMA), _stores(OLLAMA)))
    return given


def name_of(model: Path) -> str:
    """What to call the model at ``model``: as its store does, else its file's or folder's name."""
    hub = hub_origin(model)
    if hub is not None and hub.commit == model.absolute().name:
        return hub.repo.split("/")[1]
    name = ollama_name(model)
    if name is not None:
        return name.rpartition("/")[2].replace(":", "-")
    return model.resolve().name.removesuffix(".gguf")


def name_on_hub(given: str) -> str:
    """What ``name_of`` will call the model of the hub that ``given`` means, once it is here."""
    hub = _hub_id(given)
    return (hub[0] if hub is not None else given).rpartition("/")[2]


def on_disk(look_in: Sequence[Path] = ()) -> OnDisk:
    """All models in the usual places, and in ``look_in``."""
    return find_models(read_catalogue(), _places(look_in))


def _places(look_in: Sequence[Path] = ()) -> list[Place]:
    return usual_places(
        look_in,
        models_dir(),
        environment=os.environ,
        home=_home(),
        working_directory=Path.cwd(),
    )


def _stores(label: str) -> list[Path]:
    return [place.folder for place in _places() if place.label == label]


def _is_ollamas(given: str) -> bool:
    """Names with a tag can be nothing else; of others it is asked whether Ollama has them."""
    if _OLLAMA_NAME.fullmatch(given):
        return True
    return "/" not in given and given[:1] != "." and has_ollama(given, _stores(OLLAMA))


def _catalogued(given: str) -> Entry | None:
    return next((entry for entry in read_catalogue() if entry.name == given), None)


def _of_entry(given: str, entry: Entry, trained: bool) -> str:
    if trained and entry.why_not_trainable is not None:
        raise ConfigError(f"--model {given}: {entry.why_not_trainable}.")
    if entry.bundled is not None:
        return str(models_dir() / entry.bundled)
    found = on_disk().of(entry)
    if not found:
        hub = f"--model {entry.hub.weights} fetches it from the hub, and " if entry.hub else ""
        raise ConfigError(
            f"--model {given}: it is in the catalogue, but not on this disk. {hub}"
            f"`localdistill models {given}` says how to get it otherwise."
        )
    return str(_only(given, found).path)


def _only(given: str, found: Sequence[Found]) -> Found:
    # A GGUF inside a folder with the weights is the same model's other half: the folder has both.
    folders = {one.path for one in found if one.form == "folder"}
    whole = [one for one in found if one.path.parent not in folders]
    if len(whole) > 1:
        listed = ", ".join(str(one.path) for one in whole)
        raise ConfigError(f"--model {given}: it is on this disk several times. Give one: {listed}")
    return whole[0]


def _hub_id(given: str) -> tuple[str, str | None] | None:
    """Repository and revision, if ``given`` can be on the hub and is not just a misspelt path."""
    match = _HUB_ID.fullmatch(given.removeprefix(_HF))
    if match is None:
        return None
    misspelt = given.endswith(".gguf") or Path(given).parent.is_dir()
    if (misspelt and not given.startswith(_HF)) or ".." in given:
        return None
    return match[1], match[2]


def _home() -> Path:
    """Below which the stores of other programs are; in a container where they are mounted."""
    return Path(os.environ.get("LOCALDISTILL_STORES") or Path.home())


def _of_hub(
    given: str,
    hub: tuple[str, str | None],
    progress: str | None,
    fetch_it: bool,
    before: Callable[[], None],
    alive: Callable[[], None],
) -> str:
    repo, revision = hub
    cache = hub_cache(os.environ, _home())
    request = fetch.FetchRequest(repo=repo, revision=revision, cache=cache)
    found = fetch.find_fetched(request)
    if found is not None:
        return str(found)
    if not fetch_it:
        raise ConfigError(
            f"--model {given}: no such file or folder, and not in the hub's cache ({cache}). This "
            f"command fetches nothing: `hf download {repo}` does, and so does `localdistill run`."
        )
    before()
    try:
        return str(_fetched(request, progress, alive))
    except ModelError as error:
        if given.startswith(_HF):
            raise
        raise ModelError(f"There is no file or folder {given}; on the hub: {error}") from error


def _fetched(request: fetch.FetchRequest, progress: str | None, alive: Callable[[], None]) -> Path:
    descriptor, name = tempfile.mkstemp(prefix="localdistill-fetch-", suffix=".log")
    os.close(descriptor)
    log = Path(name)
    try:
        with open_display(progress, sys.stdout) as display:

            def told(event: Event, /) -> None:
                alive()
                display(event)

            summary = run_stage(fetch.STAGE, request, told, log)
    except (UserError, KeyboardInterrupt):
        log.unlink(missing_ok=True)
        raise
    log.unlink(missing_ok=True)  # it is kept, and named, where the stage died without a word
    return Path(summary["path"])
