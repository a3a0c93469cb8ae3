"""The generator against llama-cpp-python's own server: a real process with the bundled model."""

import json
import socket
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

from localdistill.backends.base import GenerationRequest
from localdistill.backends.llama_cpp import LlamaCppGenerator
from localdistill.backends.openai_client import Retry
from localdistill.backends.openai_server import OpenAIServerGenerator
from localdistill.cli import main
from localdistill.errors import ConfigError, ServerError
from localdistill.events import Notice, ignore
from localdistill.jsonl import read_rows
from localdistill.markers import is_done
from localdistill.sampling import Sampling
from localdistill.stages.generate import GenerateRequest, run
from localdistill.stages.generate_resume import record
from localdistill.types import Completion, Message
from tests.backends.reference import SEED_MODEL

pytestmark = pytest.mark.real

LONG = 600  # seconds after which a wait of a test has failed
PROMPTS = [
    "Write a Python function that reverses a string.",
    "Write a Python function is_even(n).",
    "Write a function that returns the sum of a list of numbers, and nothing else.",
]


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


# It must not outlive tests that were killed and could not end it (PR_SET_PDEATHSIG).
START = """
import ctypes, runpy, signal
ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)
runpy.run_module("llama_cpp.server", run_name="__main__", alter_sys=True)
"""


class Server:
    """A process of ``python -m llama_cpp.server``, ready to answer."""

    def __init__(self, log, *options):
        self.url = f"http://127.0.0.1:{free_port()}/v1"
        self.log = log
        command = [sys.executable, "-c", START, "--model", str(SEED_MODEL)]
        command += ["--port", self.url.split(":")[2].removesuffix("/v1"), "--n_ctx", "512"]
        command += ["--n_threads", "1", "--model_alias", "seed", "--verbose", "False", *options]
        with log.open("w") as file:
            self.process = subprocess.Popen(command, stdout=file, stderr=file)
        self._wait()

    def _wait(self):
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        while self.process.poll() is None:
            try:
                with opener.open(self.url + "/models", timeout=LONG):
                    return
            except urllib.error.URLError:  # not yet
                self.process.poll()
        pytest.fail(f"the server did not start: {self.log.read_text()[-2000:]}")

    def kill(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture
def start(tmp_path):
    servers = []

    def started(*options):
        servers.append(Server(tmp_path / f"server{len(servers)}.log", *options))
        return servers[-1]

    yield started
    for server in servers:
        server.kill()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("server") / "log")
    yield server
    server.kill()


def requests(samples):
    return [
        GenerationRequest(f"p{number}", sample, [Message(role="user", content=prompt)], 50 + sample)
        for number, prompt in enumerate(PROMPTS)
        for sample in range(samples)
    ]


def draw(server, wanted, slots=4, **sampling):
    sampling = Sampling(**{"max_tokens": 16, "order": "llama.cpp", **sampling})
    with OpenAIServerGenerator(
        server.url, "seed", sampling, slots=slots, environment={}
    ) as generator:
        return list(generator.generate(wanted)), generator


def test_every_request_is_answered_once(server):
    wanted = requests(3)
    rows, generator = draw(server, wanted, temperature=1.6, top_k=20, top_p=0.8)
    assert sorted(row.key for row in rows) == sorted(request.key for request in wanted)
    assert generator.stats.decoded_tokens == sum(row.token_count for row in rows)
    assert all(0 < row.token_count <= 16 for row in rows)
    assert {row.finish_reason for row in rows} <= {"stop", "length"}
    assert len({row.text for row in rows}) > 3
    # They are the model's own at any temperature, which the generator has found out by itself.
    assert all(row.min_logprob <= row.mean_logprob < 0 for row in rows)
    assert generator.notes == []


def test_greedy_texts_and_their_logprobs_are_those_of_the_generator_in_this_process(server):
    rows, _ = draw(server, requests(1), temperature=0)
    sampling = Sampling(temperature=0, max_tokens=16)
    with LlamaCppGenerator(SEED_MODEL, sampling, slots=1, threads=1) as ours:
        expected = {row.key: row for row in ours.generate(requests(1))}
    alike = [row for row in rows if row.text == expected[row.key].text]
    assert len(alike) >= 2  # a tie may go the other way
    for row in alike:
        assert row.finish_reason == expected[row.key].finish_reason == "length"
        assert row.token_count == expected[row.key].token_count
        assert row.mean_logprob == pytest.approx(expected[row.key].mean_logprob, abs=0.02)


def test_a_server_without_logprobs_and_a_prompt_that_is_too_long(start):
    server = start("--logits_all", "False")  # then it answers 500 to a request for them
    rows, generator = draw(server, requests(1))
    assert [row.mean_logprob for row in rows] == [None] * 3
    assert any("'confidence'" in note for note in generator.notes)
    long = GenerationRequest("long", 0, [Message(role="user", content="word " * 600)], 1)
    with pytest.raises(ServerError, match="problem long: does not fit into the server's context"):
        draw(server, [*requests(1), long])


def test_an_order_that_this_server_cannot_draw_in_is_refused(server):
    with pytest.raises(ConfigError, match=r"--sampler-order llama\.cpp"):
        draw(server, requests(1), order="paper", temperature=1.6, top_p=0.8)


@pytest.fixture
def problems(tmp_path):
    path = tmp_path / "problems.jsonl"
    rows = [{"id": f"p{number}", "prompt": prompt} for number, prompt in enumerate(PROMPTS)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_a_stage_whose_server_is_killed_goes_on_with_another_one(start, problems, tmp_path):
    out = tmp_path / "out.jsonl"
    first = start()

    def request(server):
        return GenerateRequest(
            model="seed",
            server=server.url,
            problems=str(problems),
            samples=4,
            out=out,
            slots=3,
            sampling=Sampling(max_tokens=100),  # most answers end by themselves
        )

    def open_doomed(request, slots, threads):
        class Doomed(OpenAIServerGenerator):
            def generate(self, requests, tick=None):
                for number, row in enumerate(super().generate(requests, tick)):
                    yield row
                    if number == 4:
                        first.kill()

        async def at_once(seconds):
            pass

        impatient = Retry(patience_s=2, sleep=at_once)
        return Doomed(request.server, "seed", request.sampling, slots=slots, retry=impatient)

    with pytest.raises(ServerError, match="the same command goes on from there"):
        run(request(first), ignore, open_generator=open_doomed)
    before = read_rows(out, Completion)
    assert 5 <= len(before) < 12
    assert not is_done(out)
    assert "127.0.0.1" not in record(out).read_text()  # another address is the same work

    events = []
    summary = run(request(start("--logits_all", "False")), events.append)
    rows = read_rows(out, Completion)
    assert rows[: len(before)] == before
    assert sorted(row.key for row in rows) == [(f"p{p}", s) for p in range(3) for s in range(4)]
    assert summary.completions == 12
    assert is_done(out)
    notes = [event.message for event in events if isinstance(event, Notice)]
    assert notes == summary.notes != []  # this one gives no log-probabilities


def code_of(command):
    with pytest.raises(SystemExit) as ended:
        main(command)
    return ended.value.code


def test_the_command(server, problems, tmp_path, capsys):
    out = tmp_path / "out.jsonl"
    command = ["generate", "--server", server.url.removesuffix("/v1"), "--problems", str(problems)]
    command += ["--max-tokens", "8", "--out", str(out), "--progress", "plain"]
    assert code_of([*command, "--model", "sead"]) == 2
    assert "no such model. It offers, the nearest first: seed" in capsys.readouterr().err
    assert not out.exists() and not record(out).exists()
    assert code_of([*command, "--model", "seed"]) == 0
    assert len(read_rows(out, Completion)) == 3
    assert json.loads(record(out).read_text())["model"] == "seed"


@pytest.mark.parametrize("option", [["--deterministic"], ["--threads", "2"], ["--gpu-layers", "3"]])
def test_what_is_the_servers_affair_is_refused(option, tmp_path, capsys):
    command = ["generate", "--server", "http://localhost:1", "--model", "m", "--problems", "p"]
    assert code_of([*command, "--out", str(tmp_path / "out"), *option]) == 2
    assert f"{option[0]} is the server's affair" in capsys.readouterr().err
