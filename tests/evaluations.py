"""Evaluations as evaluate_challenger writes them, with whatever a test wants changed.

Figures come from the table, so that a new one is in every evaluation at once.
"""

from __future__ import annotations

from typing import Any

from content_arena.components.shared import figures
from content_arena.components.shared.evaluations.evaluation_record import Evaluation
from content_arena.components.shared.figures import Measured

_VALUES = {"score": 0.9, "ms": 2.0, "share": 0.1}


def typical(figure: figures.Figure, *, better: bool = False) -> float:
    """A plain number for a figure.

    Args:
        figure: Any of the table.
        better: Whether it has to pass a gate that asks for strictly better than the number without this argument.
    """
    is_strict = figure.gate is not None and figure.gate.margin is None
    step = 0.05 if figure.better == "higher" else -0.05
    return _VALUES[figure.unit] + (step if better and is_strict else 0.0)


def gated(*, better: bool = False, **changes: Measured) -> dict[str, Measured]:
    """Every figure that has a gate, by name, with the changes.

    Args:
        better: Whether the figures pass every gate against those without this argument.
        changes: Figures to set, by name.
    """
    return {figure.name: typical(figure, better=better) for figure in figures.FIGURES if figure.gate} | changes


def evaluation(
    champion: dict[str, Any] | None = None, challenger: dict[str, Any] | None = None, **changes: Any
) -> dict[str, Any]:
    """The document of a challenger that passes every gate, before the changes."""
    return {
        "lang": "en",
        "seed": 0,
        "budget": 3,
        "attack_set_sha256": "ab" * 32,
        "held_out_strategies": ["space_join"],
        "held_out_reason": "chosen by seed 0",
        "n_toxic": 50,
        "n_benign": 50,
        "guard": {"name": "elsewhere.csv", "n_texts": 120, "n_toxic": 60, "sha256": "cd" * 32},
        "regression_suite": {"n_attacks": 40, "n_runs": 2, "sha256": "ef" * 32},
        "champion": model("1", 0.3) | (champion or {}),
        "challenger": model("sha-1", 0.1, better=True) | (challenger or {}),
        "strategies": [],
        "examples": [],
    } | changes


def parsed(*args: Any, **changes: Any) -> Evaluation:
    """The same, read."""
    return Evaluation.from_json(evaluation(*args, **changes))


def model(version: str, evasion: float, *, better: bool = False) -> dict[str, Any]:
    """The figures of one model; see :func:`typical` for ``better``."""
    counts = [1] * 20
    numbers = {figure: typical(figure, better=better) for figure in figures.FIGURES}
    measured = {figure.name: rate(number) if figure.is_rate else number for figure, number in numbers.items()}
    return {
        "version": version,
        "threshold": 0.5,
        "base_model": "tiny",
        **measured,
        **{name: rate(evasion) for name in ("evasion", "evasion_seen", "evasion_unseen")},
        "confusion": [[45, 5], [5, 45]],
        "roc": {"fpr": [0.0, 1.0], "tpr": [0.0, 1.0], "thresholds": [1.0, 0.0]},
        "histogram": {
            "edges": [i / 20 for i in range(21)],
            "toxic": counts,
            "benign": counts,
            "attacked_toxic": counts,
            "perturbed_benign": counts,
        },
    }


def strategy(name: str = "leet_sub", held_out: bool = False, **rates: Any) -> dict[str, Any]:
    """A row of the comparison by strategy."""
    names = ("champion", "challenger", "champion_fpr", "challenger_fpr", "undone", "restored")
    facts = {"strategy": name, "family": "char", "held_out": held_out, "is_undone": False}
    return facts | {key: rate(0.3) for key in names} | rates


def example(original: str = "you idiot", perturbed: str = "you 1diot", strategy: str = "leet_sub") -> dict[str, Any]:
    """An attack that got past the challenger."""
    texts = {"original": original, "perturbed": perturbed}
    return {"strategy": strategy, "held_out": False, **texts, "score_before": 0.93, "score_after": 0.21}


def rate(value: float | None, n: int = 100, reach: float = 0.05) -> dict[str, float | int | None]:
    """A rate with an interval around it."""
    if value is None:
        return {"rate": None, "n": n, "low": None, "high": None}
    return {"rate": value, "n": n, "low": max(0.0, value - reach), "high": min(1.0, value + reach)}
