"""A rollout's requests to a real API server, each with a time limit and without retries."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from content_arena.components.canary_rollout.kube.client import (
    FIELD_MANAGER,
    AwayError,
    ClusterError,
    ConflictError,
    Json,
)
from content_arena.components.canary_rollout.kube.kubeconfig import configured, is_in_pod
from content_arena.components.shared.errors import InputError

if TYPE_CHECKING:
    from kubernetes.client.exceptions import ApiException
    from urllib3 import HTTPResponse

T = TypeVar("T")
#: Time limit of a request. The kubernetes client takes whole seconds only.
_TIMEOUT_SECONDS = 10
_LOG_LINES = 5


class _Resource(NamedTuple):
    """A kind of object, as the kubernetes client names it."""

    group: str
    version: str
    plural: str


_SERVICES = _Resource("serving.kserve.io", "v1beta1", "inferenceservices")
_RUNTIMES = _Resource("serving.kserve.io", "v1alpha1", "servingruntimes")
_CLUSTER_RUNTIMES = _Resource("serving.kserve.io", "v1alpha1", "clusterservingruntimes")
_ROUTES = _Resource("gateway.networking.k8s.io", "v1", "httproutes")
_DEPLOYMENTS = _Resource("apps", "v1", "deployments")
_AUTOSCALERS = _Resource("autoscaling", "v2", "horizontalpodautoscalers")
_LEASES = _Resource("coordination.k8s.io", "v1", "leases")
_EVENTS = _Resource("events.k8s.io", "v1", "events")


class KubernetesClient:
    """The API server of one namespace.

    See :class:`~content_arena.components.canary_rollout.kube.client.RolloutClient`.

    Objects stay JSON, so that a field that the kubernetes client does not know survives a read and a write.
    """

    def __init__(self, namespace: str, context: str | None = None) -> None:
        """Loads the configuration; sends no request.

        Args:
            namespace: Namespace of the service.
            context: Context of the kubeconfig; if None, its current one, or the pod's own account inside a pod.

        Raises:
            InputError: There is no configuration.
        """
        from kubernetes import client

        self.namespace = namespace
        settings = configured(context, is_from_inside=context is None and is_in_pod())
        # The caller decides on retries: it knows which requests may be repeated.
        settings.retries = False
        api = client.ApiClient(settings)
        self._objects, self._core = client.CustomObjectsApi(api), client.CoreV1Api(api)
        self._authentication = client.AuthenticationV1Api(api)

    def service(self, name: str) -> Json:
        """Reads an InferenceService."""
        found = self._get(_SERVICES, name)
        if found is None:
            raise InputError(f"namespace {self.namespace} has no InferenceService {name}")
        return found

    def patch_service(self, name: str, body: Json, resource_version: str, *, dry_run: bool = False) -> Json:
        """Applies a JSON merge patch to an InferenceService that was not written since it was read."""
        metadata = body.get("metadata", {}) | {"resourceVersion": resource_version}
        options: dict[str, Any] = {"dry_run": "All"} if dry_run else {}
        # Otherwise an older KServe drops fields that it does not know, and the patch seems to be accepted.
        options["field_validation"] = "Strict"
        # CustomObjectsApi sends patches as application/merge-patch+json.
        return self._call(
            f"PATCH {self._place(_SERVICES, name)}",
            self._objects.patch_namespaced_custom_object,
            *self._address(_SERVICES),
            name,
            body | {"metadata": metadata},
            field_manager=FIELD_MANAGER,
            **options,
        )

    def config_map(self, name: str, namespace: str | None = None) -> Json | None:
        """Reads a ConfigMap; None if it does not exist."""
        where = namespace or self.namespace
        what = f"GET {where}/configmaps/{name}"
        try:
            return self._call(what, self._core.read_namespaced_config_map, name, where)
        except MissingError:
            return None

    def create_config_map(self, body: Json) -> Json:
        """Creates a ConfigMap."""
        what = f"POST {self.namespace}/configmaps"
        create = self._core.create_namespaced_config_map
        return self._call(what, create, self.namespace, body, field_manager=FIELD_MANAGER)

    def patch_config_map(self, name: str, body: Json, resource_version: str) -> Json:
        """Applies a merge patch to a ConfigMap that was not written since it was read."""
        what = f"PATCH {self.namespace}/configmaps/{name}"
        metadata = body.get("metadata", {}) | {"resourceVersion": resource_version}
        patch = self._core.patch_namespaced_config_map
        guarded = body | {"metadata": metadata}
        return self._call(what, patch, name, self.namespace, guarded, field_manager=FIELD_MANAGER)

    def route(self, name: str) -> Json | None:
        """Reads an HTTPRoute; None if it does not exist or the cluster has no HTTPRoutes at all."""
        return self._get(_ROUTES, name)

    def ready_pods(self, service: str) -> dict[str, int]:
        """Number of ready pods of each Deployment of an InferenceService, by the Deployment's name."""
        found: Json = self._call(
            f"GET {self._place(_DEPLOYMENTS)}",
            self._objects.list_namespaced_custom_object,
            *self._address(_DEPLOYMENTS),
            label_selector=f"serving.kserve.io/inferenceservice={service}",
        )
        return {item["metadata"]["name"]: item.get("status", {}).get("readyReplicas", 0) for item in found["items"]}

    def serving_runtimes(self, *, of_cluster: bool = False) -> list[str]:
        """Names of the ServingRuntimes here, or of the ClusterServingRuntimes."""
        try:
            if of_cluster:
                found: Json = self._call(
                    f"GET {_CLUSTER_RUNTIMES.plural}",
                    self._objects.list_cluster_custom_object,
                    _CLUSTER_RUNTIMES.group,
                    _CLUSTER_RUNTIMES.version,
                    _CLUSTER_RUNTIMES.plural,
                )
            else:
                found = self._call(
                    f"GET {self._place(_RUNTIMES)}",
                    self._objects.list_namespaced_custom_object,
                    *self._address(_RUNTIMES),
                )
        except MissingError:
            return []
        return [item["metadata"]["name"] for item in found["items"]]

    def autoscalers(self, service: str) -> dict[str, str]:
        """Name of the Deployment that each HorizontalPodAutoscaler of an InferenceService scales, by its own name."""
        found: Json = self._call(
            f"GET {self._place(_AUTOSCALERS)}",
            self._objects.list_namespaced_custom_object,
            *self._address(_AUTOSCALERS),
        )
        return {
            item["metadata"]["name"]: item["spec"]["scaleTargetRef"]["name"]
            for item in found["items"]
            if any(
                owner["kind"] == "InferenceService" and owner["name"] == service
                for owner in item["metadata"].get("ownerReferences") or []
            )
        }

    def delete_autoscaler(self, name: str) -> None:
        """Deletes a HorizontalPodAutoscaler; does nothing if it does not exist."""
        what = f"DELETE {self._place(_AUTOSCALERS, name)}"
        with contextlib.suppress(MissingError):
            self._call(what, self._objects.delete_namespaced_custom_object, *self._address(_AUTOSCALERS), name)

    def pods(self, labels: str) -> list[Json]:
        """Lists the pods that match a label selector."""
        what = f"GET {self.namespace}/pods"
        return self._call(what, self._core.list_namespaced_pod, self.namespace, label_selector=labels)["items"]

    def previous_logs(self, pod: str, container: str) -> str:
        """Last lines of a container's log: of its previous run, or of the current one if it never restarted."""
        what = f"GET {self.namespace}/pods/{pod}/log"
        for previous in (True, False):
            try:
                text = self._call(
                    what,
                    self._core.read_namespaced_pod_log,
                    pod,
                    self.namespace,
                    container=container,
                    previous=previous,
                    tail_lines=_LOG_LINES,
                    parse=lambda data: data.decode(errors="replace"),
                )
            except AwayError:
                raise
            except ClusterError:
                # A container that has not run has no log. The rest of the diagnosis is still worth showing.
                continue
            if text.strip():
                return text
        return ""

    def lease(self, name: str) -> Json | None:
        """Reads a Lease; None if it does not exist."""
        return self._get(_LEASES, name)

    def write_lease(self, body: Json) -> Json:
        """Creates a Lease, or replaces it if ``body`` has a resourceVersion."""
        address = self._address(_LEASES)
        if "resourceVersion" in body["metadata"]:
            name = body["metadata"]["name"]
            what = f"PUT {self._place(_LEASES, name)}"
            return self._call(what, self._objects.replace_namespaced_custom_object, *address, name, body)
        what = f"POST {self._place(_LEASES)}"
        return self._call(what, self._objects.create_namespaced_custom_object, *address, body)

    def create_event(self, body: Json) -> None:
        """Creates an Event."""
        what = f"POST {self._place(_EVENTS)}"
        self._call(what, self._objects.create_namespaced_custom_object, *self._address(_EVENTS), body)

    def user(self) -> str:
        """Name of the user that the API server takes this process for; empty if it does not tell."""
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        try:
            found: Json = self._call("POST selfsubjectreviews", self._authentication.create_self_subject_review, body)
        except AwayError:
            raise
        except ClusterError:
            # Before Kubernetes 1.28, or not allowed.
            return ""
        return str(found["status"]["userInfo"].get("username", ""))

    def _get(self, kind: _Resource, name: str) -> Json | None:
        what = f"GET {self._place(kind, name)}"
        try:
            return self._call(what, self._objects.get_namespaced_custom_object, *self._address(kind), name)
        except MissingError:
            return None

    def _address(self, kind: _Resource) -> tuple[str, str, str, str]:
        """The arguments with which every method of CustomObjectsApi begins."""
        return kind.group, kind.version, self.namespace, kind.plural

    def _place(self, kind: _Resource, name: str = "") -> str:
        """The name of an object in messages."""
        return f"{self.namespace}/{kind.plural}/{name}".rstrip("/")

    def _call(
        self,
        what: str,
        request: Callable[..., HTTPResponse],
        *arguments: object,
        parse: Callable[[bytes], T] = json.loads,
        **options: object,
    ) -> T:
        """Sends one request and reads its answer.

        Args:
            what: Method and object, for a message.
            request: Method of the kubernetes client.
            arguments: For ``request``.
            parse: Reads the body of the answer.
            options: For ``request``.
        """
        from kubernetes.client.exceptions import ApiException
        from urllib3.exceptions import HTTPError

        try:
            # Parsed here, because the kubernetes client returns an incomplete body as a string.
            response = request(*arguments, **options, _preload_content=False, _request_timeout=_TIMEOUT_SECONDS)
            data = response.data
        except ApiException as error:
            raise _error_for(error, what) from error
        except (HTTPError, OSError) as error:
            raise AwayError(f"the API server does not answer ({type(error).__name__})") from error
        try:
            return parse(data)
        except ValueError as error:
            raise AwayError(f"the API server broke off its answer ({type(error).__name__})") from error


class MissingError(ClusterError):
    """There is no such object."""


def _error_for(error: ApiException, what: str) -> ClusterError:
    """The error that an HTTP status stands for, with the server's own message."""
    try:
        message = json.loads(error.body)["message"]
    except (KeyError, TypeError, ValueError):
        message = f"HTTP {error.status} {error.reason}"
    if error.status == 409:
        return ConflictError(message)
    if error.status == 404:
        return MissingError(message)
    if not error.status:
        # The kubernetes client reports a TLS failure as status 0.
        return AwayError(f"the API server does not answer ({' '.join(str(error.reason).split())})")
    if error.status == 429 or error.status >= 500:
        return AwayError(message)
    return ClusterError(f"{what}: {message}")
