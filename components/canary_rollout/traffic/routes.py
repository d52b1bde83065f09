"""The HTTPRoute of a service in Standard mode: which Service gets which share of the traffic."""

from __future__ import annotations

from collections.abc import Mapping

from content_arena.components.canary_rollout.kube.client import Json


def workload(service: str, variant: str) -> str:
    """Name of a variant's Deployment and Service."""
    return f"{service}-{variant}-predictor" if variant else f"{service}-predictor"


def weights(route: Json | None) -> dict[str, int] | None:
    """Percentage of each Service by its name; None if the gateway has not accepted the route's present generation."""
    if route is None or not _is_accepted(route):
        return None
    rules = [_percentages(rule) for rule in route["spec"].get("rules") or []]
    # Rules that disagree are in the middle of being rewritten.
    if not rules or any(rule != rules[0] for rule in rules):
        return None
    return rules[0]


def accepted_route(name: str, percentages: Mapping[str, int]) -> Json:
    """A route with these percentages that the gateway has accepted."""
    refs = [{"name": service, "weight": percent} for service, percent in percentages.items()]
    status = {"parents": [{"conditions": [{"type": "Accepted", "status": "True"}]}]}
    return {"metadata": {"name": name}, "spec": {"rules": [{"backendRefs": refs}]}, "status": status}


def _is_accepted(route: Json) -> bool:
    generation = route["metadata"].get("generation")
    parents = route.get("status", {}).get("parents") or []
    return bool(parents) and all(
        any(
            condition["type"] == "Accepted"
            and condition["status"] == "True"
            and condition.get("observedGeneration", generation) == generation
            for condition in parent.get("conditions") or []
        )
        for parent in parents
    )


def _percentages(rule: Json) -> dict[str, int]:
    parts = {ref["name"]: ref.get("weight", 1) for ref in rule.get("backendRefs") or []}
    total = sum(parts.values())
    return {name: round(100 * weight / total) for name, weight in parts.items()} if total else {}
