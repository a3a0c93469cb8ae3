"""Runs a stage in a process of its own, so that its memory is really given back at its end.

The request goes in as JSON on stdin. Events and, last, the result come back as JSON lines on a
pipe; stdout and stderr, where llama.cpp, Unsloth and others talk, go to a log file. The process is
killed by the kernel when the one that started it dies.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import importlib
import json
import os
import signal
import subprocess
import sys
import traceback
import types
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from pydantic import BaseModel

from localdistill import bounded, control, errors, memory
from localdistill.errors import (
    GpuLost,
    LocaldistillError,
    MemoryShortage,
    MissingDependency,
    ModelError,
    StageFailed,
    Stopped,
    storage_error,
)
from localdistill.events import EVENT, Callback, Event
from localdistill.stages.running import RUNNING

# What a stage runs: module under localdistill.stages -> its request type.
STAGES = {
    "fetch": "FetchRequest",
    "prepare": "PrepareRequest",
    "generate": "GenerateRequest",
    "verify": "VerifyRequest",
    "select": "SelectRequest",
    "budget": "BudgetRequest",
    "train": "TrainRequest",
    "export": "ExportRequest",
    "diversity": "DiversityRequest",
    "decoding": "DecodingRequest",
    "evaluate": "EvaluateRequest",
    "regression": "RegressionRequest",
}
_PR_SET_PDEATHSIG = 1
_NO_MEMORY = (
    "memory ran out. Close other programs, take a smaller model or batch size, or fewer slots; "
    "the same command goes on from here."
)
# As PyTorch and llama.cpp say that a GPU does not work any more, in lower case.
_GPU_WORDS = (
    "cuda error", "cuda driver error", "cudaerror", "cublas_status", "cudnn_status", "hip error",
    "gpu is lost", "fallen off the bus", "unspecified launch failure", "no cuda gpus are available",
)  # fmt: skip
_GPU_LOST = (
    "the GPU failed ({}). See `nvidia-smi` and `dmesg | grep -i xid`; when it answers again, maybe "
    "after the machine was started anew, the same command goes on from here."
)


def run_stage(
    stage: str,
    request: BaseModel,
    callback: Callback,
    log: Path,
    inherit: Sequence[int] = (),
    *,
    nice: int = 0,
    started: Callable[[subprocess.Popen[bytes]], None] | None = None,
) -> dict[str, Any]:
    """Run ``stage`` in a child process and return its summary as plain values.

    ``inherit`` are descriptors that the child keeps open (the run's stage lock). ``nice`` is how
    much it gives way to other processes (0 to 19). ``started`` is handed the child, so that another
    thread can end it.

    Raises:
        LocaldistillError: what the stage raised, of the same class and with the same message.
        StageFailed: it ended without a result; the message names the log.
        Stopped: ``running.RUNNING`` was told to stop; it has ended as it should.
    """
    if RUNNING.stopping:
        raise Stopped
    log.parent.mkdir(parents=True, exist_ok=True)
    read_end, write_end = os.pipe()
    with log.open("ab") as log_file:
        log_start = log_file.tell()
        child = subprocess.Popen(
            [
                *(sys.executable, "-m", __name__, stage),
                *map(str, (write_end, os.getpid(), nice, RUNNING.descriptor)),
            ],
            stdin=subprocess.PIPE,
            stdout=log_file,
            stderr=log_file,
            pass_fds=(write_end, RUNNING.descriptor, *inherit),
            env=_surroundings(stage),
            # Ctrl-C reaches the run only, which then ends its stage in order.
            start_new_session=True,
        )
    outcome: dict[str, Any] = {}
    try:
        os.close(write_end)
        if started is not None:
            started(child)
        with RUNNING.child(child), os.fdopen(read_end, "rb") as pipe:
            with contextlib.suppress(BrokenPipeError), child.stdin or _nowhere() as stdin:
                stdin.write(request.model_dump_json().encode())
            for message in _messages(pipe):
                if "event" in message:
                    callback(EVENT.validate_python(message["event"]))
                else:
                    outcome = message
            code = child.wait()
    finally:
        _end(child)
    if "result" in outcome:
        result: dict[str, Any] = outcome["result"]
        return result
    if RUNNING.stopping:  # whatever it ended with, it was for that
        raise Stopped
    if "error" in outcome:
        kind = getattr(errors, outcome["error"], StageFailed)
        raise kind(outcome["message"])
    raise _death(stage, code, log, log_start)


def _surroundings(stage: str) -> dict[str, str]:
    """The environment of a stage's process.

    In a container (``sandbox.owner``) only what is fetched goes to the folder with the results.
    """
    # Where llama.cpp gives up it would start a debugger, and print a hundred frames after its why.
    there = {"GGML_NO_BACKTRACE": "1", **os.environ}
    scratch = there.get("LOCALDISTILL_HF_SCRATCH")
    if scratch is None or stage == "fetch":
        return there
    return {**there, "HF_HOME": scratch}


@contextlib.contextmanager
def _nowhere() -> Iterator[IO[bytes]]:
    with Path(os.devnull).open("wb") as file:
        yield file


def _messages(pipe: IO[bytes]) -> Iterator[dict[str, Any]]:
    for line in pipe:
        if not line.endswith(b"\n"):
            return  # the writer was killed in the middle of it
        yield json.loads(line)


def _end(child: subprocess.Popen[bytes]) -> None:
    """Stop the child if it still runs: politely, then for good."""
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(timeout=5)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


# A build for the processor that compiled it, on a disk or a machine that has moved.
_OTHER_PROCESSOR = (
    "an instruction that this processor does not have. What was compiled on another machine must "
    "be compiled anew: `make clean`, then `make run`. The image needs an x86-64 processor with AVX2"
)


_ENDLESS_TEMPLATE = (
    "the model's chat template has kept the processor for too long, in a step that nothing can "
    "interrupt. Use another model file"
)


def _is_of_gpu(text: str) -> bool:
    return any(words in text.lower() for words in _GPU_WORDS)


def _death(stage: str, code: int, log: Path, log_start: int = 0) -> LocaldistillError:
    """What to tell of a stage whose process ended with ``code``; its log begins at a byte."""
    if code == -signal.SIGKILL:
        return StageFailed(
            f"{stage}: its process was killed, most likely for lack of memory. "
            "The same command goes on from there; see `dmesg` and the log in " + str(log)
        )
    if code == -signal.SIGILL:
        return StageFailed(f"{stage}: {_OTHER_PROCESSOR} ({log})")
    if code == -bounded.KILLED_BY:
        return ModelError(f"{stage}: {_ENDLESS_TEMPLATE} ({log}).")
    with log.open("rb") as file:
        file.seek(log_start)
        said = file.read().decode("utf-8", errors="replace").splitlines()
    last = next((line.strip() for line in reversed(said) if line.strip()), "no output")
    # Far from the end, where frames of a backtrace follow it.
    if lost := next((line.strip() for line in said if _is_of_gpu(line)), None):
        if memory.is_short(lost):
            return MemoryShortage(f"{stage}: {_NO_MEMORY}")
        return GpuLost(f"{stage}: {_GPU_LOST.format(lost)}")
    how = f"signal {-code}" if code < 0 else f"exit code {code}"
    text = f"{stage}: its process ended with {how} ({last}); the whole story is in {log}"
    return StageFailed(text)


def _die_with(parent: int) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before the kernel had been asked
        os.kill(os.getpid(), signal.SIGKILL)


def _load(stage: str) -> tuple[types.ModuleType, type[BaseModel]]:
    module = importlib.import_module(f"localdistill.stages.{stage}")
    return module, getattr(module, STAGES[stage])


def main(arguments: Sequence[str]) -> None:
    """The child's side: ``STAGE PIPE_DESCRIPTOR PARENT_PID NICE CONTROL``; request on stdin."""
    stage, descriptor, parent, nice, page = arguments[0], *map(int, arguments[1:5])
    _die_with(parent)
    control.listen(page)
    os.nice(nice)
    # Nothing that the stage starts may hold the pipe: its end is how the run knows that we are
    # done.
    os.set_inheritable(descriptor, False)
    with os.fdopen(descriptor, "wb", buffering=0) as pipe:

        def send(message: dict[str, Any]) -> None:
            pipe.write(json.dumps(message).encode() + b"\n")

        def callback(event: Event, /) -> None:
            send({"event": event.model_dump(mode="json")})

        request: BaseModel | None = None
        try:
            module, request_type = _load(stage)
            request = request_type.model_validate_json(sys.stdin.buffer.read())
            summary = module.run(request, callback)
            send({"result": summary.model_dump(mode="json")})
        except Exception as error:
            place = getattr(request, "out", None) or getattr(request, "work_dir", None)
            told = told_as(stage, error, place)
            send({"error": type(told).__name__, "message": str(told)})
            if isinstance(told, Stopped):
                # Somebody waits for the end, and to take down PyTorch's libraries takes seconds.
                sys.stdout.flush()
                os._exit(0)
            with contextlib.suppress(OSError):  # the log may stand on a disk that is full
                traceback.print_exc()


def told_as(stage: str, error: Exception, place: object = None) -> LocaldistillError:
    """What the run is told of ``error``; ``place`` is where the stage writes."""
    if isinstance(error, LocaldistillError):
        return error
    if isinstance(error, ModuleNotFoundError):
        text = f"{stage} needs the Python package {error.name}: run `make install`"
        text += " in localdistill's source."
        return MissingDependency(text)
    text = f"{type(error).__name__}: {error}"
    # Rust and C++ (safetensors, PyTorch) have errors of their own for what Python has classes for.
    if isinstance(error, MemoryError) or memory.is_short(text):
        return MemoryShortage(f"{stage}: {_NO_MEMORY}")
    if _is_of_gpu(text):
        return GpuLost(f"{stage}: {_GPU_LOST.format(text.splitlines()[0])}")
    full = os.strerror(errno.ENOSPC)
    known = error if isinstance(error, OSError) else OSError(errno.ENOSPC * (full in text), full)
    return storage_error(known, place) or StageFailed(f"{stage}: {text}")


if __name__ == "__main__":
    main(sys.argv[1:])
