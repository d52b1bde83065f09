"""Each figure of a rollout over time, against its bound. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from content_arena.components.canary_rollout.analysis.check import Check
from content_arena.components.canary_rollout.analysis.verdict import Verdict
from content_arena.components.canary_rollout.reporting.history import Record
from content_arena.components.shared.figures import NOT_MEASURED
from content_arena.components.shared.pages import display

HEIGHT = 72.0
#: Room at both ends in percent of the width, so that marks and numbers are not cut.
_LEFT, _RIGHT = 6.0, 2.0
_TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)
#: More points than this cannot be distinguished.
_POINTS = 60


@dataclass(frozen=True)
class Axis:
    """Time across a picture.

    Attributes:
        begin: Seconds since the epoch.
        end: Not before ``begin``.
    """

    begin: float
    end: float

    def x(self, at: float) -> float:
        """Place in percent of the width."""
        length = self.end - self.begin
        share = min(max((at - self.begin) / length, 0.0), 1.0) if length > 0 else 0.0
        return round(_LEFT + (100 - _LEFT - _RIGHT) * share, 2)

    def after(self, at: float) -> str:
        """How long after the beginning, as text."""
        return display.duration(at - self.begin)

    @property
    def ticks(self) -> list[dict[str, Any]]:
        """Numbers along it."""
        length = self.end - self.begin
        anchors = {0.0: "start", 1.0: "end"}
        return [
            {"x": self.x(self.begin + part * length), "text": display.duration(part * length),
             "anchor": anchors.get(part, "middle"), "minor": part in (0.25, 0.75)}
            for part in (_TICKS if length > 0 else (0.0,))
        ]  # fmt: skip


@dataclass(frozen=True)
class Figure:
    """One check over time.

    Attributes:
        name: Of the check.
        bound: The bound as text.
        last: The figure as last measured, as text.
        verdict: Of the last measurement.
        reason: Of that measurement.
        points: Marks with their whiskers: x in percent, y, top and bottom in pixels, kind, title.
        bounds: Dashed lines: from and to in percent, y in pixels.
        lowest: Number at the lower edge.
        highest: Number at the upper edge.
        label: Text for a screen reader.
    """

    name: str
    bound: str
    last: str
    verdict: Verdict
    reason: str
    points: tuple[dict[str, Any], ...]
    bounds: tuple[dict[str, float], ...]
    lowest: str
    highest: str
    label: str


def figures(records: Sequence[Record], axis: Axis) -> list[Figure]:
    """Every check that ever had a figure; those that failed last come first, then those in doubt."""
    series: dict[str, list[tuple[float, Check]]] = {}
    for record in records:
        for check in record.checks:
            series.setdefault(check.label, []).append((record.at, check))
    drawn = [
        _figure(name, found, axis)
        for name, found in series.items()
        if any(check.value is not None for _, check in found)
    ]
    order = (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.PASS)
    return sorted(drawn, key=lambda figure: order.index(figure.verdict))


def _figure(name: str, found: Sequence[tuple[float, Check]], axis: Axis) -> Figure:
    measured = _thinned([(at, check) for at, check in found if check.value is not None])
    lowest, highest = _range([check for _, check in measured])

    def y(value: float) -> float:
        share = (value - lowest) / (highest - lowest)
        return round(HEIGHT * (1 - min(max(share, 0.0), 1.0)), 1)

    points = tuple(
        {
            "x": axis.x(at),
            "y": y(check.value or 0.0),
            "top": None if check.high is None else y(check.high),
            "bottom": None if check.low is None else y(check.low),
            "kind": check.verdict.value,
            "title": f"{axis.after(at)}: {check.reason}",
        }
        for at, check in measured
    )
    last = found[-1][1]
    value = NOT_MEASURED if last.value is None else f"{last.value:.3g}"
    return Figure(
        name=name, bound=_bound(last), last=value, verdict=last.verdict, reason=display.printable(last.reason),
        points=points, bounds=tuple(_lines(measured, axis, y)), lowest=f"{lowest:.3g}", highest=f"{highest:.3g}",
        label=f"{name}: {value}, wanted {_bound(last)}, {last.verdict}; measured {len(found)} times",
    )  # fmt: skip


def _range(checks: Sequence[Check]) -> tuple[float, float]:
    """Both ends of the axis: every mark and bound is on it, with a little room."""
    values = [
        value for check in checks for value in (check.value, check.low, check.high, check.least, check.most)
        if value is not None
    ]  # fmt: skip
    low, high = min(values), max(values)
    room = 0.08 * (high - low) or 0.5
    # Shares are never below 0.
    return (0.0 if low >= 0 else low - room), high + room


def _lines(measured: Sequence[tuple[float, Check]], axis: Axis, y: Callable[[float], float]) -> list[dict[str, float]]:
    """Lines of the bounds, each from one measurement to the next; the first begins at the left edge."""
    edges = [axis.begin, *(at for at, _ in measured[1:]), axis.end]
    lines: list[dict[str, float]] = []
    for (_, check), (begin, end) in zip(measured, pairwise(edges), strict=True):
        for bound in (check.least, check.most):
            if bound is None:
                continue
            line = {"from": axis.x(begin), "to": axis.x(end), "y": y(bound)}
            same = next((old for old in lines if old["y"] == line["y"] and old["to"] == line["from"]), None)
            if same:
                same["to"] = line["to"]
            else:
                lines.append(line)
    return lines


def _thinned(points: Sequence[tuple[float, Check]]) -> list[tuple[float, Check]]:
    """At most so many, evenly, and every failure."""
    if len(points) <= _POINTS:
        return list(points)
    keep = {round(index * (len(points) - 1) / (_POINTS - 1)) for index in range(_POINTS)}
    return [
        point for index, point in enumerate(points) if index in keep or point[1].verdict is Verdict.FAIL
    ]  # fmt: skip


def _bound(check: Check) -> str:
    parts = []
    if check.least is not None:
        parts.append(f"at least {check.least:.3g}")
    if check.most is not None:
        parts.append(f"at most {check.most:.3g}")
    return " and ".join(parts) or "no bound"
