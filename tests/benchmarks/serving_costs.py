"""What the predictor takes beside time for a request: seconds until it is ready, memory by threads, gain of a cache.

    python -m tests.benchmarks --only serving_costs
    python -m tests.benchmarks.serving_costs --bundle FOLDER [--quick]

Goals: ready within 5 s, less than 400 MB with two threads, with eight at most 1.2 times what one takes. The cache is
measured on a stream in which a text's frequency falls with its rank (Zipf's law, exponent 1).
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import numpy as np

from tests.benchmarks import report
from tests.benchmarks.load import Load, bodies_of, put
from tests.benchmarks.servers import PREDICT, embedded_texts, serving, trained

_THREADS = (1, 2, 8)
_STREAM, _CACHE = 20_000, 4_096


def run(quick: bool = False, bundle: Path | None = None) -> None:
    """Measures and prints.

    Args:
        quick: One turn instead of three.
        bundle: Folder of a trained bundle; None trains one for an epoch.
    """
    turns, seconds = (1, 2.0) if quick else (3, 5.0)
    with tempfile.TemporaryDirectory() as folder:
        bundle = bundle or trained(Path(folder))
        _show_threads(bundle, turns, seconds)
        _show_cache(bundle, turns, seconds)


def _predictor(bundle: Path, *options: str) -> tuple[str, ...]:
    module = "content_arena.components.predictor.server"
    return (module, "--model_dir", str(bundle), "--host", "127.0.0.1", *options, "--port")


def _show_threads(bundle: Path, turns: int, seconds: float) -> None:
    """Starts a server with each number of threads, asks it with 64 connections, and prints what it took."""
    print(f"Start and memory of the predictor, medians of {turns}")
    bodies = bodies_of(embedded_texts())
    for threads in _THREADS:
        starts, costs, sizes, others = [], [], [], []
        for _ in range(turns):
            neighbours, begin = report.Neighbours(), time.perf_counter()
            with serving(_predictor(bundle, "--threads", str(threads)), {}) as (process, port):
                starts.append(time.perf_counter() - begin)
                costs.append(report.tree_seconds(process))
                others.append(neighbours.share())
                put(Load(port, PREDICT, bodies, 64, seconds))
                sizes.append(process.memory_info().rss / 1e6)
        print(
            f"  {threads} threads: ready after {median(starts):.1f} s ({median(costs):.1f} s of a processor), "
            f"{median(sizes):.0f} MB resident after 64 connections; others took {max(others):.0%} of the cores"
        )


def _show_cache(bundle: Path, turns: int, seconds: float) -> None:
    """Asks a server with a cache and one without the same stream in turn."""
    bodies = _zipf(bodies_of(embedded_texts()))
    with (
        serving(_predictor(bundle, "--cache", str(_CACHE)), {}) as (_, cached),
        serving(_predictor(bundle), {}) as (_, plain),
    ):
        put(Load(cached, PREDICT, bodies, 64, seconds))  # Fills the cache.
        sides = {
            f"cache of {_CACHE:,}": lambda: put(Load(cached, PREDICT, bodies, 64, seconds)).rate,
            "no cache": lambda: put(Load(plain, PREDICT, bodies, 64, seconds)).rate,
        }
        measured = report.take_turns(sides, turns)
    print("A stream by Zipf's law, exponent 1, over the embedded corpus; 64 connections, one text a request")
    report.show(measured, f"cache of {_CACHE:,}", "requests/s")


def _zipf(bodies: Sequence[bytes]) -> list[bytes]:
    share = 1 / np.arange(1, len(bodies) + 1)
    drawn = np.random.default_rng(0).choice(len(bodies), _STREAM, p=share / share.sum())
    return [bodies[index] for index in drawn]


if __name__ == "__main__":
    report.command("serving_costs", run)
