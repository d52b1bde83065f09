"""When KServe counts a Deployment as available, and what follows for the HTTPRoute in Standard mode.

KServe does not touch the HTTPRoute while stable's Deployment has fewer pods than it needs: ``PredictorReady`` is False.
How many may be missing is the ``maxUnavailable`` of its rolling update.
"""

from __future__ import annotations

from content_arena.components.canary_rollout.kube.client import Json
from content_arena.components.canary_rollout.traffic.mode import View


def slack(pods: int) -> Json:
    """A Deployment's strategy by which so many of its pods may be missing."""
    return {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": pods}}


def max_unavailable(predictor: Json, pods: int) -> int:
    """How many of a Deployment's pods may be missing before it counts as not available.

    Args:
        predictor: Whose ``deploymentStrategy`` it is. KServe's default is a quarter.
        pods: Pods of the Deployment. Kubernetes rounds percentages down.
    """
    strategy = predictor.get("deploymentStrategy") or {}
    if strategy.get("type") == "Recreate":
        return 0
    given = (strategy.get("rollingUpdate") or {}).get("maxUnavailable", "25%")
    return pods * int(given.removesuffix("%")) // 100 if isinstance(given, str) else int(given)


def needs_slack(predictor: Json, pods: int) -> bool:
    """Whether a single missing pod would keep the route from moving. One pod alone may not be missing."""
    is_recreated = (predictor.get("deploymentStrategy") or {}).get("type") == "Recreate"
    return pods > 1 and not is_recreated and max_unavailable(predictor, pods) < 1


def frozen(view: View) -> str:
    """Why KServe leaves the route alone; empty if it does not."""
    for condition in view.service.get("status", {}).get("conditions") or []:
        if condition["type"] == "PredictorReady" and condition.get("status") == "False":
            told = ": ".join(filter(None, (condition.get("reason"), condition.get("message"))))
            return f"PredictorReady is False ({told or 'no reason given'})"
    return ""


def standing(view: View) -> str:
    """The end of a sentence about the route: why it stands still; empty if it does not."""
    why = frozen(view)
    return f", KServe leaves it alone while {why}" if why else ""


def replacing(now: object, wanted: Json | None) -> Json | None:
    """A merge patch that makes one object of another."""
    if wanted is None or not isinstance(now, dict):
        return wanted
    removed = dict.fromkeys(name for name in now if name not in wanted)
    made = {
        name: replacing(now.get(name), value) if isinstance(value, dict) else value for name, value in wanted.items()
    }
    return removed | made
