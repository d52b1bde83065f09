"""Pictures of several filters or searches as inline SVG. Pure: figures in, markup out; see :mod:`charts` for why.

Each series has a letter or a name at its mark and a class ``s0`` to ``s7`` for its colour, which the page's style sheet
sets: nothing depends on colour alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from content_arena.components.evaluation.charts import axis_end
from content_arena.components.shared.figures import Rate

#: Series that have colours of their own.
MOST_SERIES = 8
#: Size of the plane and its margins, in units of the picture.
_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM, _RIGHT = 360.0, 280.0, 52.0, 10.0, 44.0, 84.0
#: Least distance of two names at the right edge.
_LINE_HEIGHT = 13.0
_PARTS = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class Point:
    """A mark with an interval each way.

    Attributes:
        name: A letter.
        x: Horizontal.
        y: Vertical.
    """

    name: str
    x: Rate
    y: Rate


@dataclass(frozen=True)
class Line:
    """A share against a number of queries.

    Attributes:
        name: Stands at its right end.
        points: Pairs of a number of queries, 1 or more and rising, and a share.
    """

    name: str
    points: Sequence[tuple[int, float]]


def trade_off(points: Sequence[Point], x_title: str, y_title: str, label: str) -> Markup:
    """Marks in a plane of two shares of which lower is better; one that was not measured both ways is left out.

    Args:
        points: At most :data:`MOST_SERIES`.
        x_title: What is to the right.
        y_title: What is upwards.
        label: Text for screen readers.
    """
    x_end, y_end = axis_end(point.x for point in points), axis_end(point.y for point in points)
    ticks = [(part, f"{part * x_end * 100:g}%") for part in _PARTS]
    parts = _axes(ticks, y_end, x_title, y_title)
    for number, point in enumerate(points):
        if point.x.rate is None or point.y.rate is None:
            continue
        x, y = _place(point.x.rate / x_end, point.y.rate / y_end)
        parts += _whiskers(point, x_end, y_end, x, y, number)
        parts.append(
            Markup('<g class="s{}"><circle class="spot" cx="{}" cy="{}" r="9"/></g>').format(
                number, _short(x), _short(y)
            )
        )
        parts.append(_text(x, y + 4, point.name, "middle", "name"))
    return _svg(parts, label)


def curves(lines: Sequence[Line], label: str) -> Markup:
    """Shares against the number of queries, on a logarithmic axis; a line without points is left out.

    Args:
        lines: At most :data:`MOST_SERIES`.
        label: Text for screen readers.
    """
    drawn = [(number, line) for number, line in enumerate(lines) if line.points]
    numbers = sorted({queries for _, line in drawn for queries, _ in line.points}) or [1]
    y_end = axis_end(Rate(share) for _, line in drawn for _, share in line.points)
    scale = math.log(numbers[-1] / numbers[0]) or 1.0
    across = {n: math.log(n / numbers[0]) / scale for n in numbers}
    parts = _axes([(across[n], f"{n:,}") for n in numbers], y_end, "queries at most", "evasion")
    ends = _apart([_place(0, line.points[-1][1] / y_end)[1] for _, line in drawn])
    for (number, line), end in zip(drawn, ends, strict=True):
        places = [_place(across[queries], share / y_end) for queries, share in line.points]
        path = "L".join(f"{_short(x)} {_short(y)}" for x, y in places)
        parts.append(Markup('<path class="line s{}" d="M{}"/>').format(number, path))
        parts += [
            Markup('<circle class="knot s{}" cx="{}" cy="{}" r="3"/>').format(number, _short(x), _short(y))
            for x, y in places
        ]
        parts.append(_text(_LEFT + _WIDTH + 8, end + 4, line.name, "start", f"end s{number}"))
    return _svg(parts, label)


def _axes(x_ticks: Iterable[tuple[float, str]], y_end: float, x_title: str, y_title: str) -> list[Markup]:
    parts = []
    right, bottom = _place(1, 0)
    for place, shown in x_ticks:
        x, _ = _place(place, 0)
        parts.append(Markup('<path class="grid" d="M{} {}V{}"/>').format(_short(x), _short(_TOP), _short(bottom)))
        parts.append(_text(x, bottom + 16, shown, "middle"))
    for part in _PARTS:
        _, y = _place(0, part)
        parts.append(Markup('<path class="grid" d="M{} {}H{}"/>').format(_short(_LEFT), _short(y), _short(right)))
        parts.append(_text(_LEFT - 6, y + 4, f"{part * y_end * 100:g}%", "end"))
    parts.append(_text(_LEFT + _WIDTH / 2, bottom + 36, x_title, "middle"))
    parts.append(
        Markup('<text transform="translate(12 {}) rotate(-90)" text-anchor="middle">{}</text>').format(
            _short(_TOP + _HEIGHT / 2), y_title
        )
    )
    return parts


def _whiskers(point: Point, x_end: float, y_end: float, x: float, y: float, number: int) -> list[Markup]:
    paths = []
    if point.x.low is not None and point.x.high is not None:
        (left, _), (right, _) = _place(point.x.low / x_end, 0), _place(point.x.high / x_end, 0)
        paths.append(f"M{_short(left)} {_short(y)}H{_short(right)}")
    if point.y.low is not None and point.y.high is not None:
        (_, low), (_, high) = _place(0, point.y.low / y_end), _place(0, point.y.high / y_end)
        paths.append(f"M{_short(x)} {_short(low)}V{_short(high)}")
    return [Markup('<path class="whisker s{}" d="{}"/>').format(number, path) for path in paths]


def _apart(heights: Sequence[float]) -> list[float]:
    """Heights of names, in the order given, moved down as far as it takes to read each of them."""
    order = sorted(range(len(heights)), key=lambda at: heights[at])
    placed: dict[int, float] = {}
    lowest = -math.inf
    for at in order:
        lowest = max(heights[at], lowest + _LINE_HEIGHT)
        placed[at] = lowest
    return [placed[at] for at in range(len(heights))]


def _place(x: float, y: float) -> tuple[float, float]:
    """A point of the plane, for shares of its width and height; what lies outside is drawn at the edge."""
    return _LEFT + _WIDTH * min(max(x, 0.0), 1.0), _TOP + _HEIGHT * (1 - min(max(y, 0.0), 1.0))


def _short(value: float) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".")


def _text(x: float, y: float, text: str, anchor: str, css: str = "tick") -> Markup:
    return Markup('<text class="{}" x="{}" y="{}" text-anchor="{}">{}</text>').format(
        css, _short(x), _short(y), anchor, text
    )


def _svg(parts: Iterable[Markup], label: str) -> Markup:
    return Markup('<svg class="plot" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        _short(_LEFT + _WIDTH + _RIGHT), _short(_TOP + _HEIGHT + _BOTTOM), label, Markup("").join(parts)
    )
