"""What holds at the end of every rollout, whatever happened on the way."""

from __future__ import annotations

from tests.components.canary_rollout.on_a_cluster.component import Component
from tests.components.canary_rollout.on_a_cluster.installation import SERVICE, Installation
from tests.components.canary_rollout.on_a_cluster.storage import uri

_STRENGTH = 2


def is_promoted(component: Component, version: str = "2", before: str = "1") -> None:
    """A version serves alone and with as many pods as the one before it had, and the registry says so."""
    site = component.installation
    state = component.state()
    assert state["phase"] == "promoted", state
    assert _serves(site) == uri(version)
    _is_settled(site, version)
    assert (site.alias("champion"), site.alias("previous"), site.alias("challenger")) == (version, before, "")


def is_rolled_back(component: Component, *causes: str) -> None:
    """Version 1 serves as before, and the registry names the cause."""
    site = component.installation
    state = component.state()
    assert state["phase"] == "rolled_back", state
    for cause in causes:
        assert cause in state["reason"]
        assert cause in component.said
    assert site.service()["spec"] == site.before
    _is_settled(site, "1")
    assert (site.alias("champion"), site.alias("previous")) == ("1", "")
    assert site.tags("2")["rejected"] == state["reason"][:500]


def is_held(component: Component, gate: str, *causes: str) -> None:
    """It waits for a person, stable has all its pods beside the canary's, and the registry is as it was."""
    state = component.state()
    assert (state["phase"], state["gate"]) == ("waiting", gate), state
    for cause in causes:
        assert cause in state["reason"]
    site = component.installation
    assert site.ready_pods("1") >= _STRENGTH
    assert site.alias("champion") == "1"


def count_answers(component: Component) -> dict[int, int]:
    """Prints the answers by status and by version; those other than 200."""
    users = component.installation.users
    statuses, versions = dict(users.statuses()), dict(users.versions())
    print(f"\n{component.installation.mode}: answers {statuses}, by version {versions}, lost {users.lost()}")
    return users.lost()


def _serves(site: Installation) -> str:
    return site.service()["spec"]["predictor"]["model"]["storageUri"]


def _is_settled(site: Installation, version: str) -> None:
    """One version has all traffic and all pods."""
    spec = site.service()["spec"]
    assert "canary" not in spec
    assert "canaryTrafficPercent" not in spec["predictor"]
    assert site.ready_pods(version) >= _STRENGTH
    begin = site.now()
    site.wait(lambda: site.users.statuses(begin).total() > 50, "users are answered")
    assert site.users.versions(begin).keys() == {version}


def events(component: Component) -> set[str]:
    """What was told of the service."""
    found = component.installation.api.list("events")
    return {event["reason"] for event in found if event.get("regarding", {}).get("name") == SERVICE}
