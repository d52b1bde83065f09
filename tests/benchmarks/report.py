"""How a comparison is taken and shown: both sides in turn, medians, the ratio of each turn, and the machine's load."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from statistics import median

N_CORES = 2


def pin() -> None:
    """Keeps this process, its threads and its children on two cores; call it before torch is imported."""
    cores = sorted(os.sched_getaffinity(0))[:N_CORES]
    os.sched_setaffinity(0, cores)
    os.environ["OMP_NUM_THREADS"] = str(len(cores))
    os.environ["TOKENIZERS_PARALLELISM"] = "true"


def machine() -> str:
    """One line: the cores used, and what else keeps them busy."""
    one, five, _ = os.getloadavg()
    cores = len(os.sched_getaffinity(0))
    return f"{cores} cores, load average {one:.1f} over 1 minute, {five:.1f} over 5 minutes (own work included)"


def take_turns(sides: Mapping[str, Callable[[], float]], repetitions: int) -> dict[str, list[float]]:
    """Measures all sides once, then all again, so that a busy minute hits every side; progress goes to standard error.

    Args:
        sides: What to measure, by name; each returns its rate.
        repetitions: How often.

    Returns:
        The rates of each side, in the order measured.
    """
    rates: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(repetitions):
        # Every other turn the other way round: what one side leaves behind (caches, heat) meets each of its neighbours.
        for name in list(sides)[:: 1 if turn % 2 == 0 else -1]:
            rates[name].append(sides[name]())
            print(f"  turn {turn + 1}/{repetitions}, {name}: {rates[name][-1]:.1f}", file=sys.stderr, flush=True)
    return rates


def show(rates: Mapping[str, list[float]], ours: str, unit: str) -> None:
    """Prints the median of every side, its range, and how many times as fast ours is.

    The ratio is the median of the ratios within a turn: a turn's sides met the same load.

    Args:
        rates: From :func:`take_turns`.
        ours: Name of the side that the others are compared with.
        unit: Of the rates.
    """
    width = max(map(len, rates))
    for name, values in rates.items():
        line = f"  {name:<{width}}  {median(values):8.1f} {unit} ({min(values):.1f} to {max(values):.1f})"
        if name != ours:
            ratios = [a / b for a, b in zip(rates[ours], values, strict=True)]
            line += f"; ours is {median(ratios):.2f} times as fast ({min(ratios):.2f} to {max(ratios):.2f})"
        print(line, flush=True)
