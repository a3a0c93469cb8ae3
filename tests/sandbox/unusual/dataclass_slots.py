# kind: stdin
from __future__ import annotations
import typing, dataclasses
@dataclasses.dataclass(slots=True)
class P:
    x: int
    y: typing.Optional[P] = None
typing.get_type_hints(P)
print(P(int(input())).x + 1)
