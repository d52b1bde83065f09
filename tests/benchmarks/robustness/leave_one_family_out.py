"""Evasion by family of edits, of challengers that were trained without it and of those that were trained with it.

    ARENA_HOME=.arena python -m tests.benchmarks.robustness.leave_one_family_out --out figures.json

The home has one finished run, whose corpus and attacks are trained on once for each family, without that family. All
challengers continue from the same champion with the settings of a default run, and are attacked by the same attempts on
the same texts of the test split. Each is trained in a copy of the home.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import shutil
import sys
import tempfile
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from content_arena.components.attack_generation import reach, strategies
from content_arena.components.evaluation import evaluate
from content_arena.components.qlora_training import training
from content_arena.components.qlora_training.settings import TrainingSettings
from content_arena.components.shared.evaluations.evaluation_record import StrategyComparison
from content_arena.components.shared.figures import Rate
from content_arena.pipelines.execution.home import ArenaHome


def families(lang: str) -> dict[str, list[str]]:
    """The strategies that attack by default and reach the model, by family."""
    found: dict[str, list[str]] = defaultdict(list)
    for strategy in strategies.selected(lang):
        if not reach.is_undone(strategy, lang):
            found[strategy.family].append(strategy.name)
    return dict(found)


def trained_without(
    held_out: list[str], home: ArenaHome, lang: str, seed: int, folder: Path
) -> tuple[StrategyComparison, ...]:
    """Trains a challenger without some strategies, and compares it with the champion.

    Args:
        held_out: Names of the strategies.
        home: Has one finished run.
        lang: ISO 639-1 code of its corpus.
        seed: Of the training and of the attacks.
        folder: Empty; for the bundle.
    """
    home = ArenaHome(shutil.copytree(home.path, folder / "home"))
    (run,) = home.runs.iterdir()
    (corpus,) = run.glob("artifacts/*/prepare-corpus/corpus")
    (labelled,) = run.glob("artifacts/*/label-attacks/labelled")
    common = {"pipeline_run": run.name, "champion_version": "1", "held_out": held_out}
    training.train_qlora(
        corpus,
        labelled,
        folder / "bundle",
        settings=TrainingSettings(lang=lang, device="cpu", seed=seed),
        tracking_uri=home.tracking_uri,
        **common,
    )
    return evaluate.evaluate_challenger(
        corpus,
        folder / "bundle",
        folder / "evaluation.json",
        lang=lang,
        seed=seed,
        tracking_uri=home.tracking_uri,
        **common,
    ).strategies


def rates(rows: list[StrategyComparison], model: str) -> dict[str, float]:
    """Evasion and flagged benign texts over the strategies of a family."""
    evasions = [getattr(row, model) for row in rows]
    flagged = [getattr(row, f"{model}_fpr") for row in rows]
    return {"evasion": _mean(evasions), "flagged_benign": _mean(flagged), "n": sum(rate.n for rate in evasions)}


def _mean(rates: list[Rate]) -> float:
    """Over all trials; of a rate that was not measured there are none."""
    return sum((rate.rate or 0.0) * rate.n for rate in rates) / max(1, sum(rate.n for rate in rates))


def table(figures: dict[str, dict[str, dict[str, float]]]) -> str:
    """Evasion / flagged benign in percent: a row a family, the champion first, then a column for what was left out."""
    columns = list(next(iter(figures.values())))
    lines = ["| attacked by | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for family, by_model in figures.items():
        cells = (f"{100 * c['evasion']:.1f} / {100 * c['flagged_benign']:.1f}" for c in by_model.values())
        lines.append(f"| {family} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Runs what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lang", default="en")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="where to write the figures as JSON")
    given = parser.parse_args()
    home = ArenaHome.from_environment()
    groups = families(given.lang)
    figures: dict[str, dict[str, dict[str, float]]] = {family: {} for family in groups}
    for left_out, names in groups.items():
        # A process of its own for each: MLflow remembers where the artifacts of the copy before were.
        spawn = multiprocessing.get_context("spawn")
        with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor(1, mp_context=spawn) as process:
            work = process.submit(trained_without, names, home, given.lang, given.seed, Path(folder))
            strategies_judged = work.result()
        for family in groups:
            rows = [row for row in strategies_judged if row.family == family and not row.is_undone]
            figures[family].setdefault("champion", rates(rows, "champion"))
            figures[family][f"without {left_out}"] = rates(rows, "challenger")
    if given.out:
        given.out.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
    sys.stdout.write(table(figures))


if __name__ == "__main__":
    main()
