"""Requests a second of the predictor over gRPC, beside V2 over HTTP, of one server.

    python -m tests.benchmarks.grpc_serving --bundle FOLDER [--quick]

One text a request. Both take turns with every number of calls at once, so that a busy minute hits both; the ratios are
medians of those within a turn. gRPC's client is grpc.aio, which takes more of the processors than the client of
load.py: beside requests a second, compare what a request takes of the server.
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import time
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from statistics import median

from tests.benchmarks import report
from tests.benchmarks.load import WARM_UP_SECONDS, Figures, Load, put
from tests.benchmarks.servers import embedded_texts, serving, trained
from tests.ports import free_ports

INFER = "/inference.GRPCInferenceService/ModelInfer"
V2_PATH = "/v2/models/content-filter/infer"
AT_ONCE = (1, 8, 64)
HTTP, GRPC = "V2 over HTTP", "gRPC"


def run(quick: bool = False, bundle: Path | None = None) -> None:
    """Measures and prints.

    Args:
        quick: One turn instead of three.
        bundle: Folder of a trained bundle; None trains one for an epoch.
    """
    turns, seconds = (1, 2.0) if quick else (3, 5.0)
    texts = embedded_texts()
    bodies = {HTTP: [_body(text) for text in texts], GRPC: [_message(text) for text in texts]}
    with tempfile.TemporaryDirectory() as folder:
        bundle = bundle or trained(Path(folder))
        grpc_port = free_ports(1)[0]
        command = ["content_arena.components.predictor.server", "--model_dir", str(bundle), "--host", "127.0.0.1"]
        with serving([*command, "--grpc_port", str(grpc_port), "--port"], {}) as (process, port):
            places = {HTTP: (port, V2_PATH), GRPC: (grpc_port, INFER)}
            for at_once in AT_ONCE:
                rates, costs = {HTTP: [], GRPC: []}, {HTTP: [], GRPC: []}
                shares = {HTTP: 0.0, GRPC: 0.0}
                for turn in range(turns):
                    for side in (HTTP, GRPC) if turn % 2 else (GRPC, HTTP):
                        load = Load(*places[side], bodies[side], at_once, seconds)
                        before = report.tree_seconds(process)
                        figures = put(load, None if side == HTTP else _call_all)
                        assert not figures.n_failed, (side, figures.n_failed)
                        rates[side].append(figures.rate)
                        costs[side].append((report.tree_seconds(process) - before) / figures.n_answered * 1_000)
                        shares[side] = max(shares[side], figures.cpu_share)
                for side in (HTTP, GRPC):
                    line = f"{at_once:3} at once  {side:13} {median(rates[side]):6.0f}/s"
                    line += f"  {median(costs[side]):.2f} ms of the server's CPU  client {shares[side]:.2f} of a core"
                    print(line)
                for name, values in (("requests a second", rates), ("CPU", costs)):
                    ratios = [theirs / ours for theirs, ours in zip(values[GRPC], values[HTTP], strict=True)]
                    print(f"    {name}, gRPC / HTTP: {median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")


def _body(text: str) -> bytes:
    tensor = {"name": "text", "shape": [1], "datatype": "BYTES", "data": [text]}
    return json.dumps({"inputs": [tensor]}).encode()


def _message(text: str) -> bytes:
    from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb

    contents = {"bytes_contents": [text.encode()]}
    tensor = {"name": "text", "shape": [1], "datatype": "BYTES", "contents": contents}
    return pb.ModelInferRequest(model_name="content-filter", inputs=[tensor]).SerializeToString()


async def _call_all(load: Load) -> Figures:
    """What :func:`tests.benchmarks.load.put` does, with calls over one channel."""
    from grpc import aio

    figures = Figures()
    start = time.perf_counter() + WARM_UP_SECONDS
    end = start + load.seconds
    messages = cycle(load.bodies)
    async with aio.insecure_channel(f"127.0.0.1:{load.port}") as channel:
        infer = channel.unary_unary(load.path)
        calling = [asyncio.create_task(_call(infer, messages, figures, start, end)) for _ in range(load.connections)]
        await asyncio.sleep(start - time.perf_counter())
        before = sum(os.times()[:2])
        await asyncio.sleep(end - time.perf_counter())
        figures.cpu_share = (sum(os.times()[:2]) - before) / load.seconds
        await asyncio.gather(*calling)
    figures.rate = len(figures.seconds) / load.seconds
    return figures


async def _call(infer: object, messages: Iterator[bytes], figures: Figures, start: float, end: float) -> None:
    while (sent := time.perf_counter()) < end:
        await infer(next(messages))  # type: ignore[operator]
        figures.n_answered += 1
        if start <= (now := time.perf_counter()) <= end:
            figures.seconds.append(now - sent)


if __name__ == "__main__":
    report.command("grpc_serving", run)
