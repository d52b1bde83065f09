"""A client of the API server for the simulated controllers and kubelet, in one namespace."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import requests
from kubernetes import client, config

Json = dict[str, Any]
_GROUPS = {
    "inferenceservices": "apis/serving.kserve.io/v1beta1",
    "servingruntimes": "apis/serving.kserve.io/v1alpha1",
    "revisions": "apis/serving.knative.dev/v1",
    "httproutes": "apis/gateway.networking.k8s.io/v1",
    "deployments": "apis/apps/v1",
    "replicasets": "apis/apps/v1",
    "leases": "apis/coordination.k8s.io/v1",
    "events": "apis/events.k8s.io/v1",
    "services": "api/v1",
    "pods": "api/v1",
    "configmaps": "api/v1",
}


class Api:
    """One connection; not to be shared by threads."""

    def __init__(self, namespace: str) -> None:
        settings = client.Configuration()
        config.load_kube_config(client_configuration=settings)
        self.namespace, self._host = namespace, settings.host
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = settings.ssl_ca_cert or True
        if settings.cert_file:
            self._session.cert = (settings.cert_file, settings.key_file)
        if token := settings.get_api_key_with_prefix("authorization"):
            self._session.headers["Authorization"] = token

    def list(self, kind: str, labels: str = "") -> list[Json]:
        return self._call("GET", kind, params={"labelSelector": labels})["items"]

    def get(self, kind: str, name: str) -> Json | None:
        return self._call("GET", kind, name)

    def create(self, kind: str, body: Json) -> Json:
        return self._call("POST", kind, json=body)

    def merge(self, kind: str, name: str, patch: Json, part: str = "") -> Json | None:
        """Merges a patch; None if there is no such object."""
        headers = {"Content-Type": "application/merge-patch+json"}
        return self._call("PATCH", kind, f"{name}/{part}".rstrip("/"), json=patch, headers=headers)

    def apply(self, kind: str, body: Json, manager: str) -> Json:
        """Applies fields on the server's side, also those that another manager owns."""
        headers = {"Content-Type": "application/apply-patch+yaml"}
        options = {"fieldManager": manager, "force": "true"}
        return self._call("PATCH", kind, body["metadata"]["name"], json=body, headers=headers, params=options)

    def delete(self, kind: str, name: str) -> None:
        self._call("DELETE", kind, name, json={"propagationPolicy": "Background"})

    def _call(self, method: str, kind: str, name: str = "", **how: Any) -> Any:
        url = f"{self._host}/{_GROUPS[kind]}/namespaces/{self.namespace}/{kind}/{name}".rstrip("/")
        answer = self._session.request(method, url, timeout=30, **how)
        if answer.status_code == 404 and name:
            return None
        if not answer.ok:
            raise RefusedError(answer.status_code, answer.json()["message"])
        return answer.json()


class RefusedError(Exception):
    """The API server refused."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Loop:
    """Calls a controller's ``reconcile_once`` periodically in a thread. Raises the first error when it is stopped."""

    def __init__(self, reconcile_once: Callable[[], None], interval: float = 0.2) -> None:
        self._reconcile_once, self._interval = reconcile_once, interval
        self._stopped = threading.Event()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name=reconcile_once.__qualname__, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join(60)
        if self._error:
            raise self._error

    def _run(self) -> None:
        while not self._stopped.wait(self._interval):
            try:
                self._reconcile_once()
            except RefusedError as error:
                # The object was written meanwhile, as happens to every controller. The next iteration reads it again.
                if error.status not in (404, 409):
                    self._error = self._error or error
            except Exception as error:
                self._error = self._error or error
