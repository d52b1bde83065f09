"""Assertions about the end of a rollout."""

from __future__ import annotations

from tests.components.canary_rollout.on_a_cluster import workloads
from tests.components.canary_rollout.on_a_cluster.rollout_cli import RolloutCli
from tests.components.canary_rollout.on_a_cluster.service_under_test import SERVICE, ServiceUnderTest
from tests.components.canary_rollout.on_a_cluster.storage import uri


def is_promoted(cli: RolloutCli, version: str = "2", before: str = "1") -> None:
    """A version serves alone, with as many pods as the one before it had, and the registry agrees."""
    installation = cli.installation
    state = cli.state()
    assert state["phase"] == "promoted", state
    assert _serves(installation) == uri(version)
    _serves_alone(installation, version)
    aliases = [installation.alias(name) for name in ("champion", "previous", "challenger")]
    assert aliases == [version, before, ""]


def is_rolled_back(cli: RolloutCli, *causes: str) -> None:
    """Version 1 serves as before, and the registry names the cause."""
    _is_taken_back(cli, "rolled_back", causes)
    assert cli.installation.tags("2")["rejected"] == cli.state()["reason"][:500]


def is_withdrawn(cli: RolloutCli, *causes: str) -> None:
    """Version 1 serves as before, and version 2 may be rolled out again."""
    _is_taken_back(cli, "withdrawn", causes)
    assert "rejected" not in cli.installation.tags("2")


def is_undone(cli: RolloutCli, why: str) -> None:
    """Version 1 serves alone again, and version 2 is rejected with the reason of the undo."""
    installation, state = cli.installation, cli.state()
    assert state["phase"] == "promoted", state
    assert _serves(installation) == uri("1")
    _serves_alone(installation, "1")
    assert (installation.alias("champion"), installation.alias("previous")) == ("1", "")
    assert why in installation.tags("2")["rejected"]


def replica_sets(cli: RolloutCli) -> set[str]:
    """Names of all ReplicaSets of the service: one for each template of pods that each variant has had."""
    found = cli.installation.api.list("replicasets", f"{workloads.SERVICE_LABEL}={SERVICE}")
    return {item["metadata"]["name"] for item in found}


def is_held(cli: RolloutCli, gate: str, *causes: str) -> None:
    """The rollout waits for a person, stable has all its pods, and the registry is unchanged."""
    state = cli.state()
    assert (state["phase"], state["gate"]) == ("waiting", gate), state
    for cause in causes:
        assert cause in state["reason"]
    installation = cli.installation
    assert installation.ready_pods("1") >= installation.replicas
    assert installation.alias("champion") == "1"


def count_answers(cli: RolloutCli) -> dict[int, int]:
    """Prints the answers by status and by version; returns those other than 200."""
    users = cli.installation.users
    statuses, versions = dict(users.statuses()), dict(users.versions())
    print(f"\n{cli.installation.mode}: answers {statuses}, by version {versions}, lost {users.lost()}", *users.bad())
    return users.lost()


def _is_taken_back(cli: RolloutCli, phase: str, causes: tuple[str, ...]) -> None:
    installation, state = cli.installation, cli.state()
    assert state["phase"] == phase, state
    for cause in causes:
        assert cause in state["reason"]
        assert cause in cli.output
    assert installation.service()["spec"] == installation.before
    _serves_alone(installation, "1")
    assert (installation.alias("champion"), installation.alias("previous")) == ("1", "")


def _serves(installation: ServiceUnderTest) -> str:
    return installation.service()["spec"]["predictor"]["model"]["storageUri"]


def _serves_alone(installation: ServiceUnderTest, version: str) -> None:
    """One version has all traffic and all pods."""
    spec = installation.service()["spec"]
    assert "canary" not in spec
    assert "canaryTrafficPercent" not in spec["predictor"]
    assert installation.ready_pods(version) >= installation.replicas
    begin = installation.now()
    installation.wait(lambda: installation.users.statuses(begin).total() > 50, "users are answered")
    assert installation.users.versions(begin).keys() == {version}


def events(cli: RolloutCli) -> set[str]:
    """Reasons of all Events on the service."""
    found = cli.installation.api.list("events")
    return {event["reason"] for event in found if event.get("regarding", {}).get("name") == SERVICE}
