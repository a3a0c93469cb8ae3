"""Which tier is taken, what is told of those passed over, and advice that fits what was asked."""

from __future__ import annotations

import pytest

from localdistill.errors import SandboxUnavailable
from localdistill.sandbox import beside, containers, tier_local, tiers
from localdistill.sandbox.containers import NoEngine


class Opened:
    def __init__(self, *passed_over):
        self.passed_over = passed_over


def refusing(error):
    def opener():
        raise error

    return opener


def test_all_tiers_that_auto_passes_over_are_named_with_the_reason(monkeypatch):
    found = [
        ("docker", refusing(NoEngine("docker is not installed", worth_a_note=False))),
        ("podman", refusing(SandboxUnavailable("it leaks"))),
        ("local", lambda: Opened("3 (namespaces): no right to make any")),
    ]
    monkeypatch.setattr(tiers, "openers", lambda kind, workers: found)
    monkeypatch.setattr(beside, "is_expected", lambda: False)
    assert tiers.open_sandbox("auto").passed_over == (
        "compose: this process was not started by compose.yaml",
        "docker is not installed",
        "podman: it leaks",
        "3 (namespaces): no right to make any",
    )


def test_a_way_of_the_local_tier_that_does_not_hold_is_passed_over_by_name(monkeypatch):
    def open_way(way, workers):
        if way.namespaces:
            raise SandboxUnavailable("no right to make any")
        return Opened()

    ways = tier_local.WAYS_OF_ROOT
    monkeypatch.setattr(tier_local, "open_way", open_way)
    monkeypatch.setattr(tier_local, "WAYS_OF_USER", ways)
    assert tier_local.open_local(1).passed_over == (f"{ways[0].tier}: no right to make any",)


@pytest.mark.parametrize("inside", [True, False], ids=["in a container", "on a host"])
@pytest.mark.parametrize("engine", containers.ENGINES)
def test_advice_on_an_engine_is_about_that_engine_wherever_we_are(engine, inside, monkeypatch):
    monkeypatch.setattr(tiers, "in_container", lambda: inside)
    monkeypatch.setattr(
        tiers, "openers", lambda kind, workers: [(kind, refusing(NoEngine(f"{kind} is not there")))]
    )
    with pytest.raises(SandboxUnavailable) as refusal:
        tiers.open_sandbox(engine)
    assert f"{engine} is not there" in str(refusal.value)
    assert f"{engine} build --target pit" in str(refusal.value)
    assert "--cap-drop" not in str(refusal.value)


def test_advice_on_compose_is_about_compose(monkeypatch):
    for inside in (True, False):
        monkeypatch.setattr(tiers, "in_container", lambda inside=inside: inside)
        assert "compose.yaml" in tiers.what_to_do("compose")


@pytest.mark.parametrize(("inside", "word"), [(True, "--cap-drop"), (False, "Podman")])
def test_advice_on_any_sandbox_is_for_where_we_are(inside, word, monkeypatch):
    monkeypatch.setattr(tiers, "in_container", lambda: inside)
    for kind in ("auto", "local"):
        assert word in tiers.what_to_do(kind)
