"""Reading the template of an InferenceService, and creating the service: what the first champion needs of the API."""

from __future__ import annotations

from content_arena.components.canary_rollout.kube.client import Json
from content_arena.components.canary_rollout.kube.kubernetes_client import KubernetesClient, MissingError
from content_arena.components.shared.errors import InputError


class ServiceCreationClient(KubernetesClient):
    """The API server of one namespace, for an account that may read the template and create the service."""

    def template(self, name: str) -> dict[str, str] | None:
        """Reads the data of a ConfigMap; None if there is none of that name.

        Raises:
            AwayError: The server does not answer.
            ClusterError: It refuses.
        """
        what = f"GET {self.namespace}/configmaps/{name}"
        try:
            found: Json = self._call(what, self._core.read_namespaced_config_map, name, self.namespace)
        except MissingError:
            return None
        return dict(found.get("data") or {})

    def has_service(self, name: str) -> bool:
        """Whether there is an InferenceService of that name.

        Raises:
            AwayError: The server does not answer.
            ClusterError: It refuses.
        """
        try:
            self.service(name)
        except InputError:
            return False
        return True

    def create_service(self, body: Json) -> None:
        """Creates an InferenceService; a field that the server does not know is an error.

        Raises:
            AwayError: The server does not answer.
            ConflictError: There is one of that name.
            ClusterError: It refuses.
        """
        self._call(
            f"POST {self.namespace}/inferenceservices/{body['metadata']['name']}",
            self._objects.create_namespaced_custom_object,
            "serving.kserve.io",
            "v1beta1",
            self.namespace,
            "inferenceservices",
            body,
            field_validation="Strict",
        )
