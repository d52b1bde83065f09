"""A pod's serving container: the real predictor, in a process forked from one that has imported it.

Faults: ``failing`` as in :mod:`tests.components.canary_rollout.faulty_predictor`; ``failing-once=PATH`` fails at every
request once that file exists; ``slow=S`` takes S seconds more for every request; ``version=N`` answers with version N
instead of the configured one.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

#: Modules that take seconds to import. The predictor's own modules hold metrics, which a fork must not share in use.
_PRELOADED = [
    "content_arena.components.predictor.rest.server",
    "content_arena.components.shared.scoring.filter",
    __name__,
]
_DIE_WITH_PARENT = 1


def template() -> multiprocessing.context.ForkServerContext:
    """The process that containers are forked from."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    return context


def run(arguments: Sequence[str], environment: Mapping[str, str], log: Path, fault: str) -> None:
    """Runs the predictor; ends with its exit code."""
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    with log.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.environ.update(environment)
    sys.argv = ["predictor"]
    from content_arena.components.predictor import server
    from content_arena.components.shared.scoring.filter import ContentFilter
    from tests.components.canary_rollout import faulty_predictor

    kind, _, value = fault.partition("=")
    if kind == "failing":
        os.environ["PREDICTOR_FAULT"] = fault
        ContentFilter.windows = faulty_predictor.faulty
    if kind == "failing-once":
        well = ContentFilter.windows
        ContentFilter.windows = lambda self, texts: _fail() if Path(value).exists() else well(self, texts)
    if kind == "slow":
        windows = ContentFilter.windows
        ContentFilter.windows = lambda self, texts: time.sleep(float(value)) or windows(self, texts)
    if kind == "version":
        arguments = [*arguments, f"--model_version={value}"]
    code = server.main([*arguments, "--threads=1"])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _fail() -> None:
    raise RuntimeError
