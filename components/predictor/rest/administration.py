"""The endpoint that has the server take over another bundle: ``POST /v2/repository/models/{model_name}/load``.

It is that of kserve and of Triton's model repository extension. It names no bundle: the server looks at its own source
again. kserve lets any client call it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from kserve.errors import ModelNotFound

from content_arena.components.predictor.model import MODEL_NAME
from content_arena.components.predictor.reload import Reloader
from content_arena.components.shared.errors import ArenaError

LOAD_PATH = "/v2/repository/models/{model_name}/load"
#: A proxy on this machine, such as the one that Knative puts into every pod, adds one of these for its clients.
_OF_PROXIES = ("x-forwarded-for", "forwarded", "via", "x-real-ip")


class ForbiddenError(ArenaError):
    """The client may not ask for this (HTTP 403)."""


def register(app: FastAPI, reloader: Reloader, *, keyed: bool) -> None:
    """Adds the endpoint to ``app``; before kserve's own.

    Args:
        app: The application.
        reloader: Takes over another bundle.
        keyed: Whether the server asks for API keys. If so, one is enough here too; else only a client on the server's
            own machine may ask.
    """

    async def load(model_name: str, request: Request) -> JSONResponse:
        host = request.client.host if request.client else None
        if not keyed:
            check_local(host, request.headers)
        version = await load_again(model_name, reloader)
        return JSONResponse({"name": model_name, "load": True, "model_version": version})

    app.add_api_route(LOAD_PATH, load, methods=["POST"], response_model=None)


async def load_again(model_name: str, reloader: Reloader) -> str:
    """Serves the bundle that is there now; returns its version.

    Raises:
        ModelNotFound: There is no such model.
        ArenaError: See :meth:`Reloader.reload`.
    """
    if model_name != MODEL_NAME:
        raise ModelNotFound(model_name)
    return await reloader.reload()


def check_local(host: str | None, headers: Mapping[str, str]) -> None:
    """Refuses a request to load a bundle that does not come from the server's own machine; see :func:`is_local`.

    Raises:
        ForbiddenError: It comes from elsewhere.
    """
    if not is_local(host, headers):
        raise ForbiddenError("without API keys only a client on the server's own machine may have it load a bundle")


def is_local(host: str | None, headers: Mapping[str, str]) -> bool:
    """Whether a request comes from the server's own machine, and not through a proxy there.

    Args:
        host: Address that the connection comes from; None if it is not known.
        headers: Of the request, by lower-case name.
    """
    try:
        address = ipaddress.ip_address(host or "")
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback and not any(name in headers for name in _OF_PROXIES)
