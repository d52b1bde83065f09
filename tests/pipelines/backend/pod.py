"""The pod that Kubeflow Pipelines' driver makes of a task of a compiled pipeline, as a Kubernetes object."""

from __future__ import annotations

from tests.pipelines.backend.driver import Json


def pod(name: str, container: Json, settings: Json) -> Json:
    """A pod of a task, less the launcher.

    Args:
        name: Of the pod.
        container: Of the executor.
        settings: Of the platform document.
    """
    resources = container["resources"]
    wanted = {
        "limits": {"cpu": resources["resourceCpuLimit"], "memory": resources["resourceMemoryLimit"]},
        "requests": {"cpu": resources["resourceCpuRequest"], "memory": resources["resourceMemoryRequest"]},
    }
    accelerator = resources.get("accelerator")
    if accelerator:
        for kind in wanted.values():
            kind[accelerator["resourceType"]] = accelerator["resourceCount"]
    user = settings["securityContext"]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": settings["podMetadata"]["labels"]},
        "spec": {
            "restartPolicy": "Never",
            "activeDeadlineSeconds": int(settings["activeDeadlineSeconds"]),
            "nodeSelector": settings.get("nodeSelector", {}).get("labels", {}),
            "tolerations": settings.get("tolerations", []),
            "containers": [
                {
                    "name": "main",
                    "image": container["image"],
                    "command": container["command"],
                    "args": container["args"],
                    "resources": wanted,
                    "securityContext": {
                        "runAsUser": int(user["runAsUser"]),
                        "runAsGroup": int(user["runAsGroup"]),
                        "runAsNonRoot": user["runAsNonRoot"],
                        # What the backend adds by itself.
                        "allowPrivilegeEscalation": False,
                        "capabilities": {"drop": ["ALL"]},
                        "seccompProfile": {"type": "RuntimeDefault"},
                    },
                }
            ],
        },
    }
