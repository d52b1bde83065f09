"""The endpoint that has the server take over another bundle: ``POST /v2/repository/models/{model_name}/load``.

It is that of kserve and of Triton's model repository extension. It names no bundle: the server looks at its own source
again. kserve lets any client call it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from kserve.errors import ModelNotFound

from content_arena.components.predictor.model import MODEL_NAME
from content_arena.components.predictor.reload import Reloader

LOAD_PATH = "/v2/repository/models/{model_name}/load"
#: A proxy on this machine, such as the one that Knative puts into every pod, adds one of these for its clients.
_OF_PROXIES = ("x-forwarded-for", "forwarded", "via", "x-real-ip")
_LOCAL_ONLY = "without API keys only a client on the server's own machine may have it load a bundle"


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
        if not keyed and not is_local(host, request.headers):
            return JSONResponse({"error": _LOCAL_ONLY}, HTTPStatus.FORBIDDEN)
        if model_name != MODEL_NAME:
            raise ModelNotFound(model_name)
        version = await reloader.reload()
        return JSONResponse({"name": model_name, "load": True, "model_version": version})

    app.add_api_route(LOAD_PATH, load, methods=["POST"], response_model=None)


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
