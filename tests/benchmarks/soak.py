"""Whether one abusive client spoils the others' answers: a server at 80 % of its peak, without it and with it.

    python -m tests.benchmarks.soak --bundle FOLDER [--seconds 300]

The peak is measured first, with 64 connections. Then requests of one text each come at 80 % of that rate at random
times (a Poisson process), whatever becomes of the earlier ones: a request's time counts from when it was to be sent.
The abusive client sends whole queues of work, 16 MiB of nested lists, texts that grow when they are read, and bodies
that never end, over eight connections, and tries again at once when it is refused. It is a process of its own. Clients
and server share this machine's processors, so that figures of different machines cannot be compared.
It ends with exit code 1 if a request of the others was not answered with 200, or their p99 rises above 1.5 times.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import multiprocessing
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

import aiohttp
import numpy as np
import psutil

from tests.benchmarks.report import Neighbours
from tests.components.predictor.conftest import running

_TEXTS = Path(__file__).parents[2] / "components/corpus_preparation/corpus/en.jsonl"
_PREDICT = "/v1/models/content-filter:predict"
_PEAK_CONNECTIONS, _PEAK_SECONDS = 64, 20.0
#: Of the peak.
_LOAD = 0.8
_ABUSIVE_CONNECTIONS = 8
#: The others' p99 with the abusive client / without it.
_MOST = 1.5
_LONG = "you are an idiot " * 100
_ABUSE = (
    json.dumps({"instances": [_LONG] * 35}).encode(),
    b"[" + b"[]," * (5 << 20) + b"[]]",
    json.dumps({"instances": ["\ufdfa" * 5_000] * 16}).encode(),
    json.dumps({"instances": ["a " * 2_500] * 256}).encode(),
)


@dataclass
class Answers:
    """What clients got: statuses (0 for none), and seconds of those with 200."""

    statuses: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)

    def percentile(self, percent: float) -> float:
        """In milliseconds; NaN without an answer."""
        return float(np.percentile(self.seconds, percent)) * 1_000 if self.seconds else float("nan")

    def __str__(self) -> str:
        shown = ", ".join(f"p{percent:g} {self.percentile(percent):.1f} ms" for percent in (50, 95, 99, 99.9))
        return f"{shown}; " + ", ".join(f"{status} x {n}" for status, n in sorted(self.statuses.items()))


def main(arguments: list[str] | None = None) -> int:
    """Runs it; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.soak")
    parser.add_argument("--bundle", type=Path, required=True, help="folder of a trained bundle")
    parser.add_argument("--seconds", type=float, default=300.0, help="with the abusive client; as long without it")
    parser.add_argument("--threads", type=int, help="of the server; one per processor if not given")
    given = parser.parse_args(arguments)
    neighbours = Neighbours()
    options = [] if given.threads is None else ["--threads", str(given.threads)]
    with running(given.bundle, *options) as server:
        process = psutil.Process(server.process.pid)
        peak = asyncio.run(_peak(server.url))
        print(f"peak {peak:.0f} requests/s with {_PEAK_CONNECTIONS} connections", flush=True)
        rate = _LOAD * peak
        alone = asyncio.run(_at_rate(server.url, rate, given.seconds))
        print(f"{rate:.0f} requests/s, alone:    {alone}; resident {_mib(process)} MiB", flush=True)
        with _abusive_client(server.url) as ended:
            beside = asyncio.run(_at_rate(server.url, rate, given.seconds))
        print(f"{rate:.0f} requests/s, beside:   {beside}; resident {_mib(process)} MiB")
        print(f"the abusive client:              {ended[0]}")
        is_well = server.process.poll() is None and "Traceback" not in server.log
    ratio = beside.percentile(99) / alone.percentile(99)
    print(f"p99 x {ratio:.2f} (at most {_MOST}); other processes took {neighbours.share():.0%} of the processors")
    all_answered = set(alone.statuses) == set(beside.statuses) == {200}
    return 0 if ratio <= _MOST and all_answered and is_well else 1


def _mib(process: psutil.Process) -> int:
    return int(process.memory_info().rss / 2**20)


def _bodies() -> Iterator[bytes]:
    """Requests of one text each, no text twice before all were sent."""
    texts = [json.loads(line)["text"] for line in _TEXTS.read_text("utf-8").splitlines()]
    random.Random(0).shuffle(texts)
    return (json.dumps({"instances": [text]}).encode() for text in itertools.cycle(texts))


def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=60), raise_for_status=False
    )


async def _ask(session: aiohttp.ClientSession, url: str, body: bytes, answers: Answers, start: float) -> None:
    status = 0
    with contextlib.suppress(aiohttp.ClientError, TimeoutError, ConnectionError):
        async with session.post(url, data=body) as response:
            await response.read()
            status = response.status
    answers.statuses[status] += 1
    if status == 200:
        answers.seconds.append(time.perf_counter() - start)


async def _peak(url: str) -> float:
    """Requests a second that 64 clients get, each of which sends the next as soon as it has an answer."""
    bodies, answers, end = _bodies(), Answers(), time.perf_counter() + _PEAK_SECONDS

    async def client(session: aiohttp.ClientSession) -> None:
        while time.perf_counter() < end:
            await _ask(session, url + _PREDICT, next(bodies), answers, time.perf_counter())

    async with _session() as session:
        await asyncio.gather(*(client(session) for _ in range(_PEAK_CONNECTIONS)))
    return answers.statuses[200] / _PEAK_SECONDS


async def _at_rate(url: str, rate: float, seconds: float) -> Answers:
    bodies, answers, waits = _bodies(), Answers(), random.Random(1)
    start = due = time.perf_counter()
    async with _session() as session, asyncio.TaskGroup() as group:
        while due - start < seconds:
            due += waits.expovariate(rate)
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            group.create_task(_ask(session, url + _PREDICT, next(bodies), answers, due))
    return answers


@contextlib.contextmanager
def _abusive_client(url: str) -> Iterator[list[str]]:
    """Runs it in a process; what it got is in the list afterwards."""
    context, told = multiprocessing.get_context("spawn"), []
    here, there = context.Pipe()
    process = context.Process(target=_abuse, args=(url, there), daemon=True)
    process.start()
    assert here.recv() == "started"
    try:
        yield told
    finally:
        here.send("end")
        told.append(str(here.recv()))
        process.join(10)


def _abuse(url: str, connection: Connection) -> None:
    asyncio.run(_abused(url, connection))


async def _abused(url: str, connection: Connection) -> None:
    answers, bodies = Answers(), itertools.cycle(_ABUSE)

    async def client(session: aiohttp.ClientSession) -> None:
        while True:
            await _ask(session, url + _PREDICT, next(bodies), answers, time.perf_counter())

    async def slow_sender() -> None:
        host, port = url.removeprefix("http://").split(":")
        while True:
            with contextlib.suppress(OSError):
                reader, writer = await asyncio.open_connection(host, int(port))
                writer.write(b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\n\r\n" % _PREDICT.encode())
                await reader.read()
                writer.close()

    async with _session() as session:
        tasks = [asyncio.create_task(client(session)) for _ in range(_ABUSIVE_CONNECTIONS - 1)]
        tasks.append(asyncio.create_task(slow_sender()))
        connection.send("started")
        await asyncio.to_thread(connection.recv)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    connection.send(str(answers))


if __name__ == "__main__":
    sys.exit(main())
