"""Measures and prints a comparison: sides in turn, medians, the ratio of each turn, and the load of the machine."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import psutil

N_CORES = 2
#: Share of the cores that others may take before a comparison is called doubtful.
QUIET = 0.05


def pin() -> None:
    """Keeps this process, its threads and its children on two cores; call it before torch is imported."""
    cores = sorted(os.sched_getaffinity(0))[:N_CORES]
    os.sched_setaffinity(0, cores)
    os.environ["OMP_NUM_THREADS"] = str(len(cores))
    os.environ["TOKENIZERS_PARALLELISM"] = "true"


class Neighbours:
    """What other processes took of our cores since this was made.

    A bare core count says little on a shared machine: a figure measured beside another job is not the figure.
    """

    def __init__(self) -> None:
        self._cores = sorted(os.sched_getaffinity(0))
        self._busy, self._own, self._started = self._busy_seconds(), own_seconds(), time.perf_counter()

    def share(self) -> float:
        """Busy core-seconds that were not ours / core-seconds gone by, in [0, 1]."""
        gone = (time.perf_counter() - self._started) * len(self._cores)
        foreign = self._busy_seconds() - self._busy - (own_seconds() - self._own)
        return min(1.0, max(0.0, foreign / gone)) if gone > 0 else 0.0

    def _busy_seconds(self) -> float:
        times = psutil.cpu_times(percpu=True)
        return sum(sum(times[core]) - times[core].idle - times[core].iowait for core in self._cores)


@dataclass
class Measured:
    """One side's figures, a turn each.

    Attributes:
        rates: What was measured.
        per_cpu_second: The same with the seconds that this process and its children computed instead of those gone by:
            others' work changes it less, and cores that a side leaves idle do not count.
        others: Share of the cores that other processes took meanwhile, see :class:`Neighbours`.
    """

    rates: list[float] = field(default_factory=list)
    per_cpu_second: list[float] = field(default_factory=list)
    others: list[float] = field(default_factory=list)

    def times(self, factors: Sequence[float]) -> Measured:
        """The same turns in another unit, of which a turn's factor makes one of this."""
        return Measured(
            [rate * factor for rate, factor in zip(self.rates, factors, strict=True)],
            [rate * factor for rate, factor in zip(self.per_cpu_second, factors, strict=True)],
            self.others,
        )


def take_turns(sides: Mapping[str, Callable[[], float]], repetitions: int) -> dict[str, Measured]:
    """Measures all sides once, then all again, so that a busy minute hits every side; progress goes to standard error.

    Args:
        sides: What to measure, by name; each returns its rate.
        repetitions: How often.

    Returns:
        The figures of each side, in the order measured.
    """
    measured = {name: Measured() for name in sides}
    for turn in range(repetitions):
        # The order is reversed every other turn, so that what one side leaves behind (caches, heat) affects all others.
        for name in list(sides)[:: 1 if turn % 2 == 0 else -1]:
            neighbours, started, own = Neighbours(), time.perf_counter(), own_seconds()
            rate = sides[name]()
            measured[name].rates.append(rate)
            measured[name].per_cpu_second.append(rate * (time.perf_counter() - started) / (own_seconds() - own))
            measured[name].others.append(neighbours.share())
            note = f"{_digits(rate)}, others took {measured[name].others[-1]:.0%}"
            print(f"  turn {turn + 1}/{repetitions}, {name}: {note}", file=sys.stderr, flush=True)
    return measured


def show(measured: Mapping[str, Measured], ours: str, unit: str) -> None:
    """Prints the median of every side, its range, and how many times as fast ours is.

    The ratio is the median of the ratios within a turn: a turn's sides met nearly the same load.

    Args:
        measured: From :func:`take_turns`.
        ours: Name of the side that the others are compared with.
        unit: Of the rates.
    """
    width = max(map(len, measured))
    for name, side in measured.items():
        middle, least, most = (_digits(each(side.rates)) for each in (median, min, max))
        line = f"  {name:<{width}}  {middle:>8} {unit} ({least} to {most})"
        if name != ours:
            ratios = _ratios(measured[ours].rates, side.rates)
            line += f"; ours is {median(ratios):.2f} times as fast ({min(ratios):.2f} to {max(ratios):.2f})"
            ratios = _ratios(measured[ours].per_cpu_second, side.per_cpu_second)
            line += f", by CPU time {median(ratios):.2f} times ({min(ratios):.2f} to {max(ratios):.2f})"
        print(line)
    others = [share for side in measured.values() for share in side.others]
    verdict = "" if max(others) <= QUIET else ": too much to trust the ratios, measure again when the machine is quiet"
    print(f"  other processes took {min(others):.0%} to {max(others):.0%} of the cores meanwhile{verdict}", flush=True)


def own_seconds() -> float:
    """CPU seconds of this process and of all its children, finished or not."""
    return tree_seconds(psutil.Process())


def tree_seconds(process: psutil.Process) -> float:
    """CPU seconds of a process and of all its children, finished or not; 0 of those that are gone meanwhile."""
    seconds = 0.0
    for member in (process, *process.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            seconds += sum(member.cpu_times()[:4])
    return seconds


def _digits(rate: float) -> str:
    return f"{rate:.1f}" if rate >= 10 else f"{rate:.3f}"


def _ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    return [a / b for a, b in zip(ours, theirs, strict=True)]


def command(name: str, run: Callable[[bool, Path | None], None], arguments: Sequence[str] | None = None) -> None:
    """The command line of a benchmark for a bundle that is there already.

    Args:
        name: Of the module.
        run: Measures and prints; takes whether to be quick, and the bundle's folder.
        arguments: Those of the process if None.
    """
    parser = argparse.ArgumentParser(prog=f"python -m tests.benchmarks.{name}")
    parser.add_argument("--bundle", type=Path, help="folder of a trained bundle; trains one if not given")
    parser.add_argument("--quick", action="store_true", help="one turn of two seconds")
    given = parser.parse_args(arguments)
    pin()
    run(given.quick, given.bundle)
