"""The way of every call: its key is looked at, then its message is read, then it is answered, counted and logged.

gRPC's Python reads the message of a unary call before any code of ours runs, and answers one that it can not parse with
INTERNAL. So every method is served as one that takes a stream of bytes, which looks the same to clients: nothing is
read for a call without a key.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus

import grpc
from grpc import StatusCode, aio

from content_arena.components.predictor.limits import MAX_MESSAGE_BYTES, Limits
from content_arena.components.predictor.middleware.accounting import REQUEST_ID_HEADER, Facts
from content_arena.components.predictor.middleware.large_bodies import FullError, HeldBytes, SlowBodyError, large_part
from content_arena.components.predictor.middleware.rules import Rules
from content_arena.components.predictor.middleware.tarpit import REFUSAL_SECONDS, is_large
from content_arena.components.predictor.probe_token import PROBE_HEADER
from content_arena.components.predictor.refusals import FAULT, Refusal, refusal_of
from content_arena.components.predictor.scoring.scheduler import ClosingError, RequestTooLargeError

logger = logging.getLogger("kserve.content_arena")

#: A message that takes longer to arrive is counted as the largest there can be: its size is not known before it is
#: there, and gRPC keeps what has come.
_PROMPT_SECONDS = 0.1
#: How often the server looks whether the last call has its answer, when it ends.
_POLL_SECONDS = 0.02
#: The client has gone, or its own deadline has passed: nginx's status for it, as there is none in HTTP.
_GIVEN_UP = 499
_STATUS_CODES = {
    HTTPStatus.BAD_REQUEST: StatusCode.INVALID_ARGUMENT,
    HTTPStatus.UNAUTHORIZED: StatusCode.UNAUTHENTICATED,
    HTTPStatus.FORBIDDEN: StatusCode.PERMISSION_DENIED,
    HTTPStatus.NOT_FOUND: StatusCode.NOT_FOUND,
    HTTPStatus.REQUEST_TIMEOUT: StatusCode.DEADLINE_EXCEEDED,
    HTTPStatus.CONFLICT: StatusCode.ABORTED,
    # Not RESOURCE_EXHAUSTED, which clients take for a reason to try again.
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: StatusCode.INVALID_ARGUMENT,
    HTTPStatus.UNPROCESSABLE_ENTITY: StatusCode.FAILED_PRECONDITION,
    HTTPStatus.TOO_MANY_REQUESTS: StatusCode.RESOURCE_EXHAUSTED,
    HTTPStatus.INTERNAL_SERVER_ERROR: StatusCode.INTERNAL,
    HTTPStatus.SERVICE_UNAVAILABLE: StatusCode.UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT: StatusCode.DEADLINE_EXCEEDED,
}


@dataclass(frozen=True)
class Call:
    """A call whose message is there.

    Attributes:
        message: Serialised.
        facts: What is known of it beside that.
        headers: Its metadata, by name.
        peer: Address that it comes from, as gRPC writes it.
    """

    message: bytes
    facts: Facts
    headers: dict[str, str]
    peer: str


@dataclass(frozen=True)
class Method:
    """A method of the service.

    Attributes:
        path: Its path in HTTP/2.
        answer: Makes a serialised answer of a call.
        is_open: Whether it is answered without a key, and however many calls there are.
    """

    path: str
    answer: Callable[[Call], Awaitable[bytes]]
    is_open: bool = False


class Calls:
    """Answers calls; for the event loop."""

    def __init__(self, rules: Rules, limits: Limits) -> None:
        """Takes what holds for HTTP requests too."""
        self._rules = rules
        self._limits = limits
        self._n_calls = 0
        self._is_closed = False

    def handler(self, method: Method) -> grpc.RpcMethodHandler:
        """What gRPC calls for a method."""

        async def behave(messages: AsyncIterator[bytes], context: aio.ServicerContext) -> bytes:
            return await self._answered(method, messages, context)

        return grpc.stream_unary_rpc_method_handler(behave)

    async def close(self) -> None:
        """Refuses calls from now on, and waits for those that are being answered."""
        self._is_closed = True
        while self._n_calls:
            await asyncio.sleep(_POLL_SECONDS)

    async def _answered(self, method: Method, messages: AsyncIterator[bytes], context: aio.ServicerContext) -> bytes:
        headers = [(name, value) for name, value in context.invocation_metadata() or () if isinstance(value, str)]
        by_name = dict(headers)
        probe = by_name.get(PROBE_HEADER)
        facts = self._rules.accounting.begin(
            by_name.get(REQUEST_ID_HEADER, "").encode(), None if probe is None else probe.encode()
        )
        holding = _Holding(self._rules.held)
        answer, refusal, status = b"", None, _GIVEN_UP
        start = time.perf_counter()
        self._n_calls += 1
        try:
            if self._is_closed:
                raise ClosingError("the server is about to end")
            if not method.is_open:
                self._admit(headers, facts)
            message = await self._read(messages, holding)
            answer = await method.answer(Call(message, facts, by_name, context.peer()))
            status = HTTPStatus.OK
        except Exception as error:
            refusal = refusal_of(error)
            status = refusal.status
            code = StatusCode.UNIMPLEMENTED if isinstance(error, NotImplementedError) else _STATUS_CODES[status]
            if refusal is FAULT:
                # The message of an exception may quote the request; the lines of code cannot.
                frames = "".join(traceback.format_tb(error.__traceback__))
                logger.error("%s on %s\n%s", type(error).__name__, method.path, frames)
        finally:
            message = b""  # It is not kept while the refusal waits.
            self._n_calls -= 1
            holding.release()
            self._rules.accounting.end(facts, "POST", method.path, int(status), time.perf_counter() - start)
        if refusal is not None:
            if status < HTTPStatus.INTERNAL_SERVER_ERROR and is_large(holding.size):
                await asyncio.sleep(REFUSAL_SECONDS)
            await _refuse(context, refusal, code, facts)
        context.set_trailing_metadata(tuple(facts.answer_headers))
        return answer

    def _admit(self, headers: Sequence[tuple[str, str]], facts: Facts) -> None:
        if self._rules.access:
            self._rules.access.enter(((name.encode(), value.encode()) for name, value in headers), facts)
        if self._n_calls > self._limits.calls:
            raise FullError("too many requests at once")

    async def _read(self, messages: AsyncIterator[bytes], holding: _Holding) -> bytes:
        try:
            async with asyncio.timeout(self._limits.body_seconds) as limit:
                with holding.claiming(limit):
                    message = await anext(messages, None)
        except TimeoutError:
            if holding.is_refused:
                raise FullError("too many large requests at once") from None
            raise SlowBodyError(f"the message took more than {self._limits.body_seconds:g} seconds") from None
        if message is None:
            # gRPC has refused what was too large by itself.
            raise RequestTooLargeError(f"the call has no message, or one of more than {MAX_MESSAGE_BYTES} bytes")
        holding.hold(len(message))
        return message


class _Holding:
    """The bytes of one message that are counted.

    Attributes:
        size: Bytes of the message; 0 until it is there.
        is_refused: Whether there was no memory for it before it was there.
    """

    def __init__(self, held: HeldBytes) -> None:
        self.size = 0
        self.is_refused = False
        self._held = held
        self._n_bytes = 0

    @contextlib.contextmanager
    def claiming(self, limit: asyncio.Timeout) -> Iterator[None]:
        """Counts the message as the largest there can be once it is late; ends ``limit`` if there is no room for it."""

        def claim() -> None:
            try:
                self._change(large_part(MAX_MESSAGE_BYTES))
            except FullError:
                self.is_refused = True
                limit.reschedule(asyncio.get_running_loop().time())

        timer = asyncio.get_running_loop().call_later(_PROMPT_SECONDS, claim)
        try:
            yield
        finally:
            timer.cancel()

    def hold(self, size: int) -> None:
        """Counts the message, which is there."""
        self.size = size
        self._change(large_part(size))

    def release(self) -> None:
        """Ends counting it."""
        self._change(0)

    def _change(self, n_bytes: int) -> None:
        if n_bytes > self._n_bytes:
            self._held.hold(n_bytes - self._n_bytes)
        else:
            self._held.release(self._n_bytes - n_bytes)
        self._n_bytes = n_bytes


async def _refuse(context: aio.ServicerContext, refusal: Refusal, code: StatusCode, facts: Facts) -> None:
    trailing = list(facts.answer_headers)
    if "Retry-After" in refusal.headers:
        trailing.append(("retry-after", refusal.headers["Retry-After"]))
    try:
        await context.abort(code, refusal.text, tuple(trailing))
    except aio.InternalError:  # gRPC has answered already: the message was too large, or the client has gone.
        raise asyncio.CancelledError from None
