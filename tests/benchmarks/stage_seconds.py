"""Seconds that every stage of one arena round takes on the embedded corpus, from an empty registry.

The round runs as ``arena run`` runs it, each stage in a process of its own. A stage's seconds are those of its process,
its imports included; the rest of the round is starting processes and kfp's own work.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
import warnings
from unittest import mock

from content_arena.components.shared.errors import ArenaError
from content_arena.pipelines.cli.options import MAX_TEXTS_CPU
from content_arena.pipelines.definitions import arena
from content_arena.pipelines.definitions.stage_table import GENERATION
from content_arena.pipelines.execution import local as runner
from content_arena.pipelines.execution.home import ArenaHome
from tests.benchmarks import report


def run() -> None:
    """Runs a round in a folder of its own and prints a line a stage."""
    with tempfile.TemporaryDirectory() as folder, mock.patch.dict(os.environ, {"ARENA_HOME": folder}):
        # A benchmark must not write to a real tracking server.
        os.environ.pop("MLFLOW_TRACKING_URI", None)
        home = ArenaHome.from_environment()
        arguments = {
            "device": "cpu",
            "max_texts": MAX_TEXTS_CPU,
            "checkpoint_dir": str(home.checkpoints),
            "tracking_uri": home.tracking_uri,
        }
        with home.exclusive(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            neighbours, started = report.Neighbours(), time.perf_counter()
            try:
                finished = runner.run(arena.build(), arguments, home, lambda line: None)
            except ArenaError:
                _show_logs(home)
                raise
            total, others = time.perf_counter() - started, neighbours.share()
        seconds = finished.parameter("promote_challenger", "verdict")["seconds"]
    _show(seconds, total, others)


def _show_logs(home: ArenaHome) -> None:
    """Prints the last lines of a failed round: its folder is about to be removed."""
    for log in home.runs.glob("*/log.txt"):
        print(*log.read_text(encoding="utf-8").splitlines()[-30:], sep="\n", file=sys.stderr)


def _show(seconds: dict[str, float], total: float, others: float) -> None:
    print("Seconds a stage: one round on the embedded corpus, empty registry, CPU, the pipeline's defaults; one run")
    print(f"  {report.N_CORES} cores; other processes took {others:.0%} of them meanwhile")
    for stage in GENERATION:
        print(f"  {stage:<20} {seconds.get(stage, float('nan')):7.1f} s  {seconds.get(stage, 0.0) / total:4.0%}")
    rest = total - sum(seconds.get(stage, 0.0) for stage in GENERATION)
    print(f"  {'between the stages':<20} {rest:7.1f} s  {rest / total:4.0%}")
    print(f"  {'the whole round':<20} {total:7.1f} s")
