"""The ASGI layer that answers a refused large request a moment later.

To refuse a large body costs the event loop some milliseconds. A client that tries again at once, over a few
connections, would take most of it: on two cores one such client left the others half of the server's capacity. One that
has to wait for each refusal sends no more than one request a second over each connection.
Source: the tarpit of T. Liston's LaBrea (2001), which holds connections of worms.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from content_arena.components.predictor.limits import KIB
from content_arena.components.predictor.middleware.bodies import announced_length

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: A request of up to 512 tokens has no more bytes, even of emojis as JSON escapes: those are refused when too many
#: come, and are told at once.
LARGE_BYTES = 32 * KIB
#: As long as ``Retry-After`` asks for.
REFUSAL_SECONDS = 1.0


class TarpitMiddleware:
    """Delays a 4xx answer to a body that is large, or does not say its length.

    The request is over for the layers inside before the delay begins: its body is gone, and its time is measured.
    """

    def __init__(self, app: ASGIApp, seconds: float = REFUSAL_SECONDS) -> None:
        """Wraps ``app``; ``seconds`` is the delay."""
        self._app = app
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on."""
        if scope["type"] != "http" or not is_large(announced_length(scope["headers"])):
            await self._app(scope, receive, send)
            return

        refusal: list[Message] = []

        async def keep_refusal(message: Message) -> None:
            if refusal or (message["type"] == "http.response.start" and 400 <= message["status"] < 500):
                refusal.append(message)
            else:
                await send(message)

        await self._app(scope, receive, keep_refusal)
        if refusal:
            await asyncio.sleep(self._seconds)
        for message in refusal:
            await send(message)


def is_large(length: int | None) -> bool:
    """Whether the refusal of a body of so many bytes, None for nobody knows how many, comes later."""
    return length is None or length > LARGE_BYTES
