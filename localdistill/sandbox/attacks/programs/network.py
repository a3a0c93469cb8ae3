"""Tries to reach anything outside by sockets."""

from __future__ import annotations

import socket
from collections.abc import Callable

_KINDS = (1, 2, 3, 5, 10)  # stream, datagram, raw, seqpacket, packet
_FAMILIES = range(1, 46)  # all that Linux has a number for
_METADATA = "169.254.169.254"


class GotThrough(Exception):
    """What nothing has stopped."""


def attack(tcp: int, udp: int, path: str, abstract: str) -> str:
    """Make sockets of every family, and reach for the listeners that were put out."""
    made = [family for family in _FAMILIES if _makes_one(family)]
    done = [f"makes sockets of families {made}"] if made else []
    attempts: dict[str, Callable[[], object]] = {
        "connects to this machine by TCP": lambda: _connect(2, ("127.0.0.1", tcp)),
        "sends to this machine by UDP": lambda: _send(("127.0.0.1", udp)),
        "connects to a unix socket": lambda: _connect(1, path),
        "connects to an abstract unix socket": lambda: _connect(1, f"\0{abstract}"),
        "connects to a metadata service": lambda: _connect(2, (_METADATA, 80)),
        "resolves a name": lambda: socket.getaddrinfo("example.org", 80),
    }
    for what, attempt in attempts.items():
        try:
            attempt()
        except OSError:
            continue
        done.append(what)
    if done:
        raise GotThrough("; ".join(done))
    return "held"


def _makes_one(family: int) -> bool:
    for kind in _KINDS:
        try:
            socket.socket(family, kind).close()
        except OSError:
            continue
        return True
    return False


def _connect(family: int, address: object) -> None:
    with socket.socket(family, socket.SOCK_STREAM) as end:
        end.settimeout(1.0)
        end.connect(address)  # type: ignore[arg-type]


def _send(address: tuple[str, int]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
        end.sendto(b"here", address)
