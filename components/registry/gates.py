"""The gates a challenger has to pass. Pure: figures in, verdict and reasons out.

Every gate fails closed: a value that is missing, not a number or measured on nothing does not pass, and neither does a
tie where better is asked for. All gates are judged and all failures are reported.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from content_arena.components.shared.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Gate:
    """One rule about one figure.

    Attributes:
        metric: Name of the figure in both models' evaluation.
        better: Which way is better.
        margin: By how much the challenger may be worse (0 or more); None means it has to be strictly better.
    """

    metric: str
    better: Literal["higher", "lower"]
    margin: float | None = None

    def __post_init__(self) -> None:
        if self.margin is not None and not self.margin >= 0:
            raise ValueError(f"gate {self.metric}: margin is {self.margin}, it has to be 0 or more")

    @property
    def rule(self) -> str:
        """The rule in words."""
        if self.margin is None:
            return f"{self.better} than champion"
        return (
            f"at least champion - {self.margin:g}" if self.better == "higher" else f"at most champion + {self.margin:g}"
        )


#: Clean F1 may lose half a point, perturbed-benign FPR may gain two; evasion has to fall.
DEFAULT_GATES = (
    Gate(metric="clean_f1", better="higher", margin=0.005),
    Gate(metric="evasion", better="lower"),
    Gate(metric="perturbed_benign_fpr", better="lower", margin=0.02),
)


def gates_from(margins: Mapping[str, float] | None = None) -> tuple[Gate, ...]:
    """The gates of a run: the default ones, with the margins that the settings of the run give.

    Args:
        margins: By how much the challenger may be worse, by name of the figure.

    Raises:
        InputError: A name that no gate has, or a margin that is not a number from 0 to 1.
    """
    given = dict(margins or {})
    known = [gate.metric for gate in DEFAULT_GATES]
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise InputError(f"gates: there is none on {', '.join(unknown)}; there is: {', '.join(known)}")
    for name, margin in given.items():
        if isinstance(margin, bool) or not isinstance(margin, int | float) or not 0 <= margin <= 1:
            raise InputError(f"gates: the margin of {name} is {margin!r}, it has to be from 0 to 1")
    return tuple(replace(gate, margin=given.get(gate.metric, gate.margin)) for gate in DEFAULT_GATES)


@dataclass(frozen=True, kw_only=True)
class GateResult:
    """How one gate was decided; None stands for a value that could not be had."""

    gate: str
    passed: bool
    champion: float | None
    challenger: float | None
    limit: float | None
    rule: str
    reason: str


def judge(
    champion: Mapping[str, Any], challenger: Mapping[str, Any], gates: Sequence[Gate] = DEFAULT_GATES
) -> list[GateResult]:
    """Decides every gate.

    Args:
        champion: Evaluation of the champion; a figure is a number, or ``{"rate": number, "n": count}``.
        challenger: Evaluation of the challenger.
        gates: The rules; none at all is no pass, see :func:`is_promoted`.
    """
    return [_decide(gate, champion.get(gate.metric), challenger.get(gate.metric)) for gate in gates]


def is_promoted(results: Sequence[GateResult]) -> bool:
    """Whether every gate passed; no gates, no promotion."""
    return bool(results) and all(result.passed for result in results)


def _decide(gate: Gate, champion_figure: Any, challenger_figure: Any) -> GateResult:  # noqa: ANN401
    old, new = _value(champion_figure), _value(challenger_figure)
    limit, passed = None, False
    if old is None or new is None:
        missing = " and ".join(name for name, value in (("champion", old), ("challenger", new)) if value is None)
        reason = f"{gate.metric} could not be measured for {missing}"
    else:
        sign = 1 if gate.better == "higher" else -1
        limit = old - sign * (gate.margin or 0.0)
        # Compared at nine decimals: a limit of 0.87 - 0.005 is not to be missed by a rounding error.
        distance = round(sign * (new - limit), 9)
        passed = distance > 0 if gate.margin is None else distance >= 0
        reason = (
            f"{gate.metric} {new:.4f} is {'' if passed else 'not '}{gate.rule} (champion {old:.4f}, limit {limit:.4f})"
        )
    return GateResult(
        gate=gate.metric, passed=passed, champion=old, challenger=new, limit=limit, rule=gate.rule, reason=reason
    )


def _value(figure: Any) -> float | None:  # noqa: ANN401
    """The number in a figure; None for anything that is not a finite number measured on something."""
    if isinstance(figure, Mapping):
        n = figure.get("n")
        if not isinstance(n, int | float) or isinstance(n, bool) or not n > 0:
            return None
        figure = figure.get("rate")
    if isinstance(figure, bool) or not isinstance(figure, int | float) or not math.isfinite(figure):
        return None
    return float(figure)
