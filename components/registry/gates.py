"""The gates a challenger has to pass against the champion. Pure: figures in, results and reasons out.

Every gate fails closed: a value that is missing, not a number or measured on nothing does not pass, and neither does a
tie where better is asked for. All gates are judged and all failures are reported. One case is neither a pass nor a
failure: a gate on the guard set where there is no guard set is not judged, unless the run requires one.

The default margins are a little larger than the difference that chance alone makes between two equally good models:
0.01 of clean F1 and of an AUROC over some hundred guard texts, 0.005 of an AUROC over a thousand clean or several
thousand attacked texts, and 0.02 of a share of some hundred benign texts. A smaller margin would refuse every third
equal challenger, a larger one lets a filter slip a little in every generation. On the 1,109 test texts of the embedded
corpus the standard error of the difference between champion and challenger, from a paired bootstrap of nine pairs, is
0.005 to 0.009 in F1 and 0.001 to 0.004 in AUROC. So F1 shows a threshold that is wrong, and AUROC a model that ranks
worse.
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
        on_guard: Whether the figure is measured on the guard set.
    """

    metric: str
    better: Better
    margin: float | None = None
    on_guard: bool = False

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
        Gate(
            metric=figure.name,
            better=figure.better,
            margin=given.get(figure.name, default_margin(figure.name)),
            on_guard=figure.on_guard,
        )
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
    """The result of one gate; None stands for a value that could not be measured.

    Attributes:
        gate: Name of the figure.
        passed: Whether it passed; None if it was not judged, because there is no guard set.
        champion: The champion's figure.
        challenger: The challenger's.
        limit: What the challenger's figure was compared with.
        rule: The rule as text.
        reason: Why it was decided so, as text.
    """

    gate: str
    passed: bool | None
    champion: float | None
    challenger: float | None
    limit: float | None
    rule: str
    reason: str


@dataclass(frozen=True)
class GuardUse:
    """Whether there is a guard set, and whether a run may do without.

    Attributes:
        there: Whether both models were judged on one.
        required: Whether a gate on the guard set fails where there is none.
    """

    there: bool = True
    required: bool = False


def judge(
    champion: Mapping[str, Measured],
    challenger: Mapping[str, Measured],
    gates: Sequence[Gate] = DEFAULT_GATES,
    guard: GuardUse = GuardUse(),
) -> list[GateResult]:
    """Decides every gate.

    Args:
        champion: The champion's figures, by name.
        challenger: The challenger's.
        gates: The rules; none at all is no pass, see :func:`is_promoted`.
        guard: Whether there is a guard set. Where there is one, its figures have to be measured as all others.
    """
    return [
        _without_guard(gate, guard.required)
        if gate.on_guard and not guard.there
        else _decide(gate, champion.get(gate.metric), challenger.get(gate.metric))
        for gate in gates
    ]


def is_promoted(results: Sequence[GateResult]) -> bool:
    """Whether a gate passed and none failed; no gates, or none that was judged, no promotion."""
    return any(result.passed for result in results) and all(result.passed is not False for result in results)


def _without_guard(gate: Gate, required: bool) -> GateResult:
    reason = (
        f"{gate.metric} could not be judged: there is no guard set, and this run requires one"
        if required
        else f"{gate.metric} is not judged: there is no guard set"
    )
    return GateResult(
        gate=gate.metric,
        passed=False if required else None,
        champion=None,
        challenger=None,
        limit=None,
        rule=gate.rule,
        reason=f"{reason}; name one with --guard",
    )


def _decide(gate: Gate, champion_figure: object, challenger_figure: object) -> GateResult:
    old, new = measured_number(champion_figure), measured_number(challenger_figure)
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


def measured_number(figure: object) -> float | None:
    """The number of a figure; None for anything that is not a finite number measured on something."""
    if isinstance(figure, Rate):
        figure = figure.rate if figure.n > 0 else None
    if isinstance(figure, bool) or not isinstance(figure, int | float) or not math.isfinite(figure):
        return None
    return float(figure)
