"""Claim: a run that is struck at a random moment goes on with the same command, to the same result.

    python benchmarks/chaos.py --trials 50             # `make chaos`
    python benchmarks/chaos.py --only 17               # trial 17 of the same seed once more
    python benchmarks/chaos.py --kinds group full      # these only
    python benchmarks/chaos.py --quick                 # begin each where the stage to strike begins
    python benchmarks/chaos.py --image NAME            # of which containers are struck as well

A short deterministic run of the seed model is made once, undisturbed. In each trial the same run is
begun in a new directory and struck once: kinds take turns, moments are drawn evenly over all stages
(and over time within one). Then the command is given again, until it is through. What was
completed, selected and judged, the file of each round's model, and the verdict must be those of the
undisturbed run, and no process may be left. A full disk needs root, who may mount one; it is
enlarged before the command goes on. The directory of a failed trial is kept.

Where an engine has the image (NAME, else the one of the pages or of the tests), some runs are in
containers, which are killed or paused, and are compared with an undisturbed run in one.

Prints a line for each trial and, last, one line of JSON; exit code 1 if a trial failed.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from chaos_run import Call, Command, Moment, copier, docker, moments, outcome
from chaos_strikes import IN_CONTAINER, KINDS, Kind, Missed, enlarge

_IMAGES = ("localdistill:test", "localdistill:passed", "localdistill")  # that of the tests first
_CALLS = 3  # after the one that was struck: a call may go into the damage once more
_GONE_S = 60.0  # for what the kernel ends by itself
_ROOM = 3 << 28  # bytes of a small disk, beside what the run takes


@dataclass
class Ground:
    """Where runs are made, and what the undisturbed one came to there."""

    name: str
    command: Command
    kinds: dict[str, Kind]
    whole: dict[str, str] = field(default_factory=dict)
    parts: list[Moment] = field(default_factory=list)


@dataclass
class Trial:
    """One run that is struck once."""

    number: int
    kind: str
    moment: Moment
    chance: random.Random
    ground: Ground
    told: str = ""
    faults: list[str] = field(default_factory=list)
    missed: bool = False  # the run had ended before it could be struck
    calls: int = 1
    seconds: float = 0.0
    stopped_s: float | None = None  # from the strike to the end of the call

    def line(self) -> str:
        """What a person reads of it."""
        fate = "FAILED: " + "; ".join(self.faults) if self.faults else "ok"
        took = f", ended after {self.stopped_s:.1f} s" if self.stopped_s is not None else ""
        where = "missed: " * self.missed + self.moment.name
        return (
            f"{self.number:3d}  {self.kind:8s}  {where}: {self.told}{took}; "
            f"{self.calls} calls, {self.seconds:.0f} s: {fate}"
        )


def main() -> None:
    """Run undisturbed, then strike again and again, and compare."""
    args = _arguments()
    # Of a job in the background it is ignored, and would be by what is started here.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    work = Path(tempfile.mkdtemp(prefix="chaos-", dir=args.dir))
    grounds = _grounds(args, work)
    for ground in grounds:
        _undisturbed(ground, work, args)
        seconds = sum(part.seconds for part in ground.parts)
        verdict = ground.whole["verdict"]
        print(f"undisturbed, {ground.name}: {seconds:.0f} s, {verdict}", flush=True)
    trials = []
    for trial in _drawn(args, grounds):
        _run(trial, work, args)
        print(trial.line(), flush=True)
        trials.append(trial)
    failed = [trial.number for trial in trials if trial.faults]
    if not failed:
        shutil.rmtree(work)
    print(json.dumps(_summary(trials, args.seed) | ({"kept": str(work)} if failed else {})))
    sys.exit(1 if failed else 0)


def _grounds(args: argparse.Namespace, work: Path) -> list[Ground]:
    """This machine and, where there is an image, containers; each with the kinds that are asked."""
    asked = args.kinds or [*KINDS, *IN_CONTAINER]
    here = {name: KINDS[name] for name in asked if name in KINDS}
    if "full" in here and not _may_mount(work):
        del here["full"]
        print("full: left out, as only root may mount a small disk", flush=True)
    there = {name: IN_CONTAINER[name] for name in asked if name in IN_CONTAINER}
    image = args.image or next(filter(_has_image, _IMAGES), None) if there else None
    if there and image is None:
        print(f"{', '.join(there)}: left out, as no engine here has an image", flush=True)
    found = [Ground("here", Command(args.rounds, args.set), here)] if here else []
    if image is not None:
        found.append(Ground(f"in {image}", Command(args.rounds, args.set, image), there))
    return found


def _has_image(name: str) -> bool:
    command = ["docker", "image", "inspect", name]
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def _place_of(ground: Ground, work: Path) -> Path:
    return work / ("undisturbed" if ground.command.image is None else "undisturbed-container")


def _undisturbed(ground: Ground, work: Path, args: argparse.Namespace) -> None:
    place = _place_of(ground, work)
    place.mkdir()
    copy = copier(place / "run", place / "snapshots") if args.quick else None
    call = ground.command.call(place / "run", place / "log.txt", copy)
    code = call.end()
    if code != 0:
        sys.exit(f"chaos: the undisturbed run ended with exit code {code}: {call.said()}")
    ground.whole = outcome(place / "run")
    ground.parts = moments(call, time.monotonic() - call.began)


def _drawn(args: argparse.Namespace, grounds: list[Ground]) -> list[Trial]:
    """The trials, the same for the same seed: kinds in turn, each over all parts that suit it."""
    decks: dict[str, list[Moment]] = {}
    trials = []
    kinds = [(name, kind, ground) for ground in grounds for name, kind in ground.kinds.items()]
    for number in range(max(args.trials, (args.only or 0) + 1)):
        name, kind, ground = kinds[number % len(kinds)]
        chance = random.Random(f"{args.seed}/{number}")
        if not decks.get(name):
            decks[name] = [part for part in ground.parts if kind.suits(part)]
            random.Random(f"{args.seed}/{name}/{number}").shuffle(decks[name])
        trials.append(Trial(number, name, decks[name].pop(), chance, ground))
    return trials if args.only is None else [trials[args.only]]


def _run(trial: Trial, work: Path, args: argparse.Namespace) -> None:
    command, whole = trial.ground.command, trial.ground.whole
    like = _place_of(trial.ground, work)
    place = work / f"{trial.number:03d}"
    place.mkdir()
    if trial.kind == "full":
        _mount(place, like)
    directory, began = place / "run", time.monotonic()
    snapshot = like / "snapshots" / str(trial.moment.number)
    if snapshot.exists():
        shutil.copytree(snapshot, directory)
    log = work / f"{trial.number:03d}"
    code, tree = _struck(trial, command.call(directory, log.with_suffix(".log")), directory)
    if trial.kind == "full":
        enlarge(place)
    while code != 0 and trial.calls <= _CALLS:
        call = command.call(directory, log.with_suffix(f".{trial.calls}.log"))
        trial.calls += 1
        code = call.end()
    if code != 0:
        said = call.said()[-500:]
        trial.faults.append(f"the same command does not go on: exit code {code}: {said}")
    else:
        found = outcome(directory)
        trial.faults += [f"another {name}" for name in whole if found.get(name) != whole[name]]
    trial.faults += _left(tree)
    if command.image is not None:
        left = docker("ps", "--all", "--quiet", "--filter", f"volume={place}")
        trial.faults += [f"a container is left behind: {left.strip()}"] if left else []
    trial.seconds = time.monotonic() - began
    if trial.kind == "full":
        _keep_and_unmount(place, keep=bool(trial.faults))
    if not trial.faults:
        shutil.rmtree(place)


def _struck(trial: Trial, call: Call, directory: Path) -> tuple[int, list[psutil.Process]]:
    """Strike ``call`` and wait for its end; returns its exit code, and what processes it had."""
    kind = trial.ground.kinds[trial.kind]
    trial.missed = not call.reach(
        trial.moment, trial.chance.uniform(0, max(trial.moment.seconds, 0.05))
    )
    tree = call.tree()
    if not trial.missed:
        try:
            trial.told = kind.strike(call, directory, trial.chance)
        except Missed as error:
            trial.missed, trial.told = True, str(error)
        except subprocess.CalledProcessError as error:  # an engine has no such container (any more)
            trial.missed, trial.told = True, (error.stderr or str(error)).strip()
    struck = time.monotonic()
    code = call.end()
    if trial.missed:
        return code, tree
    trial.stopped_s = time.monotonic() - struck
    # A signal that comes before the first stage, or when all is written and Python takes itself
    # apart, ends the process as it does any other.
    begun_or_over = not call.starts or (directory / "evaluation.json.done").exists()
    by_signal = trial.kind == "stop" and code in (-signal.SIGTERM, -signal.SIGINT)
    if code not in kind.codes and code != 0 and not (by_signal and begun_or_over):
        trial.faults.append(f"exit code {code}: {call.said()[-500:]}")
    if kind.ends_s is not None and trial.stopped_s > kind.ends_s:
        trial.faults.append(f"not stopped within {kind.ends_s:.0f} s")
    if kind.one_line and call.said().count("\n") > 1:
        trial.faults.append(f"more than a line: {call.said()[-500:]}")
    return code, tree


def _left(tree: list[psutil.Process]) -> list[str]:
    """Processes that are still there when the run has come to its end."""
    _, alive = psutil.wait_procs(tree, timeout=_GONE_S)
    left = []
    for process in alive:
        try:
            if process.status() != psutil.STATUS_ZOMBIE:
                left.append(f"left behind: {' '.join(process.cmdline())[:100]}")
        except psutil.NoSuchProcess:
            continue
    return left


def _may_mount(work: Path) -> bool:
    probe = work / "probe"
    probe.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", probe]
    if subprocess.run(command, capture_output=True, check=False).returncode != 0:
        return False
    subprocess.run(["umount", probe], check=True)
    return True


def _mount(place: Path, like: Path) -> None:
    size = sum(path.stat().st_size for path in like.rglob("*") if path.is_file()) + _ROOM
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", place], check=True)


def _keep_and_unmount(place: Path, *, keep: bool) -> None:
    (place / "filler").unlink(missing_ok=True)
    if keep:
        shutil.copytree(place, place.with_name(f"{place.name}.kept"))
    subprocess.run(["umount", place], check=True)


def _summary(trials: list[Trial], seed: int) -> dict[str, object]:
    tried = Counter(trial.kind for trial in trials if not trial.missed)
    passed = Counter(trial.kind for trial in trials if not trial.missed and not trial.faults)
    stops = [t.stopped_s for t in trials if t.kind == "stop" and t.stopped_s is not None]
    return {
        "trials": len(trials),
        "passed": {kind: f"{passed[kind]} of {tried[kind]}" for kind in tried},
        "missed": sum(trial.missed for trial in trials),
        "failed": [trial.number for trial in trials if trial.faults],
        "stages": len({trial.moment.name for trial in trials if not trial.missed}),
        "slowest_stop_s": round(max(stops), 1) if stops else None,
        "seed": seed,
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, metavar="N", help="trial N alone")
    parser.add_argument("--kinds", nargs="+", choices=KINDS | IN_CONTAINER)
    parser.add_argument("--image", help=f"for containers; else one of {', '.join(_IMAGES)}")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="do not repeat what came before")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--dir", type=Path, help="where to work; else among temporary files")
    return parser.parse_args()


if __name__ == "__main__":
    main()
