"""Requests a second and latencies of the predictor, beside other servers of the same model and its own engine.

    python -m tests.benchmarks --only serving
    python -m tests.benchmarks.serving --bundle FOLDER [--quick]

Every side has two cores together with the client (see load.py), which sends one text a request, and no text twice
before all were sent. The sides are the engine alone (:meth:`ContentFilter.score`, 128 texts a call, no HTTP; with one
connection one text a call), the predictor, mosec over the same ONNX file if it is installed (``pip install mosec``),
kserve's Model around transformers' pipeline in float32, and a Python HTTP server that does nothing. They take turns at
every number of connections, so that a busy minute hits all; the ratios are medians of those within a turn.

Beside others on the machine, compare the processor's time that a request takes of the server, too. Goals: 0.8 of the
engine, 1.5 times mosec and 8 times the plain server; p95 below mosec's from 8 connections on; with one connection
within 1 ms of the engine.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from statistics import median

from content_arena.components.shared.scoring import bundle as bundles
from content_arena.components.shared.scoring.filter import ContentFilter
from tests.benchmarks import report
from tests.benchmarks.load import Figures, Load, bodies_of, put
from tests.benchmarks.servers import PREDICT, embedded_texts, in_a_process, serving, trained

OURS, ENGINE, MOSEC, PLAIN, NO_OP = "predictor", "engine alone", "mosec", "plain kserve, float32", "no-op HTTP server"
CONNECTIONS = (1, 8, 64, 256)
_CHUNK = 128


@dataclass(frozen=True)
class Cell:
    """One side's figures with one number of connections in one turn.

    Attributes:
        figures: What the client saw; of the engine, texts for requests.
        milliseconds: Of a processor, that the side took for a request, without the client.
        others: Share of the cores that processes took which have nothing to do with it.
    """

    figures: Figures
    milliseconds: float
    others: float


#: Measures a side: connections and seconds to what was seen, and the processor's seconds that the side took.
Side = Callable[[int, float], tuple[Figures, float]]


def run(quick: bool = False, bundle: Path | None = None) -> None:
    """Measures and prints.

    Args:
        quick: Fewer and shorter turns.
        bundle: Folder of a trained bundle; None trains one for an epoch.
    """
    turns, seconds = (1, 2.0) if quick else (3, 5.0)
    texts = embedded_texts()
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        bundle = bundle or trained(Path(folder))
        sides = _sides(stack, bundle, Path(folder) / "transformer", texts)
        cells = _measured(sides, turns, seconds)
    _show(cells, bundle, turns, seconds)


def write_transformer(bundle: Path, folder: Path) -> None:
    """Writes a bundle's float32 weights as transformers reads them.

    It has no n-grams, and takes the first token's vector where the bundle takes the mean: its scores are others, its
    work is the same.
    """
    from dataclasses import fields

    from transformers import PreTrainedTokenizerFast

    from content_arena.components.qlora_training import export
    from content_arena.components.qlora_training.settings import TrainingSettings

    opened = bundles.load(bundle)
    names = {field.name for field in fields(TrainingSettings)}
    settings = TrainingSettings(**{key: value for key, value in opened.spec.training.items() if key in names})
    export._merge(opened.path / bundles.ADAPTER, settings).save_pretrained(folder)
    PreTrainedTokenizerFast.from_pretrained(opened.tokenizer_path.parent).save_pretrained(folder)


def _sides(stack: contextlib.ExitStack, bundle: Path, transformer: Path, texts: Sequence[str]) -> dict[str, Side]:
    """Starts every server; the engine is in this process."""
    in_a_process(write_transformer, bundle, transformer)
    bodies = bodies_of(texts)
    content_filter = ContentFilter.open(bundle, threads=report.N_CORES)
    stack.callback(content_filter.close)
    sides: dict[str, Side] = {ENGINE: lambda n, seconds: _engine(content_filter, texts, n, seconds)}

    def add(name: str, path: str, *command: str, environment: dict[str, str] | None = None) -> None:
        process, port = stack.enter_context(serving(command, environment or {}))

        def side(connections: int, seconds: float) -> tuple[Figures, float]:
            before = report.tree_seconds(process)
            figures = put(Load(port, path, bodies, connections, seconds))
            return figures, report.tree_seconds(process) - before

        sides[name] = side

    model = ("--model_dir", str(bundle), "--host", "127.0.0.1", "--port")
    add(OURS, PREDICT, "content_arena.components.predictor.server", *model)
    if importlib.util.find_spec("mosec"):
        mosec = ("tests.benchmarks.serving_sides.mosec_server", "--address", "127.0.0.1", "--port")
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
        add(MOSEC, "/inference", *mosec, environment={"BUNDLE": str(bundle), "PATH": path})
    else:
        print("mosec is not installed (pip install mosec): it is left out", file=sys.stderr)
    plain = ("tests.benchmarks.serving_sides.plain_kserve", "--model_dir", str(transformer), "--http_port")
    add(PLAIN, PREDICT, *plain)
    add(NO_OP, "/", "tests.benchmarks.serving_sides.no_op", "--port")
    return sides


def _engine(
    content_filter: ContentFilter, texts: Sequence[str], connections: int, seconds: float
) -> tuple[Figures, float]:
    """Texts a second without HTTP: full batches, or one text after the other where there is one connection."""
    size = 1 if connections == 1 else _CHUNK
    figures, following, cpu, start = Figures(), cycle(texts), time.process_time(), time.perf_counter()
    while (begin := time.perf_counter()) < start + seconds:
        chunk = list(islice(following, size))
        if size == 1:  # Without the hand-over to the filter's threads.
            content_filter.score_windows(content_filter.windows(chunk))
        else:
            content_filter.score(chunk)
        figures.seconds += [time.perf_counter() - begin] * size
    figures.rate = len(figures.seconds) / (time.perf_counter() - start)
    return figures, time.process_time() - cpu


def _measured(sides: dict[str, Side], turns: int, seconds: float) -> dict[tuple[int, str], list[Cell]]:
    cells: dict[tuple[int, str], list[Cell]] = {}
    for name, side in sides.items():
        if name != ENGINE:
            side(8, 1.0)  # Warms up.
    for turn in range(turns):
        for connections in CONNECTIONS:
            for name in list(sides)[:: 1 if turn % 2 == 0 else -1]:
                neighbours = report.Neighbours()
                figures, cpu = sides[name](connections, seconds)
                n = figures.n_answered or len(figures.seconds)
                cell = Cell(figures, cpu / n * 1_000 if n else float("nan"), neighbours.share())
                cells.setdefault((connections, name), []).append(cell)
                note = f"{figures.rate:.0f} a second, {figures.n_failed} failed, others took {cell.others:.0%}"
                print(f"  turn {turn + 1}/{turns}, {connections} x {name}: {note}", file=sys.stderr, flush=True)
    return cells


def _show(cells: dict[tuple[int, str], list[Cell]], bundle: Path, turns: int, seconds: float) -> None:
    spec = bundles.load(bundle).spec
    print(f"Serving one text a request: {spec.base_model}, two cores for server and client")
    print(f"  {turns} turns of {seconds:g} s a row; medians; the ratios say how many times as good the predictor is")
    for connections in CONNECTIONS:
        print(f"  {connections} connections")
        print(
            f"    {'':<22} {'req/s':>7} {'ratio':>6} {'p50 ms':>8} {'p95 ms':>8} {'p99 ms':>8}"
            f" {'CPU ms':>7} {'ratio':>6} failed"
        )
        ours = cells[connections, OURS]
        for (n, name), found in cells.items():
            if n == connections:
                print(f"    {name:<22} {_row(found, ours)}")
    others = [cell.others for found in cells.values() for cell in found]
    share = max(cell.figures.cpu_share for found in cells.values() for cell in found)
    print(f"  the client took at most {share:.2f} of a core; CPU ms: of the server, for a request")
    verdict = "" if max(others) <= report.QUIET else ": too much to trust the rates, compare CPU ms or measure again"
    print(f"  other processes took {min(others):.0%} to {max(others):.0%} of the cores meanwhile{verdict}", flush=True)


def _row(found: list[Cell], ours: list[Cell]) -> str:
    rate = median(cell.figures.rate for cell in found)
    times = " ".join(f"{median(cell.figures.milliseconds(p) for cell in found):8.1f}" for p in (50, 95, 99))
    pairs = list(zip(ours, found, strict=True))
    faster = median(_ratio(mine.figures.rate, cell.figures.rate) for mine, cell in pairs)
    cheaper = median(_ratio(cell.milliseconds, mine.milliseconds) for mine, cell in pairs)
    cpu = median(cell.milliseconds for cell in found)
    return f"{rate:7.1f} {faster:6.2f} {times} {cpu:7.2f} {cheaper:6.2f} {sum(cell.figures.n_failed for cell in found)}"


def _ratio(ours: float, other: float) -> float:
    """NaN where nothing was answered."""
    return ours / other if other else float("nan")


if __name__ == "__main__":
    report.command("serving", run)
