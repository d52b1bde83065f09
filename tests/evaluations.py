"""An evaluation as evaluate_challenger writes it, with whatever a test wants changed."""

from __future__ import annotations

from typing import Any


def evaluation(champion: dict[str, Any] | None = None, challenger: dict[str, Any] | None = None) -> dict[str, Any]:
    """A challenger that passes every gate, before the changes."""
    return {
        "lang": "en",
        "seed": 0,
        "budget": 3,
        "attack_set_sha256": "ab" * 32,
        "n_toxic": 50,
        "n_benign": 50,
        "champion": model("1", 0.3) | (champion or {}),
        "challenger": model("sha-1", 0.1) | (challenger or {}),
        "strategies": [],
        "examples": [],
    }


def model(version: str, evasion: float) -> dict[str, Any]:
    """The figures of one model."""
    counts = [1] * 20
    return {
        "version": version,
        "threshold": 0.5,
        "base_model": "tiny",
        "clean_f1": 0.9,
        "clean_precision": 0.9,
        "clean_recall": 0.9,
        "clean_auroc": 0.95,
        "clean_fpr": rate(0.1),
        "evasion": rate(evasion),
        "evasion_seen": rate(evasion),
        "evasion_unseen": rate(evasion),
        "perturbed_benign_fpr": rate(0.1),
        "latency_p50_ms": 1.0,
        "latency_p95_ms": 2.0,
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


def rate(value: float, n: int = 100) -> dict[str, float | int]:
    """A rate with an interval around it."""
    return {"rate": value, "n": n, "low": max(0.0, value - 0.05), "high": min(1.0, value + 0.05)}
