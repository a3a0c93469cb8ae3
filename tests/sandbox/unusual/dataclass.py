import dataclasses


@dataclasses.dataclass(frozen=True)
class Number:
    value: int = 0


def solve(x):
    return dataclasses.replace(Number(x), value=x + 1).value
