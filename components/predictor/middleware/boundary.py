"""The ASGI layer around the routes: reads bodies within bounds, and answers what no route may see.

A body is read whole before a route gets it, so that size, time and memory are bounded in one place. A large one whose
start is no request is refused at once: the rest is not kept. uvicorn reads at most 64 KiB of a body that nobody asks
for.
"""

from __future__ import annotations

import asyncio
import json
import logging
import traceback
from collections import deque
from http import HTTPStatus
from typing import TYPE_CHECKING

from content_arena.components.predictor import metrics
from content_arena.components.predictor.limits import MAX_BODY_BYTES, SMALL_BODY_BYTES
from content_arena.components.predictor.middleware.bodies import (
    BodyError,
    BodySizeError,
    announced_length,
    check_start,
    gunzip,
)
from content_arena.components.predictor.middleware.large_bodies import LARGE_BODIES, FullError, HeldBytes, large_part
from content_arena.components.predictor.protocol import RequestError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

logger = logging.getLogger("kserve.content_arena")

_BODILESS = frozenset({"GET", "HEAD", "OPTIONS", "DELETE"})
_RETRY = ((b"retry-after", b"1"),)


class _RefusedError(Exception):
    """An answer that ends the request."""

    def __init__(self, status: HTTPStatus, text: str, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        super().__init__(text)
        self.status, self.text, self.headers = status, text, headers


_TOO_LARGE = f"the body is over {MAX_BODY_BYTES} bytes"


class BoundaryMiddleware:
    """Bounds bodies, and answers errors that no route handles with a 500 without details.

    A body over 16 MiB, packed or unpacked, is refused (413), one that takes too long (408), one for which there is no
    memory or that waits too long to be unpacked (429, with ``Retry-After``), and one in another content encoding than
    gzip (415).
    """

    def __init__(self, app: ASGIApp, held: HeldBytes, body_seconds: float) -> None:
        """Wraps ``app``.

        Args:
            app: The next layer.
            held: Counts the bytes of large bodies in memory.
            body_seconds: Seconds that a body may take to arrive, and again to be unpacked.
        """
        self._app = app
        self.held = held
        self.body_seconds = body_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on; never raises an :class:`Exception`."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        body = _Body(self, scope, receive)
        try:
            await self._app(scope, body.receive, watch)
        except _RefusedError as refusal:
            await _send_error(send, refusal)  # Nothing was answered yet: a route reads the body first.
        except Exception as error:
            # The message of an exception may quote the request; the lines of code cannot.
            frames = "".join(traceback.format_tb(error.__traceback__))
            logger.error("%s on %s\n%s", type(error).__name__, metrics.route_template(scope), frames)
            if not started:
                await _send_error(send, _RefusedError(HTTPStatus.INTERNAL_SERVER_ERROR, "internal error"))
        finally:
            self.held.release(body.held)


class _Body:
    """The body of one request while it is read.

    Attributes:
        held: Bytes that are counted for it.
    """

    def __init__(self, boundary: BoundaryMiddleware, scope: Scope, receive: Receive) -> None:
        self.held = 0
        self._boundary = boundary
        self._receive = receive
        self._is_read = False
        self._chunks: deque[bytes] = deque()
        self._bodiless = scope.get("method") in _BODILESS
        headers = dict(scope["headers"])
        self._length = announced_length(scope["headers"])
        self._encoding = headers.get(b"content-encoding", b"identity").strip().lower() or b"identity"
        #: Behind the JSON of V2's binary data extension are bytes of any kind.
        self._is_json = self._encoding == b"identity" and b"inference-header-content-length" not in headers

    async def receive(self) -> Message:
        """The ASGI channel of the request: its body after all of it has arrived, then what the server says.

        It is read when a route asks for it, so that the route is known to the metrics, and not at all for no route.
        """
        if self._bodiless or (self._is_read and not self._chunks):
            return await self._receive()
        if not self._is_read and not await self._read_in_time():
            return {"type": "http.disconnect"}
        # Joined by the one who needs it whole, and by nobody before: a copy of 16 MiB takes the event loop 20 ms.
        chunk = self._chunks.popleft()
        return {"type": "http.request", "body": chunk, "more_body": bool(self._chunks)}

    async def _read_in_time(self) -> bool:
        """Reads and unpacks the body; False if the client left."""
        self._is_read = True
        if self._encoding not in (b"identity", b"gzip", b"x-gzip"):
            offer = ((b"accept-encoding", b"gzip"),)
            raise _RefusedError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "the content encoding is not gzip", offer)
        if self._length is not None and self._length > MAX_BODY_BYTES:
            raise _RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _TOO_LARGE)
        try:
            async with asyncio.timeout(self._boundary.body_seconds):
                is_there = await self._read()
        except TimeoutError:
            seconds = f"{self._boundary.body_seconds:g}"
            raise _RefusedError(HTTPStatus.REQUEST_TIMEOUT, f"the body took more than {seconds} seconds") from None
        if is_there and self._encoding != b"identity":
            self._chunks = deque([await self._unpacked(b"".join(self._chunks))])
        return is_there

    async def _read(self) -> bool:
        """Reads the body as it was sent; False if the client left."""
        size, is_looked_at = 0, not self._is_json
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self._chunks.clear()
                return False
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > MAX_BODY_BYTES:
                raise _RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _TOO_LARGE)
            self._hold(size)
            self._chunks.append(chunk)
            if size > SMALL_BODY_BYTES and not is_looked_at:
                is_looked_at = True
                self._look_at_start()
            if not message.get("more_body"):
                return True

    def _look_at_start(self) -> None:
        try:
            check_start(b"".join(self._chunks)[:SMALL_BODY_BYTES])
        except BodyError as error:
            raise RequestError(str(error)) from None  # The route answers it, in its API's form.

    async def _unpacked(self, packed: bytes) -> bytes:
        """The body of a gzip member; unpacking does not hold Python's global lock."""
        try:
            async with asyncio.timeout(self._boundary.body_seconds):
                body = await asyncio.get_running_loop().run_in_executor(LARGE_BODIES, gunzip, packed)
        except TimeoutError:
            # It waited for others: they are unpacked one after another.
            raise _RefusedError(HTTPStatus.TOO_MANY_REQUESTS, "too many packed requests at once", _RETRY) from None
        except BodyError as error:
            raise _RefusedError(HTTPStatus.BAD_REQUEST, str(error)) from None
        except BodySizeError:
            raise _RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _TOO_LARGE) from None
        self._hold(len(body))
        return body

    def _hold(self, size: int) -> None:
        large = large_part(size)
        if large > self.held:
            try:
                self._boundary.held.hold(large - self.held)
            except FullError as error:
                raise _RefusedError(HTTPStatus.TOO_MANY_REQUESTS, str(error), _RETRY) from None
            self.held = large


async def _send_error(send: Send, refusal: _RefusedError) -> None:
    body = json.dumps({"error": refusal.text}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *refusal.headers]
    await send({"type": "http.response.start", "status": int(refusal.status), "headers": headers})
    await send({"type": "http.response.body", "body": body})
