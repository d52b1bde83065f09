"""Which pods are the champion's and which the challenger's, and how they are reached."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from content_arena.components.canary_rollout.kube.client import Json
from content_arena.components.canary_rollout.kube.kubeconfig import configured
from content_arena.components.canary_rollout.plan.state import Challenger, Stable
from content_arena.components.canary_rollout.traffic.mode import Mode, View
from content_arena.components.canary_rollout.traffic.standard import workload
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
        role: ``champion`` or ``challenger``.
        labels: Label selector of its pods; empty while they can not be told apart.
        pod_names: Regular expression of their names, for those that are gone as well.
    """

    role: str
    labels: str
    pod_names: str


class Variants(NamedTuple):
    """The two that are compared."""

    champion: Variant
    challenger: Variant


def variants(view: View, mode: Mode, stable: Stable, challenger: Challenger) -> Variants:
    """Champion and challenger, as a service has them now."""
    labels, suffix = f"app=isvc.{workload(view.name, stable.name)}", ""
    if mode.name == "Knative":
        labels = f"serving.knative.dev/revision={stable.revision}" if stable.revision else ""
        suffix = "-deployment"
    return Variants(
        _variant("champion", labels, suffix),
        _variant("challenger", mode.pod_labels(view, stable, challenger), suffix),
    )


def _variant(role: str, labels: str, suffix: str) -> Variant:
    name = labels.partition("=")[2].removeprefix("isvc.")
    return Variant(role, labels, f"{re.escape(name)}{suffix}-[a-z0-9]+-[a-z0-9]+" if labels else "")


def ready(pods: Iterable[Json], by: float = math.inf) -> list[Json]:
    """Those that answer users.

    Args:
        pods: As the API server has them.
        by: Only those that have been ready since then, seconds since the epoch.
    """
    return [pod for pod in pods if (since := _ready_since(pod)) is not None and since <= by]


def _ready_since(pod: Json) -> float | None:
    """None if it is not; 0 where nobody says since when."""
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
    """A pod may not be reached this way."""


class PodTransport(Protocol):
    """A way to reach a single pod, past every Service and gateway."""

    def url(self, pod: Json) -> str:
        """Base URL of a pod's predictor."""
        ...

    def session(self) -> requests.Session:
        """Opens connections to such URLs."""
        ...


class PodAddresses:
    """Straight to the pods: works wherever pods can be reached, which is inside a cluster."""

    def url(self, pod: Json) -> str:
        """See :meth:`Doors.url`."""
        address = pod["status"]["podIP"]
        return f"http://[{address}]:{port_of(pod)}" if ":" in address else f"http://{address}:{port_of(pod)}"

    def session(self) -> requests.Session:
        """See :meth:`Doors.session`."""
        import requests

        session = requests.Session()
        # A proxy that the environment names leads out of the cluster, and pods are in it.
        session.trust_env = False
        return session


class ApiServerProxy:
    """Through the API server, for who is outside: takes ``get`` and ``create`` on ``pods/proxy``."""

    def __init__(self, context: str | None = None) -> None:
        """Reads the cluster's address and credentials as kubectl would.

        Args:
            context: Of the kubeconfig; its current one if None.

        Raises:
            InputError: There is no kubeconfig, or no such context.
        """
        self._settings = configured(context)

    def url(self, pod: Json) -> str:
        """See :meth:`Doors.url`."""
        metadata = pod["metadata"]
        place = f"namespaces/{metadata['namespace']}/pods/{metadata['name']}:{port_of(pod)}"
        return f"{self._settings.host}/api/v1/{place}/proxy"

    def session(self) -> requests.Session:
        """See :meth:`Doors.session`."""
        import requests

        session = requests.Session()
        settings = self._settings
        # The kubeconfig says whom to believe and who one is: not a REQUESTS_CA_BUNDLE, which would win, nor a .netrc.
        session.trust_env = False
        session.verify = (settings.ssl_ca_cert or True) if settings.verify_ssl else False
        if settings.tls_server_name:
            session.mount("https://", _named(settings.tls_server_name))
        if settings.cert_file:
            session.cert = (settings.cert_file, settings.key_file)

        def authorise(request: requests.PreparedRequest) -> requests.PreparedRequest:
            # Asked each time: a token that a plugin hands out lives for minutes.
            if token := settings.get_api_key_with_prefix("authorization"):
                request.headers["Authorization"] = token
            return request

        session.auth = authorise
        session.hooks["response"].append(_refused)
        return session


def _refused(response: requests.Response, *_: object, **__: object) -> None:
    """Tells the API server's own refusal from what a pod answers."""
    if response.status_code != 403:
        return
    with contextlib.suppress(ValueError, KeyError, TypeError):
        if response.json()["kind"] == "Status":
            said = response.json()["message"]
            raise ReachError(f"{said}; roll out from inside the cluster, or as somebody who may do that")


def _named(name: str) -> HTTPAdapter:
    """Checks a server's certificate for a name other than its address, as a kubeconfig's tls-server-name asks."""
    from requests.adapters import HTTPAdapter

    class Named(HTTPAdapter):
        def init_poolmanager(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - what urllib3 takes
            super().init_poolmanager(*arguments, **options, server_hostname=name, assert_hostname=name)

    return Named()
