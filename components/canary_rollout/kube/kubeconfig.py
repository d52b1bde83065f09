"""Where the API server is and how to authenticate: from a kubeconfig, or from inside a pod."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from content_arena.components.shared.errors import InputError

if TYPE_CHECKING:
    from kubernetes.client import Configuration

#: Environment variable with a token inside a pod whose own account is another: tasks of a pipeline run share one.
TOKEN_VARIABLE = "CONTENT_ARENA_ROLLOUT_TOKEN"  # noqa: S105 - the name of a variable


def configured(context: str | None = None, *, is_from_inside: bool = False) -> Configuration:
    """Loads the API server's address and credentials.

    Args:
        context: Context of the kubeconfig; its current one if None.
        is_from_inside: Use the service account of the pod that this process runs in instead of a kubeconfig, or the
            account whose token is in $CONTENT_ARENA_ROLLOUT_TOKEN.

    Raises:
        InputError: There is no configuration, or it can not be read, or it has no such context.
    """
    import yaml
    from kubernetes import client, config

    settings = client.Configuration()
    try:
        if is_from_inside:
            config.load_incluster_config(settings)
            if token := os.environ.get(TOKEN_VARIABLE, "").strip():
                settings.api_key["authorization"] = f"bearer {token}"
                # It would read the pod's own token again.
                settings.refresh_api_key_hook = None
        else:
            # The path is passed because the client reads KUBECONFIG only once, when it is imported.
            config.load_kube_config(_kubeconfig(), context, settings)
    except (config.ConfigException, yaml.YAMLError, OSError, ValueError) as error:
        known = [] if context is None or is_from_inside else _contexts()
        if known and context not in known:
            raise InputError(
                f"there is no context {context} in {_kubeconfig()}: there is {', '.join(known)}"
            ) from error
        message = " ".join(str(error).split())
        raise InputError(f"no cluster is configured ({message}): set KUBECONFIG, or run inside a cluster") from error
    return settings


def is_in_pod() -> bool:
    """Whether this process runs in a cluster and no kubeconfig points to another one."""
    return "KUBERNETES_SERVICE_HOST" in os.environ and not os.environ.get("KUBECONFIG")


def _kubeconfig() -> str:
    return os.environ.get("KUBECONFIG") or "~/.kube/config"


def _contexts() -> list[str]:
    """Names of all contexts, for an error message.

    The client has a list of its own, but it fails where the current context is invalid.
    """
    import yaml

    names = []
    for path in _kubeconfig().split(os.pathsep):
        with contextlib.suppress(OSError, yaml.YAMLError, AttributeError, KeyError, TypeError):
            found = yaml.safe_load(Path(path).expanduser().read_text(encoding="utf-8"))
            names += [str(entry["name"]) for entry in found.get("contexts") or []]
    return names
