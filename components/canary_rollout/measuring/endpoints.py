"""The pods of champion and challenger, and the ways to access a single pod."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple, Protocol

from content_arena.components.canary_rollout.analysis.check import Subject
from content_arena.components.canary_rollout.kube.client import Json
from content_arena.components.canary_rollout.kube.kubeconfig import configured
from content_arena.components.canary_rollout.plan.state import Challenger, Stable
from content_arena.components.canary_rollout.traffic.mode import Mode, View
from content_arena.components.shared.errors import ArenaError

if TYPE_CHECKING:
    import requests
    from requests.adapters import HTTPAdapter

_CONTAINERS = ("kserve-container", "user-container")
_PORT = 8080


@dataclass(frozen=True)
class Variant:
    """The pods of one model.

    Attributes:
        role: Champion or challenger.
        labels: Label selector of its pods; empty while it is not known.
        pod_names: Regular expression of its pods' names, to find metrics of deleted pods too; empty without labels.
    """

    role: Subject
    labels: str
    pod_names: str


class Variants(NamedTuple):
    """The two variants that are compared."""

    champion: Variant
    challenger: Variant


def variants(view: View, mode: Mode, stable: Stable, challenger: Challenger) -> Variants:
    """The pods of champion and challenger, as the service has them now."""
    return Variants(
        _variant(Subject.CHAMPION, mode, mode.stable_labels(view, stable)),
        _variant(Subject.CHALLENGER, mode, mode.pod_labels(view, stable, challenger)),
    )


def _variant(role: Subject, mode: Mode, labels: str) -> Variant:
    names = f"{re.escape(mode.deployment_of(labels))}-[a-z0-9]+-[a-z0-9]+" if labels else ""
    return Variant(role, labels, names)


def ready(pods: Iterable[Json], by: float = math.inf) -> list[Json]:
    """The pods that answer users.

    Args:
        pods: Pods as the API server returns them.
        by: Only pods that became ready by this time, seconds since the epoch.
    """
    return [pod for pod in pods if (since := _ready_since(pod)) is not None and since <= by]


def _ready_since(pod: Json) -> float | None:
    """Since when a pod is ready, seconds since the epoch; None if it is not, 0 if that time is not known."""
    status = pod.get("status", {})
    if pod["metadata"].get("deletionTimestamp") or not status.get("podIP"):
        return None
    for condition in status.get("conditions") or []:
        if (condition["type"], condition["status"]) == ("Ready", "True"):
            since = condition.get("lastTransitionTime")
            return datetime.fromisoformat(since).timestamp() if since else 0.0
    return None


def port_of(pod: Json) -> int:
    """The port that a pod's predictor listens on."""
    containers = {container["name"]: container for container in pod.get("spec", {}).get("containers") or []}
    for name in _CONTAINERS:
        for port in containers.get(name, {}).get("ports") or []:
            return int(port["containerPort"])
    return _PORT


class ReachError(ArenaError):
    """The API server refuses to connect to a pod."""


class PodTransport(Protocol):
    """A way to access a single pod without a Service or gateway in between."""

    def url(self, pod: Json) -> str:
        """Base URL of a pod's predictor."""
        ...

    def session(self) -> requests.Session:
        """A session that can open these URLs."""
        ...


class PodAddresses:
    """Access by the pods' addresses: works inside the cluster."""

    def url(self, pod: Json) -> str:
        """See :meth:`PodTransport.url`."""
        address = pod["status"]["podIP"]
        return f"http://[{address}]:{port_of(pod)}" if ":" in address else f"http://{address}:{port_of(pod)}"

    def session(self) -> requests.Session:
        """See :meth:`PodTransport.session`."""
        import requests

        session = requests.Session()
        # A proxy from the environment is for addresses outside the cluster.
        session.trust_env = False
        return session


class ApiServerProxy:
    """Access through the API server, from outside the cluster: needs ``get`` and ``create`` on ``pods/proxy``."""

    def __init__(self, context: str | None = None) -> None:
        """Reads the cluster's address and credentials as kubectl would.

        Args:
            context: Context of the kubeconfig; its current one if None.

        Raises:
            InputError: There is no kubeconfig, or no such context.
        """
        self._settings = configured(context)

    def url(self, pod: Json) -> str:
        """See :meth:`PodTransport.url`."""
        metadata = pod["metadata"]
        place = f"namespaces/{metadata['namespace']}/pods/{metadata['name']}:{port_of(pod)}"
        return f"{self._settings.host}/api/v1/{place}/proxy"

    def session(self) -> requests.Session:
        """See :meth:`PodTransport.session`."""
        import requests

        session = requests.Session()
        settings = self._settings
        # Certificates and credentials come from the kubeconfig. The environment's REQUESTS_CA_BUNDLE would override it.
        session.trust_env = False
        session.verify = (settings.ssl_ca_cert or True) if settings.verify_ssl else False
        if settings.tls_server_name:
            session.mount("https://", _adapter_expecting(settings.tls_server_name))
        if settings.cert_file:
            session.cert = (settings.cert_file, settings.key_file)

        def authorise(request: requests.PreparedRequest) -> requests.PreparedRequest:
            # Read for each request: a token from a credential plugin is valid for minutes only.
            if token := settings.get_api_key_with_prefix("authorization"):
                request.headers["Authorization"] = token
            return request

        session.auth = authorise
        session.hooks["response"].append(_refused)
        return session


def _refused(response: requests.Response, *_: object, **__: object) -> None:
    """Raises ReachError if the API server itself refused, and not the pod."""
    if response.status_code != 403:
        return
    with contextlib.suppress(ValueError, KeyError, TypeError):
        if response.json()["kind"] == "Status":
            message = response.json()["message"]
            raise ReachError(f"{message}; roll out from inside the cluster, or with an account that has this right")


def _adapter_expecting(name: str) -> HTTPAdapter:
    """An adapter that expects this name in the server's certificate, as a kubeconfig's tls-server-name requires."""
    from requests.adapters import HTTPAdapter

    class NamedAdapter(HTTPAdapter):
        def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **options: object) -> None:
            names = {"server_hostname": name, "assert_hostname": name}
            super().init_poolmanager(connections, maxsize, block, **options, **names)

    return NamedAdapter()
