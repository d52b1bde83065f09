"""Sends thousands of made-up requests to a server with every API, and says what it answered and how its memory grew.

    python -m tests.benchmarks.generated_requests --requests 10000 [--bundle FOLDER]

It ends with exit code 1 if an answer was a 5xx, did not fit its schema, or was none.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import psutil
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis.core.failures import FailureGroup

from tests.components.predictor import generated
from tests.components.predictor.conftest import Server, running
from tests.tiny_bundle import make_tiny_bundle

#: Requests of a kind before the next kind has its turn.
_TURN = 25
#: Caches, pools and metrics are full after so many requests.
_WARM_UP = 1_000


def main(arguments: list[str] | None = None) -> int:
    """Runs it; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.generated_requests")
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--bundle", type=Path, help="folder of a bundle; a tiny one is made if not given")
    given_ = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        bundle = given_.bundle or make_tiny_bundle(Path(folder) / "bundle").path
        options = ["--threads", "2", "--model_version", "7", "--api_adapters", "perspective,openai,fms"]
        options += ["--suggestions", str(Path(folder) / "suggestions.jsonl")]
        with running(bundle, *options) as server:
            failures = send(server, given_.requests)
            is_well = server.process.poll() is None and "Traceback" not in server.log
    for failure in failures:
        print(failure)
    print("the server is well" if is_well else server.log[-5_000:])
    return 0 if is_well and not failures else 1


def send(server: Server, n_requests: int) -> list[str]:
    """Sends so many requests of all kinds in turn; returns what was wrong."""
    process, kinds = psutil.Process(server.process.pid), list(generated.kinds(server.url))
    answers: dict[str, Counter[int]] = {kind.name: Counter() for kind in kinds}
    failures: list[str] = []
    start, turn, shown, at_warm = time.monotonic(), 0, 0, 0.0
    while (n_sent := sum(map(Counter.total, answers.values()))) < n_requests and len(failures) < 20:
        if n_sent >= shown:
            rss = process.memory_info().rss / 2**20
            at_warm = at_warm or (rss if n_sent >= _WARM_UP else 0.0)
            print(f"{n_sent:6} requests, {time.monotonic() - start:5.0f} s, resident {rss:.1f} MiB", flush=True)
            shown += _WARM_UP
        for kind in kinds:
            failures += _turn(kind, answers[kind.name], turn)
        turn += 1
    rss = process.memory_info().rss / 2**20
    print(f"resident {at_warm:.1f} MiB after {_WARM_UP} requests, {rss:.1f} MiB after {n_sent}")
    for name, statuses in answers.items():
        print(
            f"{statuses.total():6}  {name}: " + ", ".join(f"{status} x {n}" for status, n in sorted(statuses.items()))
        )
    return failures


def _turn(kind: generated.Kind, answers: Counter[int], number: int) -> list[str]:
    @settings(
        max_examples=_TURN,
        suppress_health_check=list(HealthCheck),
        database=None,
        deadline=None,
        phases=[Phase.generate],
    )
    @seed(number)
    @given(request=kind.requests)
    def answered(request: generated.Request) -> None:
        answers[request()] += 1

    try:
        answered()
    except (Exception, FailureGroup) as error:  # What was wrong with an answer, or that there was none.
        return [f"{kind.name}: {type(error).__name__}: {error}"]
    return []


if __name__ == "__main__":
    sys.exit(main())
