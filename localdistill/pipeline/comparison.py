"""Models of a run scored on dev, where all choices are made, and compared on eval."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from localdistill.deadline import OutOfTime
from localdistill.decodings import samples_of
from localdistill.detectable import what_can_be_shown
from localdistill.events import Notice, Scored
from localdistill.markers import done_facts, is_done
from localdistill.pipeline.models import Contender, Model
from localdistill.pipeline.openings import open_eval
from localdistill.pipeline.session import Session
from localdistill.sampling import Sampling
from localdistill.stages import decoding, evaluate, generate_resume, scoring
from localdistill.types import DecodingChoice, EvalResult, ModelScore


def problems_of(session: Session, split: str) -> Path:
    """What of ``split`` models are compared on: all, or as many problems as there was time for."""
    part = session.directory.problems(f"{split}-part")
    return part if is_done(part) else session.directory.problems(split)


def make_time(session: Session, split: str, drawn: int, models: int) -> None:
    """Choose as many problems of ``split`` as there is time for, unless that was done before.

    ``drawn``: completions of each problem, of all ``models`` together.

    Raises:
        OutOfTime: there is time for too few.
    """
    whole, part = session.directory.problems(split), session.directory.problems(f"{split}-part")
    if is_done(part):
        total, count = (int(done_facts(path)["count"]) for path in (whole, part))
        session.time.note_part(total, count, split)
    elif session.time.limited and not session.directory.scores(split, "base").parent.exists():
        session.time.problems(whole, part, drawn, models, share=0.5 if split == "dev" else 1.0)


def size_of(session: Session, split: str) -> int:
    """How many problems models are compared on in ``split`` (dev, eval)."""
    path = problems_of(session, split)
    return int(done_facts(path)["count"]) if is_done(path) else 0


def as_configured(session: Session, model: Model) -> Contender:
    """``model`` decoded as ``evaluate`` says, without a look at dev."""
    return Contender(model, session.config.evaluate.sampling())


def on_dev(session: Session, model: Model) -> Contender:
    """``model`` with its best decoding on dev, of those that ``evaluate`` names.

    Raises:
        LocaldistillError: see ``stages.decoding``.
    """
    grid, folder = session.config.evaluate.grid(), session.directory.scores("dev", model.label)
    request = decoding.DecodingRequest(
        model=evaluate.ModelUnderTest(label=model.label, gguf=model.gguf, work_dir=folder),
        decodings=grid,
        out=_choice(session, model),
        **_how(session, "dev"),
    )
    found = _found_or_there(session, "decoding", request, request.out)
    choice = DecodingChoice.model_validate(found)
    for name in grid:
        session.record_sandbox(folder / name / scoring.VERDICTS)
    contender = Contender(model, grid[choice.name], choice)
    _tell(session, "dev", model, contender.score)
    return contender


def is_scored_on_dev(session: Session, model: Model) -> bool:
    """Whether ``on_dev`` has scored ``model``, in this call or an earlier one."""
    return is_done(_choice(session, model))


def _choice(session: Session, model: Model) -> Path:
    return session.directory.scores("dev", model.label) / "decoding.json"


def _found_or_there(session: Session, name: str, request: BaseModel, out: Path) -> dict[str, Any]:
    """What stage ``name`` has found, or where there is no time to look again what it had before.

    Raises:
        OutOfTime: there is no time, and nothing is there.
    """
    try:
        return session.stage(name, request)
    except OutOfTime:
        if not is_done(out):
            raise
    found: dict[str, Any] = json.loads(out.read_bytes())
    return found


def compare_on_dev(
    session: Session, mine: Contender, base: Contender, out: Path | None = None
) -> EvalResult:
    """A round's model against the starting model, on what ``on_dev`` has drawn of both.

    Written to ``out``: the round's ``evaluation.json``, if None.
    """
    folders = [
        session.directory.scores("dev", each.model.label) / each.choice.name
        for each in (mine, base)
        if each.choice is not None
    ]
    out = out or session.directory.round(mine.model.round).evaluation
    return _compare(session, "dev", (mine, base), folders, out)


def compare_on_eval(session: Session, mine: Contender, base: Contender) -> EvalResult:
    """The run's new model against its starting model, with samples that nothing was chosen by.

    Raises:
        OutOfTime: there is no time for it.
        LocaldistillError: see ``stages.evaluate``.
    """
    chosen = mine.sampling, base.sampling
    mine, base = _as_opened(session, mine, base)
    if (mine.sampling, base.sampling) != chosen:
        text = "Models are compared as they were decoded when eval was opened, not by the choice on"
        text += " dev that was made since."
        session.callback(Notice(level="warning", message=text))
    folders = [session.directory.scores("eval", each.model.label) for each in (mine, base)]
    samples = _samples(session, mine.sampling)
    theirs = _samples(session, base.sampling)
    make_time(session, "eval", samples + theirs, models=2)
    if not is_done(session.directory.evaluation):
        _say_what_is_left_to_see(session, min(samples, theirs))
    openings = open_eval(session, mine.model, size_of(session, "eval"), samples)
    out = session.directory.evaluation
    result = _compare(session, "eval", (mine, base), folders, out, openings=openings)
    for each, score in ((base, result.baseline), (mine, result.candidate)):
        if score is not None:
            _tell(session, "eval", each.model, score)
    return result


def _say_what_is_left_to_see(session: Session, samples: int) -> None:
    """Where eval is cut short for want of time: how large a gain what is left of it can show."""
    if problems_of(session, "eval") != session.directory.problems("eval"):
        problems = size_of(session, "eval")
        text, coarse = what_can_be_shown(session.config.evaluate, problems, samples)
        session.callback(Notice(level="warning" if coarse else "info", message=text))


def _as_opened(session: Session, mine: Contender, base: Contender) -> tuple[Contender, Contender]:
    """Both models decoded as eval was opened for them, where it was before.

    A run that had no time for dev, and is continued with more, chooses other ways of decoding then;
    samples of eval that are there are not drawn once more in another way. The starting model's way
    then holds for the new one too, if that has not been sampled yet.
    """
    before = _opened_with(session, base.model)
    if before is not None and before != base.sampling:
        mine, base = replace(mine, sampling=before), replace(base, sampling=before)
    before = _opened_with(session, mine.model)
    return (mine if before is None else replace(mine, sampling=before)), base


def _opened_with(session: Session, model: Model) -> Sampling | None:
    """How ``model`` was decoded when eval was opened for it; None: it was not."""
    place = session.directory.scores("eval", model.label)
    path = generate_resume.record(place / scoring.COMPLETIONS)
    if not path.is_file():
        return None
    try:
        begun = json.loads(path.read_bytes())
        return Sampling(**{name: begun[name] for name in Sampling.model_fields if name in begun})
    except (ValueError, TypeError):
        return None  # the stage says what is wrong with it


def compare_control(session: Session, mine: Contender, base: Contender, out: Path) -> EvalResult:
    """A control against the starting model on eval, in the opening that was made for the run's own.

    Raises:
        LocaldistillError: see ``stages.evaluate``.
    """
    mine, base = _as_opened(session, mine, base)
    folders = [session.directory.scores("eval", each.model.label) for each in (mine, base)]
    return _compare(session, "eval", (mine, base), folders, out)


def _compare(
    session: Session,
    split: str,
    pair: tuple[Contender, Contender],
    folders: list[Path],
    out: Path,
    **more: Any,
) -> EvalResult:
    mine, base = (
        evaluate.ModelUnderTest(
            label=each.model.label,
            gguf=each.model.gguf,
            work_dir=folder,
            sampling=each.sampling,
            samples=_samples(session, each.sampling),
        )
        for each, folder in zip(pair, folders, strict=True)
    )
    request = evaluate.EvaluateRequest(
        candidate=mine,
        baseline=base,
        sampling=session.config.evaluate.sampling(),
        choices=[score for each in reversed(pair) for score in each.scores],
        out=out,
        **_how(session, split),
        **more,
    )
    found = _found_or_there(session, "evaluate", request, out)
    for folder in folders:
        session.record_sandbox(folder / scoring.VERDICTS)
    return EvalResult.model_validate(found)


def _samples(session: Session, sampling: Sampling) -> int:
    wanted = session.config.evaluate
    return samples_of(sampling, wanted.samples, wanted.ks)


def _how(session: Session, split: str) -> dict[str, Any]:
    """What all requests on ``split`` have alike."""
    config = session.config
    return {
        "problems": str(problems_of(session, split)),
        "name": split,
        "samples": config.evaluate.samples,
        "ks": config.evaluate.ks,
        "seed": config.seed,
        "slots": config.generate.slots,
        "threads": config.generate.threads,
        "gpu_layers": config.generate.gpu_layers,
        "weights": config.generate.weights,
        "deterministic": config.deterministic,
        "sandbox": config.verify.sandbox,
        "workers": config.verify.workers,
        "level": config.evaluate.level,
        "interval": config.evaluate.interval,
    }


def _tell(session: Session, split: str, model: Model, score: ModelScore) -> None:
    first = score.pass_at[0]
    session.callback(
        Scored(
            problem_set=split,
            model=model.label,
            round=model.round,
            k=first.k,
            value=first.value,
            low=first.low,
            high=first.high,
        )
    )
