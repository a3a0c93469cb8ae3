"""Stages in processes of their own: results, errors and deaths come back as what they are."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time

import psutil
import pytest

from localdistill import bounded
from localdistill.errors import (
    ConfigError,
    GpuLost,
    MemoryShortage,
    ModelError,
    StageFailed,
    StorageError,
)
from localdistill.stages import process
from localdistill.stages.generate import GenerateRequest
from localdistill.stages.process import run_stage
from localdistill.stages.select import SelectRequest
from tests.quantization.tiny import Tiny


@pytest.fixture
def inputs(tmp_path):
    (tmp_path / "problems.jsonl").write_text('{"id": "1", "prompt": "p", "entry_point": "f"}\n')
    completion = '{"problem_id": "1", "sample": 0, "text": "def f(): pass", "seed": 0, '
    completion += '"finish_reason": "stop", "token_count": 4, "mean_logprob": -0.5}\n'
    (tmp_path / "completions.jsonl").write_text(completion)
    return tmp_path


def request(folder, strategy="none"):
    return SelectRequest(
        problems=str(folder / "problems.jsonl"),
        completions=folder / "completions.jsonl",
        strategy=strategy,
        out=folder / "selected.jsonl",
    )


@pytest.fixture
def stuck(inputs):
    """A request whose stage waits for ever: its output, read to go on, is a pipe without writer."""
    os.mkfifo(inputs / "fifo")
    model = Tiny.write(inputs / "tiny", "qwen2").gguf
    return GenerateRequest(
        model=model, problems=str(inputs / "problems.jsonl"), out=inputs / "fifo"
    )


def child_of(pid, deadline=60.0):
    end = time.monotonic() + deadline
    while time.monotonic() < end:
        for child in psutil.Process(pid).children():
            with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
                if "localdistill.stages.process" in " ".join(child.cmdline()):
                    return child
        time.sleep(0.02)
    raise AssertionError("the stage's process did not start")


def wait_for_reader(fifo, deadline=60.0):
    """Until somebody waits at the other end, which is what makes a non-blocking open succeed."""
    end = time.monotonic() + deadline
    while time.monotonic() < end:
        try:
            return os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            time.sleep(0.02)
    raise AssertionError("the stage did not come to its work")


def test_events_and_the_result_come_back(inputs):
    events = []
    summary = run_stage("select", request(inputs), events.append, inputs / "log.txt")
    assert summary["kept"] == 1
    assert events[0].kind == "stage_started"
    assert events[-1].kind == "stage_finished"


def test_a_stages_process_has_ended_with_it_so_that_two_stages_memory_does_not_add_up(inputs):
    children = []
    run_stage(
        "select", request(inputs), lambda event: None, inputs / "log.txt", started=children.append
    )
    assert [child.returncode for child in children] == [0]
    assert not psutil.pid_exists(children[0].pid)


def test_a_users_mistake_keeps_its_class_and_its_one_line(inputs):
    with pytest.raises(ConfigError, match="have no tests") as caught:
        run_stage("select", request(inputs, "tests"), lambda event: None, inputs / "log.txt")
    assert "\n" not in str(caught.value)
    assert "Traceback" in (inputs / "log.txt").read_text()


def test_a_full_or_missing_place_is_one_line(inputs):
    (inputs / "place").write_text("")
    broken = request(inputs).model_copy(update={"out": inputs / "place" / "selected.jsonl"})
    with pytest.raises(StorageError, match="place"):
        run_stage("select", broken, lambda event: None, inputs / "log.txt")


def test_a_killed_stage_is_told_as_such(stuck, inputs):
    def kill():
        child_of(os.getpid()).kill()

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(StageFailed, match=r"killed.*goes on from there"):
        run_stage("generate", stuck, lambda event: None, inputs / "log.txt")
    killer.join()


def test_the_stage_dies_with_the_run(stuck, inputs):
    code = (
        "import sys; from pathlib import Path\n"
        "from localdistill.stages.process import run_stage\n"
        "from localdistill.stages.generate import GenerateRequest\n"
        "request = GenerateRequest.model_validate_json(sys.argv[1])\n"
        "run_stage('generate', request, print, Path('log'))\n"
    )
    run = subprocess.Popen([sys.executable, "-c", code, stuck.model_dump_json()], cwd=inputs)
    child = child_of(run.pid)
    run.send_signal(signal.SIGKILL)
    run.wait()
    assert child.wait(timeout=30) is None or not child.is_running()


def test_an_interrupted_run_ends_its_stage(stuck, inputs, request):
    seen = []
    # A shell that starts the tests in the background has them ignore it.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))

    def interrupt():
        seen.append(child_of(os.getpid()))
        wait_for_reader(inputs / "fifo")
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        run_stage("generate", stuck, lambda event: None, inputs / "log.txt")
    thread.join()
    assert not seen[0].is_running()


@pytest.mark.parametrize(
    "said",
    [
        "CUDA error: unspecified launch failure\nCUDA kernel errors might be asynchronously",
        "CUDA error: an illegal memory access was encountered",
        "CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasGemmEx`",
        "Unable to determine the device handle for GPU: GPU is lost.",
    ],
)
def test_a_gpu_that_fails_is_told_with_the_way_on(said):
    told = process.told_as("train", RuntimeError(said))
    assert isinstance(told, GpuLost)
    assert told.exit_code == 2
    assert "the same command goes on" in str(told)
    assert "\n" not in str(told)


def test_a_gpu_that_is_too_small_is_another_matter():
    told = process.told_as("train", RuntimeError("CUDA error: out of memory"))
    assert "memory ran out" in str(told)


def of_ggml(reason, frames):
    """What ggml prints where a call of CUDA fails: ggml_cuda_error, ggml_abort and a backtrace."""
    where = "/src/vendor/llama.cpp/ggml/src/ggml-cuda/ggml-cuda.cu"
    lines = [
        f"CUDA error: {reason}",
        "  current device: 0, in function ggml_backend_cuda_synchronize at " + f"{where}:2461",
        "  cudaStreamSynchronize(cuda_ctx->stream())",
        f"{where}:110: CUDA error",
        *(f"/lib/libggml-base.so.0(+0x{16 * n:x})[0x7f{n:010x}]" for n in range(frames)),
    ]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("frames", [0, 100])
def test_a_gpu_that_fails_in_c_code_is_found_in_the_log(tmp_path, frames):
    log = tmp_path / "log.txt"
    log.write_text("loading\n" + of_ggml("unspecified launch failure", frames))
    told = process._death("generate", -signal.SIGABRT, log)
    assert isinstance(told, GpuLost)
    assert "CUDA error: unspecified launch failure" in str(told)
    # What an earlier stage said is not what this one has ended with.
    start = log.stat().st_size
    with log.open("a") as file:
        file.write("loading\n")
    assert type(process._death("generate", -signal.SIGABRT, log, start)) is StageFailed


def test_a_gpu_that_is_too_small_for_c_code_is_another_matter(tmp_path):
    log = tmp_path / "log.txt"
    log.write_text(of_ggml("out of memory", 100))
    told = process._death("generate", -signal.SIGABRT, log)
    assert type(told) is MemoryShortage and "memory ran out" in str(told)


def test_llama_cpp_prints_no_backtrace_in_a_stage(monkeypatch):
    monkeypatch.delenv("GGML_NO_BACKTRACE", raising=False)
    assert process._surroundings("generate")["GGML_NO_BACKTRACE"] == "1"


def test_a_death_is_told_by_what_its_own_stage_said(inputs, monkeypatch):
    log = inputs / "log.txt"
    log.write_text(of_ggml("unspecified launch failure", 100))  # of a call before this one
    monkeypatch.setattr(process.sys, "executable", "/bin/false")
    with pytest.raises(StageFailed, match=r"exit code 1 \(no output\)"):
        run_stage("select", request(inputs), lambda event: None, log)


def test_a_template_that_only_the_kernel_could_stop_is_told_as_such(tmp_path):
    told = process._death("generate", -bounded.KILLED_BY, tmp_path / "log.txt")
    assert type(told) is ModelError and "chat template" in str(told)


def test_what_was_compiled_for_another_processor_is_told_so(tmp_path):
    log = tmp_path / "log.txt"
    log.write_text("llama_context: n_ctx_seq (3328) > n_ctx_train (2048)\n")
    told = process._death("generate", -signal.SIGILL, log)
    assert "compiled anew" in str(told) and "n_ctx" not in str(told)
