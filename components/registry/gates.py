"""The gates a challenger has to pass. Pure: figures in, results and reasons out.

Every gate fails closed: a value that is missing, not a number or measured on nothing does not pass, and neither does a
tie where better is asked for. All gates are judged and all failures are reported.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from content_arena.components.shared import figures
from content_arena.components.shared.errors import InputError
from content_arena.components.shared.figures import Better, Figure, Measured, Rate


@dataclass(frozen=True, kw_only=True)
class Gate:
    """One rule about one figure.

    Attributes:
        metric: Name of the figure in both models' evaluation.
        better: Which way is better.
        margin: By how much the challenger may be worse (0 or more); None means it has to be strictly better.
    """

    metric: str
    better: Better
    margin: float | None = None

    def __post_init__(self) -> None:
        if self.margin is not None and not self.margin >= 0:
            raise ValueError(f"gate {self.metric}: margin is {self.margin}, it has to be 0 or more")

    @property
    def rule(self) -> str:
        """The rule as text."""
        if self.margin is None:
            return f"{self.better} than champion"
        return (
            f"at least champion - {self.margin:g}" if self.better == "higher" else f"at most champion + {self.margin:g}"
        )


def gates_from(margins: Mapping[str, float] | None = None) -> tuple[Gate, ...]:
    """The gates of a run: those of the table of figures, with the margins that the settings of the run give.

    Args:
        margins: By how much the challenger may be worse, by name of the figure, in the figure's own unit (a share: 0.02
            is two points). A figure without a gate of its own gets one. A gate that is not named keeps its default, so
            no setting removes one.

    Returns:
        In the order of the table.

    Raises:
        InputError: A name that no figure has, or a margin that cannot be one; all of them are listed.
    """
    given = dict(margins or {})
    known = figures.by_name()
    wrong = [f"no figure is called {name!r} (there are {', '.join(known)})" for name in given if name not in known]
    wrong += [
        f"the margin of {name} is {given[name]!r}, it has to be {_allowed(known[name])}"
        for name in given
        if name in known and not _is_margin(given[name], known[name])
    ]
    if wrong:
        raise InputError(f"gates: {'; '.join(wrong)}")
    return tuple(
        Gate(metric=figure.name, better=figure.better, margin=given.get(figure.name, default_margin(figure.name)))
        for figure in figures.FIGURES
        if figure.gate is not None or figure.name in given
    )


def default_margin(name: str) -> float | None:
    """The margin of a figure's gate where no setting gives another; None if it has to be better, or has no gate."""
    figure = figures.by_name().get(name)
    return figure.gate.margin if figure is not None and figure.gate is not None else None


def _allowed(figure: Figure) -> str:
    return "0 or more milliseconds" if figure.unit == "ms" else "from 0 to 1 (0.02 is two points)"


def _is_margin(margin: object, figure: Figure) -> bool:
    """Whether a value can be a margin. A share above 1 is a percentage by mistake, and every challenger would pass."""
    if isinstance(margin, bool) or not isinstance(margin, int | float):
        return False
    return 0 <= margin < (math.inf if figure.unit == "ms" else 1 + 1e-9)


#: The gates of a run without settings.
DEFAULT_GATES = gates_from()


@dataclass(frozen=True, kw_only=True)
class GateResult:
    """The result of one gate; None stands for a value that could not be measured."""

    gate: str
    passed: bool
    champion: float | None
    challenger: float | None
    limit: float | None
    rule: str
    reason: str


def judge(
    champion: Mapping[str, Measured], challenger: Mapping[str, Measured], gates: Sequence[Gate] = DEFAULT_GATES
) -> list[GateResult]:
    """Decides every gate.

    Args:
        champion: The champion's figures, by name.
        challenger: The challenger's.
        gates: The rules; none at all is no pass, see :func:`is_promoted`.
    """
    return [_decide(gate, champion.get(gate.metric), challenger.get(gate.metric)) for gate in gates]


def is_promoted(results: Sequence[GateResult]) -> bool:
    """Whether every gate passed; no gates, no promotion."""
    return bool(results) and all(result.passed for result in results)


def _decide(gate: Gate, champion_figure: object, challenger_figure: object) -> GateResult:
    old, new = _value(champion_figure), _value(challenger_figure)
    limit, passed = None, False
    if old is None or new is None:
        missing = " and ".join(name for name, value in (("champion", old), ("challenger", new)) if value is None)
        reason = f"{gate.metric} could not be measured for {missing}"
    else:
        sign = 1 if gate.better == "higher" else -1
        limit = old - sign * (gate.margin or 0.0)
        # Compared at nine decimals, so that a figure on a limit such as 0.87 - 0.005 does not fail by a rounding error.
        distance = round(sign * (new - limit), 9)
        passed = distance > 0 if gate.margin is None else distance >= 0
        reason = (
            f"{gate.metric} {new:.4f} is {'' if passed else 'not '}{gate.rule} (champion {old:.4f}, limit {limit:.4f})"
        )
    return GateResult(
        gate=gate.metric, passed=passed, champion=old, challenger=new, limit=limit, rule=gate.rule, reason=reason
    )


def _value(figure: object) -> float | None:
    """The number of a figure; None for anything that is not a finite number measured on something."""
    if isinstance(figure, Rate):
        figure = figure.rate if figure.n > 0 else None
    if isinstance(figure, bool) or not isinstance(figure, int | float) or not math.isfinite(figure):
        return None
    return float(figure)
