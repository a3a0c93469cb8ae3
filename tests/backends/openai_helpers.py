"""What tests of the generator for model servers share."""

from localdistill.backends.base import GenerationRequest
from localdistill.backends.openai_client import Retry
from localdistill.types import Message

LONG = 120  # seconds after which a wait of a test has failed


class FakeTime:
    """A clock that only pauses move, so that nobody waits."""

    def __init__(self):
        self.now, self.pauses = 0.0, []

    async def sleep(self, seconds):
        self.pauses.append(seconds)
        self.now += seconds

    def retry(self, **changes):
        values = {"sleep": self.sleep, "clock": lambda: self.now, "jitter": lambda: 1.0}
        return Retry(**{**values, **changes})


def requests(problems=1, samples=1):
    return [
        GenerationRequest(f"p{problem}", sample, [Message(role="user", content="hi")], 100 + sample)
        for problem in range(problems)
        for sample in range(samples)
    ]


def only(generator):
    (row,) = generator.generate(requests())
    return row
