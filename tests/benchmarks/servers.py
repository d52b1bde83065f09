"""Servers in processes of their own, for the benchmarks of serving, and what they serve."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import psutil

PREDICT = "/v1/models/content-filter:predict"
_TEXTS = Path(__file__).parents[2] / "components/corpus_preparation/corpus/en.jsonl"
_PATIENCE = 180.0


def embedded_texts() -> list[str]:
    """The embedded corpus' texts, shuffled."""
    texts = [json.loads(line)["text"] for line in _TEXTS.read_text("utf-8").splitlines()]
    random.Random(0).shuffle(texts)
    return texts


def trained(folder: Path) -> Path:
    """Trains a bundle for an epoch; its folder."""
    from tests.benchmarks.battle_throughput import make_bundle

    in_a_process(make_bundle, folder)
    return folder / "bundle"


def in_a_process(function: Callable[..., None], *arguments: object) -> None:
    """Calls a function that needs torch, which would take memory and threads here."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        pool.submit(function, *arguments).result()


@contextlib.contextmanager
def serving(command: Sequence[str], environment: dict[str, str]) -> Iterator[tuple[psutil.Process, int]]:
    """Runs a module with a free port as its last argument, until it answers."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *command, str(port)],
            env=os.environ | environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait(process, port)
            yield psutil.Process(process.pid), port
        except BaseException:
            log.seek(0)
            print(log.read().decode(errors="replace")[-4_000:], file=sys.stderr)
            raise
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with exit code {process.returncode}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    raise RuntimeError(f"{process.args!r} does not listen after {_PATIENCE:g} s")
