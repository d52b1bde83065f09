"""Runs the benchmarks: ``python -m tests.benchmarks [--only NAME ...] [--quick]``."""

from __future__ import annotations

import argparse

from tests.benchmarks import report

NAMES = (
    "corpus_rows",
    "battle_throughput",
    "search_curves",
    "deepwordbug",
    "training_throughput",
    "serving",
    "serving_costs",
    "stage_seconds",
)


def main(arguments: list[str] | None = None) -> None:
    """Runs what the command line asks for, one benchmark after the other."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES, help="run these only")
    parser.add_argument("--quick", action="store_true", help="fewer texts, steps and turns; leaves stage_seconds out")
    given = parser.parse_args(arguments)
    report.pin()
    # Imported here: numerical libraries count the cores when they are imported.
    from tests.benchmarks import (
        battle_throughput,
        corpus_rows,
        deepwordbug,
        search_curves,
        serving,
        serving_costs,
        stage_seconds,
        training_throughput,
    )

    if "corpus_rows" in given.only:
        corpus_rows.run(quick=given.quick)
    if "battle_throughput" in given.only:
        battle_throughput.run(quick=given.quick)
    if "search_curves" in given.only:
        search_curves.run(quick=given.quick)
    if "deepwordbug" in given.only:
        deepwordbug.run(quick=given.quick)
    if "training_throughput" in given.only:
        training_throughput.run(quick=given.quick)
    if "serving" in given.only:
        serving.run(quick=given.quick)
    if "serving_costs" in given.only:
        serving_costs.run(quick=given.quick)
    if "stage_seconds" in given.only and not given.quick:
        stage_seconds.run()


if __name__ == "__main__":
    main()
