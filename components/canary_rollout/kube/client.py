"""The API server, as far as a rollout needs it: few calls, bounded patience, and its own words when it refuses."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from content_arena.components.shared.errors import ArenaError, InputError

if TYPE_CHECKING:
    from kubernetes.client import Configuration

Json = dict[str, Any]
T = TypeVar("T")
#: Whole seconds: the client takes nothing else.
_SECONDS = 10
_LAST_LINES = 5
SERVING = ("serving.kserve.io", "v1beta1", "inferenceservices")
ROUTES = ("gateway.networking.k8s.io", "v1", "httproutes")
LEASES = ("coordination.k8s.io", "v1", "leases")
EVENTS = ("events.k8s.io", "v1", "events")
#: By which the API server's book-keeping tells the rollout's writes from a person's.
FIELD_MANAGER = "content-arena-rollout"


class ClusterError(ArenaError):
    """The API server refused; the message is its own."""


class ConflictError(ClusterError):
    """Somebody else wrote in between; read again."""


class AwayError(ClusterError):
    """The API server does not answer, or asks for patience; the same may work later."""


class Cluster:
    """One namespace."""

    def __init__(self, namespace: str, context: str | None = None) -> None:
        """Connects from inside a pod, or as kubectl would.

        Args:
            namespace: Of the service.
            context: Of the kubeconfig; its current one if None.

        Raises:
            InputError: There is no configuration to be found.
        """
        from kubernetes import client

        self.namespace = namespace
        settings = configured(context, is_from_inside=context is None and is_in_pod())
        # Retrying is decided where it is known what may be repeated.
        settings.retries = False
        self._client = client.ApiClient(settings)

    def service(self, name: str) -> Json:
        """The InferenceService.

        Raises:
            InputError: There is none of that name.
        """
        found = self._read(f"/apis/{_path(SERVING, self.namespace)}/{name}")
        if found is None:
            raise InputError(f"namespace {self.namespace} has no InferenceService {name}")
        return found

    def patch_service(self, name: str, body: Json, resource_version: str, *, dry_run: bool = False) -> Json:
        """Merges a patch into the InferenceService, if nobody wrote it since it was read.

        Args:
            name: Of the service.
            body: JSON merge patch.
            resource_version: Of the service as it was read.
            dry_run: Only have it checked.

        Returns:
            The service as it is (would be) now.

        Raises:
            ConflictError: Somebody wrote it.
            ClusterError: The API server, or a webhook, refuses; with its words.
        """
        metadata = body.get("metadata", {}) | {"resourceVersion": resource_version}
        query = [("fieldManager", FIELD_MANAGER)] + ([("dryRun", "All")] if dry_run else [])
        path = f"/apis/{_path(SERVING, self.namespace)}/{name}"
        return self._call("PATCH", path, body | {"metadata": metadata}, query)

    def route(self, name: str) -> Json | None:
        """The HTTPRoute of that name; None if there is none, or if the cluster knows no HTTPRoutes."""
        return self._read(f"/apis/{_path(ROUTES, self.namespace)}/{name}")

    def ready_pods(self, service: str) -> dict[str, int]:
        """Ready pods of each Deployment of an InferenceService, by the Deployment's name."""
        selector = ("labelSelector", f"serving.kserve.io/inferenceservice={service}")
        found = self._call("GET", f"/apis/apps/v1/namespaces/{self.namespace}/deployments", None, [selector])
        return {item["metadata"]["name"]: item.get("status", {}).get("readyReplicas", 0) for item in found["items"]}

    def pods(self, labels: str) -> list[Json]:
        """The pods that a label selector finds."""
        path = f"/api/v1/namespaces/{self.namespace}/pods"
        return self._call("GET", path, None, [("labelSelector", labels)])["items"]

    def previous_logs(self, pod: str, container: str) -> str:
        """The end of the log of a container: of its last life if it had one, else of this; empty if there is none."""
        path = f"/api/v1/namespaces/{self.namespace}/pods/{pod}/log"
        for previous in ("true", "false"):
            query = [("container", container), ("previous", previous), ("tailLines", str(_LAST_LINES))]
            try:
                words = self._call("GET", path, None, query, parse=lambda data: data.decode(errors="replace"))
            except AwayError:
                raise
            except ClusterError:
                # A container that has not run has no log, and a missing log is no reason to hide the rest.
                continue
            if words.strip():
                return words
        return ""

    def lease(self, name: str) -> Json | None:
        """The Lease of that name; None if there is none."""
        return self._read(f"/apis/{_path(LEASES, self.namespace)}/{name}")

    def write_lease(self, body: Json) -> Json:
        """Makes a Lease, or replaces the one that was read.

        Raises:
            ConflictError: Somebody else made or wrote it.
        """
        path = f"/apis/{_path(LEASES, self.namespace)}"
        if "resourceVersion" in body["metadata"]:
            return self._call("PUT", f"{path}/{body['metadata']['name']}", body)
        return self._call("POST", path, body)

    def create_event(self, body: Json) -> None:
        """Makes an Event."""
        self._call("POST", f"/apis/{_path(EVENTS, self.namespace)}", body)

    def _read(self, path: str) -> Json | None:
        try:
            return self._call("GET", path)
        except _MissingError:
            return None

    def _call(
        self,
        method: str,
        path: str,
        body: Json | None = None,
        query: list[tuple[str, str]] | None = None,
        parse: Callable[[bytes], T] = json.loads,
    ) -> T:
        """One request. Not the client's typed calls: theirs send a merge patch under a name that no CRD takes."""
        from kubernetes.client.exceptions import ApiException
        from urllib3.exceptions import HTTPError

        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        headers = {"Accept": "application/json, */*", "Content-Type": kind}
        try:
            response = self._client.call_api(
                path, method, query_params=query or [], header_params=headers, body=body,
                auth_settings=["BearerToken"], _preload_content=False, _return_http_data_only=True,
                _request_timeout=_SECONDS,
            )  # fmt: skip
            data = response.data
        except ApiException as error:
            raise _refusal(error, method, path) from error
        except (HTTPError, OSError) as error:
            raise AwayError(f"the API server does not answer ({type(error).__name__})") from error
        try:
            return parse(data)
        except ValueError as error:
            raise AwayError(f"the API server broke off its answer ({type(error).__name__})") from error


class _MissingError(ClusterError):
    """There is no such object."""


def _refusal(error: Any, method: str, path: str) -> ClusterError:  # noqa: ANN401
    """The error for an HTTP status, with the server's own message."""
    try:
        message = json.loads(error.body)["message"]
    except (KeyError, TypeError, ValueError):
        message = f"HTTP {error.status} {error.reason}"
    if error.status == 409:
        return ConflictError(message)
    if error.status == 404:
        return _MissingError(message)
    if not error.status:
        # The client's way to say that TLS broke off.
        return AwayError(f"the API server does not answer ({' '.join(str(error.reason).split())})")
    if error.status == 429 or error.status >= 500:
        return AwayError(message)
    return ClusterError(f"{method} {path.rpartition('/namespaces/')[2]}: {message}")


def _path(kind: tuple[str, str, str], namespace: str) -> str:
    group, version, plural = kind
    return f"{group}/{version}/namespaces/{namespace}/{plural}"


def configured(context: str | None = None, *, is_from_inside: bool = False) -> Configuration:
    """The API server's address and credentials, as kubectl would find them or as a pod does.

    Raises:
        InputError: There is nothing to be found, or it can not be read.
    """
    import yaml
    from kubernetes import client, config

    settings = client.Configuration()
    try:
        if is_from_inside:
            config.load_incluster_config(settings)
        else:
            # Told here, for the client reads the variable only once, when it is imported.
            config.load_kube_config(_kubeconfig(), context, settings)
    except (config.ConfigException, yaml.YAMLError, OSError, ValueError) as error:
        known = [] if context is None or is_from_inside else _contexts()
        if known and context not in known:
            there = f"there is {', '.join(known)}"
            raise InputError(f"there is no context {context} in {_kubeconfig()}: {there}") from error
        said = " ".join(str(error).split())
        raise InputError(f"no cluster is configured ({said}): set KUBECONFIG, or run inside a cluster") from error
    return settings


def _kubeconfig() -> str:
    return os.environ.get("KUBECONFIG") or "~/.kube/config"


def _contexts() -> list[str]:
    """Names of the contexts there are, for an error; the client's own list wants the current one to be in order."""
    import yaml

    names = []
    for path in _kubeconfig().split(os.pathsep):
        with contextlib.suppress(OSError, yaml.YAMLError, AttributeError, KeyError, TypeError):
            found = yaml.safe_load(Path(path).expanduser().read_text(encoding="utf-8"))
            names += [str(entry["name"]) for entry in found.get("contexts") or []]
    return names


def is_in_pod() -> bool:
    """Whether this process runs in a cluster, and is not told to talk to another."""
    return "KUBERNETES_SERVICE_HOST" in os.environ and not os.environ.get("KUBECONFIG")
