"""Floors: what every version has to reach before it may become champion, the first one included.

A gate compares a challenger with the champion, so it cannot see that both are useless. A floor is absolute. F1 alone
is none: on a corpus that is mostly toxic, a filter that flags everything has a high F1, and so has one that learnt from
random labels. Its AUROC is about 0.5 then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from content_arena.components.registry.gates import measured_number
from content_arena.components.shared import figures
from content_arena.components.shared.errors import InputError
from content_arena.components.shared.figures import Measured

SECTION = "floors"
#: What to do about a version below a floor.
ADVICE = (
    "the filter does not tell toxic texts from benign ones well enough to serve: check that the labels are right and "
    "not mixed up, give more texts, or train for more epochs; [floors] of the settings file sets other floors"
)


@dataclass(frozen=True)
class Floor:
    """The least value of a figure, of which higher is better."""

    metric: str
    least: float


@dataclass(frozen=True, kw_only=True)
class FloorResult:
    """The result of one floor.

    Attributes:
        metric: Name of the figure.
        passed: Whether it reaches the floor; a value that could not be measured does not.
        value: The version's figure; None if it could not be measured.
        least: The floor.
        reason: Why it was decided so, as text.
    """

    metric: str
    passed: bool
    value: float | None
    least: float
    reason: str


def floors_from(given: Mapping[str, float] | None = None) -> tuple[Floor, ...]:
    """The floors of a run: those of the table of figures, with the values that the settings of the run give.

    Args:
        given: Least values by name of the figure, from 0 to 1. A figure without a floor of its own gets one. A floor
            that is not named keeps its default, and 0 lets every measured value pass.

    Returns:
        In the order of the table.

    Raises:
        InputError: A name that no figure has, a figure of which lower is better, or a value that cannot be a floor;
            all of them are listed.
    """
    given = dict(given or {})
    known = {figure.name: figure for figure in figures.FIGURES if figure.better == "higher" and not figure.on_guard}
    wrong = [f"{name!r} can have no floor ({', '.join(known)} can)" for name in given if name not in known]
    wrong += [
        f"the floor of {name} is {value!r}, it has to be from 0 to 1"
        for name, value in given.items()
        if name in known and not _is_floor(value)
    ]
    if wrong:
        raise InputError(f"floors: {'; '.join(wrong)}")
    floors = {name: given.get(name, figure.floor) for name, figure in known.items()}
    return tuple(Floor(name, float(least)) for name, least in floors.items() if least is not None)


#: The floors of a run without settings.
DEFAULT_FLOORS = floors_from()


def judge_floors(version: Mapping[str, Measured], floors: Sequence[Floor] = DEFAULT_FLOORS) -> tuple[FloorResult, ...]:
    """Decides every floor.

    Args:
        version: The figures of the version, by name.
        floors: The least values.
    """
    return tuple(_decide(floor, measured_number(version.get(floor.metric))) for floor in floors)


def _decide(floor: Floor, value: float | None) -> FloorResult:
    # Compared at nine decimals, as gates are.
    passed = value is not None and round(value - floor.least, 9) >= 0
    if value is None:
        reason = f"{floor.metric} could not be measured, and its floor is {floor.least:g}"
    else:
        reason = f"{floor.metric} {value:.4f} is {'at least' if passed else 'below'} the floor {floor.least:g}"
    return FloorResult(metric=floor.metric, passed=passed, value=value, least=floor.least, reason=reason)


def _is_floor(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1
