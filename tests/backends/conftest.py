"""Servers that fail in every way, and generators that draw from them."""

import pytest

from localdistill.backends.openai_server import OpenAIServerGenerator
from localdistill.sampling import Sampling
from tests.backends.fault_server import FaultServer
from tests.backends.openai_helpers import LONG, FakeTime


@pytest.fixture
def clock():
    return FakeTime()


@pytest.fixture
def serve():
    servers = []

    def start(*arguments, **options):
        servers.append(FaultServer(*arguments, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def connect(clock):
    generators = []

    def start(server, slots=1, model="m", environment=None, timeout_s=LONG, retry=None, **sampling):
        url = server if isinstance(server, str) else server.url
        generators.append(
            OpenAIServerGenerator(
                url,
                model,
                Sampling(**{"max_tokens": 8, **sampling}),
                slots=slots,
                timeout_s=timeout_s,
                retry=retry or clock.retry(),
                environment=environment or {},
            )
        )
        return generators[-1]

    yield start
    for generator in generators:
        generator.close()
