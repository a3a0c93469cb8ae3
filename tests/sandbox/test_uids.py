"""Which user ids a slot may get."""

from __future__ import annotations

import contextlib
import socket

import pytest

from localdistill.sandbox import uids


def test_containers_begin_elsewhere_and_each_can_have_all(monkeypatch: pytest.MonkeyPatch) -> None:
    orders = []
    for name in ("3f1c0a7be2d4", "9b5de8a1c07f", "workstation"):
        monkeypatch.setattr(socket, "gethostname", lambda name=name: name)
        orders.append(list(uids.free_ids()))
        assert list(uids.free_ids()) == orders[-1]
    # Four user ids are what two workers take.
    first = [set(order[:4]) for order in orders]
    assert len(set.union(*first)) == 12
    assert set(orders[0]) == set(orders[1]) == set(orders[2])


def test_no_user_id_is_given_twice() -> None:
    with contextlib.ExitStack() as first, contextlib.ExitStack() as second:
        ours = {uids.reserve(first) for _ in range(3)}
        theirs = {uids.reserve(second) for _ in range(3)}
        assert len(ours | theirs) == 6
