"""A load client that costs little: keep-alive connections, each of which sends the next request when it has an answer.

It is a process of its own and shares the processors with the server that it measures, so that its own cost counts: it
writes requests that were encoded beforehand to plain transports, and leaves the answers to httptools.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from multiprocessing.connection import Connection
from typing import cast

import httptools
import numpy as np
import uvloop

#: Seconds before answers count: all connections are open and the server's queue has its usual length.
WARM_UP_SECONDS = 1.0


@dataclass(frozen=True)
class Load:
    """What is asked of a server.

    Attributes:
        port: Where it listens, on 127.0.0.1.
        path: What is posted to.
        bodies: JSON bodies, sent in this order by all connections together, again from the start after the last.
        connections: Requests in flight at any time.
        seconds: How long answers count.
    """

    port: int
    path: str
    bodies: Sequence[bytes]
    connections: int
    seconds: float


@dataclass
class Figures:
    """What the client saw.

    Attributes:
        seconds: Of each request that was answered with 200 in time, from its first byte to the answer's last.
        rate: Such requests a second.
        n_answered: All requests that were answered, those before and after included.
        n_failed: Requests with another answer than 200 in time, or none.
        cpu_share: Seconds of a processor that the client took / seconds of the load.
    """

    seconds: list[float] = field(default_factory=list)
    rate: float = 0.0
    n_answered: int = 0
    n_failed: int = 0
    cpu_share: float = 0.0

    def milliseconds(self, percent: float) -> float:
        """A percentile; NaN without an answer."""
        return float(np.percentile(self.seconds, percent)) * 1_000 if self.seconds else float("nan")


def put(load: Load, client: Callable[[Load], Coroutine[None, None, Figures]] | None = None) -> Figures:
    """Puts a load on a server, from a process of its own.

    Args:
        load: What is asked.
        client: Asks it, for a server of another protocol; a function of a module. HTTP if None.
    """
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_client, args=(client or _put, load, there), daemon=True)
    process.start()
    there.close()
    try:
        figures: Figures = here.recv()
    finally:
        process.join(10)
    return figures


def _client(client: Callable[[Load], Coroutine[None, None, Figures]], load: Load, told: Connection) -> None:
    told.send(uvloop.run(client(load)))


async def _put(load: Load) -> Figures:
    figures = Figures()
    loop = asyncio.get_running_loop()
    start = time.perf_counter() + WARM_UP_SECONDS
    end = start + load.seconds
    # Connections take turns at one sequence: no text comes twice before all came.
    requests = cycle([_request(load, body) for body in load.bodies])
    clients = [_Client(requests, figures, start, end) for _ in range(load.connections)]
    for client in clients:
        await loop.create_connection(lambda client=client: client, "127.0.0.1", load.port)  # type: ignore[misc]
    await asyncio.sleep(start - time.perf_counter())
    before = sum(os.times()[:2])
    await asyncio.sleep(end - time.perf_counter())
    figures.cpu_share = (sum(os.times()[:2]) - before) / load.seconds
    figures.rate = len(figures.seconds) / load.seconds
    for client in clients:
        client.leave()
    return figures


def _request(load: Load, body: bytes) -> bytes:
    head = (
        f"POST {load.path} HTTP/1.1\r\nHost: 127.0.0.1:{load.port}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class _Client(asyncio.Protocol):
    """One connection."""

    def __init__(self, requests: Iterator[bytes], figures: Figures, start: float, end: float) -> None:
        self._requests, self._figures = requests, figures
        self._start, self._end = start, end
        self._sent = 0.0
        self._is_left = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's has no class in common with asyncio's.
        self._send()

    def _send(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._sent = time.perf_counter()
        self._transport.write(next(self._requests))

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        """Called by httptools when an answer is complete."""
        now = time.perf_counter()
        self._figures.n_answered += 1
        if self._start <= now <= self._end:
            if self._parser.get_status_code() == 200:
                self._figures.seconds.append(now - self._sent)
            else:
                self._figures.n_failed += 1
        if now < self._end:
            # The parser may not be replaced while it reads.
            asyncio.get_running_loop().call_soon(self._send)

    def connection_lost(self, error: Exception | None) -> None:
        if not self._is_left:
            self._figures.n_failed += 1

    def leave(self) -> None:
        """Closes the connection, whatever is on its way."""
        self._is_left = True
        self._transport.abort()


def bodies_of(texts: Sequence[str]) -> list[bytes]:
    """Bodies of V1 requests with a text each."""
    return [json.dumps({"instances": [text]}).encode() for text in texts]
