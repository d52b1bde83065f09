"""The report's section about the verdict: which gates and floors passed, at which limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from content_arena.components.registry.floors import ADVICE, FloorResult
from content_arena.components.registry.gates import Gate, GateResult, default_margin
from content_arena.components.registry.verdict import PromotionVerdict
from content_arena.components.shared import figures
from content_arena.components.shared.evaluations.model_evaluation import ModelEvaluation
from content_arena.components.shared.figures import NOT_MEASURED, Figure

#: What a part of the template is filled with.
Context = dict[str, Any]
Models = Mapping[str, ModelEvaluation]
#: Whether a gate passed, in the order of the report.
_ORDER: tuple[bool | None, ...] = (False, None, True)
_RESULTS: Mapping[bool | None, str] = {False: "fail", None: "not judged", True: "pass"}


def verdict_section(verdict: PromotionVerdict | None, models: Models) -> Context:
    """What the report shows of a verdict: state, versions, reasons, gates and floors, those that failed first.

    Args:
        verdict: What promotion decided; None before it did.
        models: By role.
    """
    gates = sorted(verdict.gates, key=lambda gate: _ORDER.index(gate.passed)) if verdict else []
    floors = sorted(verdict.floors, key=lambda floor: floor.passed) if verdict else []
    decided: list[tuple[bool | None, str]] = [(floor.passed, floor.reason) for floor in floors]
    decided += [(gate.passed, gate.reason) for gate in gates]
    reasons = {passed: [reason for result, reason in decided if result is passed] for passed in _ORDER}
    versions: dict[str, str | None] = {name: model.version for name, model in models.items()}
    if verdict:
        versions = {"champion": verdict.champion_version, "challenger": verdict.challenger_version}
    return {
        "state": _state(verdict),
        "generation": verdict.generation if verdict else None,
        "versions": versions,
        "base_models": {name: model.base_model for name, model in models.items()},
        "failed": reasons[False],
        "not_judged": reasons[None],
        "passed": reasons[True],
        "gates": [_gate(gate, verdict.margins) for gate in gates] if verdict else [],
        "floors": [_floor(floor) for floor in floors],
        "advice": ADVICE if any(not floor.passed for floor in floors) else None,
    }


def _state(verdict: PromotionVerdict | None) -> str:
    """Undecided before promotion, and where the gates passed and a rollout decides."""
    if verdict is None or verdict.promoted is None:
        return "undecided"
    return "promoted" if verdict.promoted else "refused"


def _gate(result: GateResult, margins: Mapping[str, float | None]) -> Context:
    """A row of the gate table, to four places: three would show a near miss as a tie."""
    figure = figures.by_name().get(result.gate)
    shown = {
        name: NOT_MEASURED if value is None else f"{value:.4f}"
        for name, value in (("champion", result.champion), ("challenger", result.challenger), ("limit", result.limit))
    }
    default = default_margin(result.gate)
    is_set = figure is not None and result.gate in margins and margins[result.gate] != default
    return shown | {
        "key": result.gate,
        "name": figure.label if figure else result.gate,
        "rule": result.rule,
        "limit": "none: a figure is missing" if result.limit is None else shown["limit"],
        "default": _default_rule(figure) if figure and is_set else None,
        "result": _RESULTS[result.passed],
    }


def _floor(result: FloorResult) -> Context:
    """A row of the table of floors, to four places as well."""
    figure = figures.by_name().get(result.metric)
    default = figure.floor if figure else None
    return {
        "name": figure.label if figure else result.metric,
        "least": f"{result.least:g}",
        "default": None if result.least == default else "no floor" if default is None else f"{default:g}",
        "value": NOT_MEASURED if result.value is None else f"{result.value:.4f}",
        "result": _RESULTS[result.passed],
    }


def _default_rule(figure: Figure) -> str:
    if figure.gate is None:
        return "no gate"
    return Gate(metric=figure.name, better=figure.better, margin=figure.gate.margin).rule
