"""The admission policies of the manifests on a real API server, for one namespace of a test."""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Callable, Iterator

import yaml

from content_arena.pipelines.definitions import cluster_settings
from tests.components.canary_rollout.on_a_cluster.api import Api, RefusedError
from tests.manifests.rendering import MANIFESTS, Object, Renderer, find, kubectl, of_kind

_PREFIX = "content-arena-"
_POLICY, _BINDING = "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"


class Caller(Api):
    """The API server as one account sees it."""

    def __init__(self, namespace: str, user: str | None = None) -> None:
        """Calls as a user of that name; as the administrator of KUBECONFIG if None."""
        super().__init__(namespace)
        if user is not None:
            self._session.headers["Impersonate-User"] = user

    def answer(self, method: str, kind: str, name: str = "", *, dry_run: bool = True, **how: object) -> str:
        """What the server objects to a request; empty if it takes it."""
        try:
            self._call(method, kind, name, params={"dryRun": "All"} if dry_run else {}, **how)
        except RefusedError as error:
            return str(error)
        return ""

    def patched(self, name: str, body: Object, *, kind: str = "inferenceservices", dry_run: bool = True) -> str:
        """What the server objects to a merge patch; empty if it takes it."""
        headers = {"Content-Type": "application/merge-patch+json"}
        return self.answer("PATCH", kind, name, dry_run=dry_run, data=json.dumps(body), headers=headers)

    def created(self, body: Object, *, kind: str = "inferenceservices", dry_run: bool = True) -> str:
        """What the server objects to a new object; empty if it takes it."""
        return self.answer("POST", kind, dry_run=dry_run, json=body)


def account(namespace: str, name: str) -> str:
    """The user name of a service account."""
    return f"system:serviceaccount:{namespace}:{name}"


def own(objects: list[Object], guard: str, namespace: str) -> list[Object]:
    """A policy and its binding, under a name of the tests and for their namespace alone.

    Args:
        objects: Rendered manifests.
        guard: Name of the policy without the project's prefix, such as ``promotion-guard``.
        namespace: Where it applies.
    """
    policy, binding = (find(objects, kind, f"{_PREFIX}{guard}") for kind in (_POLICY, _BINDING))
    name = f"{guard}-{namespace}"
    policy["metadata"]["name"] = binding["metadata"]["name"] = binding["spec"]["policyName"] = name
    own_labels = binding["spec"]["matchResources"]["namespaceSelector"]["matchLabels"]
    own_labels["kubernetes.io/metadata.name"] = namespace
    return [policy, binding]


def serving_runtimes() -> list[str]:
    """Names of the runtimes that a rollout may set: first that of this release."""
    return cluster_settings.read(MANIFESTS / "components/cluster-settings/cluster.env").serving_runtimes.split()


def with_names(expression: str, names: str) -> str:
    """A guard's expression with another list, names with spaces between, as cluster.env puts it in."""
    return re.sub(r"^'[^']*'", f"'{names}'", expression)


def of_rollouts(namespace: str) -> str:
    """The guard of rollouts and its binding to one namespace, as YAML; only the list of runtimes is put in."""
    paths = (MANIFESTS / "base/arena/access" / f"rollout-guard-{part}.yaml" for part in ("policy", "binding"))
    policy, binding = (yaml.safe_load(path.read_text()) for path in paths)
    (variable,) = [each for each in policy["spec"]["variables"] if each["name"] == "runtimes"]
    variable["expression"] = with_names(variable["expression"], " ".join(serving_runtimes()))
    return yaml.safe_dump_all(own([policy, binding], "rollout-guard", namespace))


def guards(objects: list[Object]) -> list[str]:
    """Names of all policies among rendered manifests."""
    return sorted(item["metadata"]["name"].removeprefix(_PREFIX) for item in of_kind(objects, _POLICY))


@contextlib.contextmanager
def installed(manifests: Renderer, namespace: str, only: tuple[str, ...] | None = None) -> Iterator[list[Object]]:
    """Has policies apply in a namespace, with the accounts and roles; yields the rendered manifests.

    A policy becomes active some seconds after it was stored. Whoever enters waits for that with :func:`eventually`.
    """
    objects = list(yaml.safe_load_all(manifests.in_namespace("overlays/kind", namespace)))
    chosen = guards(objects) if only is None else only
    policies = [item for guard in chosen for item in own(objects, guard, namespace)]
    access = of_kind(objects, "ServiceAccount", "Role", "RoleBinding")
    kubectl("apply", "--filename=-", given=yaml.safe_dump_all([*access, *policies]))
    try:
        yield objects
    finally:
        kubectl("delete", "--ignore-not-found", "--wait=false", "--filename=-", given=yaml.safe_dump_all(policies))


def warnings(guard: str, namespace: str) -> str:
    """What the server finds wrong with the types in a policy, by the definitions that it has; empty if nothing."""
    name = ("validatingadmissionpolicy", f"{guard}-{namespace}", "--output=jsonpath={.status}")
    eventually(lambda: "typeChecking" in kubectl("get", *name), f"{guard} is checked")
    status = kubectl("get", *name)
    return status if "expressionWarnings" in status else ""


def eventually(holds: Callable[[], object], what: str, seconds: float = 60) -> None:
    """Waits until something holds.

    Raises:
        AssertionError: It does not in time.
    """
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.2)
