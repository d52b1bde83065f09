"""The report's charts as inline SVG. Pure: figures in, markup out.

No plotting library: the report is one page that opens offline and inside the sandboxed frame of the KFP dashboard. A
library that draws in the browser would put megabytes of JavaScript into every run's report. One that draws here would
put in pictures that follow neither the width of the page nor its dark mode. These few shapes need no library.

Horizontal positions are percentages of the width, so that a chart fits any page while its marks keep their size.
Vertical positions are pixels. Colours are set by the page's style sheet: the classes ``champion`` and ``challenger``
mean the same everywhere. A champion's mark is a ring and a challenger's a diamond, so that nothing depends on colour
alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from markupsafe import Markup

from content_arena.components.shared.figures import NOT_MEASURED, Rate

#: Room at both ends of an axis in percent of the width, so that marks at 0 and 1 are not cut.
_EDGE = 4.0
#: Ends of the rate axis, chosen so that its four parts are easy to read.
_AXIS_ENDS = (0.1, 0.2, 0.5, 1.0)
#: Height of a histogram and of the strip above it that names the wrong side, in pixels.
_BARS, _STRIP = 64.0, 16.0
#: Side of the ROC square and its margins (left and below) in its own units.
_SIDE, _MARGIN = 300.0, 46.0


def axis_end(rates: Iterable[Rate]) -> float:
    """The smallest round number that all rates and their intervals stay within; 1 if there are none."""
    highest = max((value for rate in rates for value in (rate.rate, rate.high) if value is not None), default=1.0)
    return next((end for end in _AXIS_ENDS if highest <= end), 1.0)


def rate_pair(champion: Rate, challenger: Rate, end: float, label: str) -> Markup:
    """Two rates one above the other, each a mark with its interval as whiskers, on grid lines of :func:`rate_axis`.

    Args:
        champion: The upper mark, a ring.
        challenger: The lower mark, a diamond.
        end: Right end of the axis, from :func:`axis_end`.
        label: Text for screen readers.
    """
    grid = [_line(_x(tick), 0, _x(tick), 34, "grid") for tick in (0, 0.25, 0.5, 0.75, 1)]
    link = []
    if champion.rate is not None and challenger.rate is not None:
        link = [_line(_x(champion.rate / end), 10, _x(challenger.rate / end), 24, "link")]
    marks = [_interval(champion, end, 10, "champion"), _interval(challenger, end, 24, "challenger")]
    return _svg([*grid, *link, *marks], height=34, label=label)


def rate(value: Rate, end: float, label: str) -> Markup:
    """One rate as a ring with its interval as whiskers, of the class ``s0``, on grid lines of :func:`rate_axis`.

    Args:
        value: The rate.
        end: Right end of the axis, from :func:`axis_end`.
        label: Text for screen readers.
    """
    grid = [_line(_x(tick), 0, _x(tick), 24, "grid") for tick in (0, 0.25, 0.5, 0.75, 1)]
    return _svg([*grid, _interval(value, end, 12, "s0")], height=24, label=label)


def rate_axis(end: float) -> Markup:
    """The numbers under a column of :func:`rate_pair`; hidden from screen readers, which read the table beside it."""
    ticks = [_text(_x(part), 12, f"{part * end * 100:g}%", "middle") for part in (0, 0.25, 0.5, 0.75, 1)]
    return _svg(ticks, height=16, label=None)


def histogram(
    counts: Sequence[float], edges: Sequence[float], *, threshold: float | None, peak: float, model: str, toxic: bool,
    label: str,
) -> Markup:  # fmt: skip
    """How many texts got which score, the threshold, and the side of it that is wrong for these texts.

    Args:
        counts: Texts in each bin.
        edges: One more than counts, rising within 0 to 1.
        threshold: Scores from here on are flagged; None leaves it out.
        peak: Count at full height, the same for histograms that stand side by side.
        model: ``champion`` or ``challenger``.
        toxic: Whether the texts are toxic: then below the threshold is wrong, else above.
        label: Text for screen readers.
    """
    parts, bottom = [], _STRIP + _BARS
    if threshold is not None:
        left, right = (0.0, threshold) if toxic else (threshold, 1.0)
        parts.append(_rect(_x(left), _STRIP, _x(right) - _x(left), _BARS, "wrong"))
    for count, (left, right) in zip(counts, pairwise(edges), strict=True):
        if count > 0:
            # A single text among thousands has to be visible.
            height = max(1.5, _BARS * min(count / peak, 1.0))
            parts.append(_rect(_x(left) + 0.3, bottom - height, _x(right) - _x(left) - 0.6, height, model))
    parts.append(_line(_x(0), bottom, _x(1), bottom, "base"))
    if threshold is not None:
        parts.append(_line(_x(threshold), 4, _x(threshold), bottom + 4, "threshold"))
        # On the side with more room, so that the number stays inside the chart.
        anchor, gap = ("start", 1.5) if threshold < 0.5 else ("end", -1.5)
        parts.append(_text(_x(threshold) + gap, 11, f"{threshold:.2f}", anchor))
    parts += [_text(_x(tick), bottom + 14, f"{tick:g}", "middle") for tick in (0, 0.5, 1)]
    return _svg(parts, height=bottom + 18, label=label)


def roc(curves: Sequence[tuple[str, Sequence[tuple[float, float]], tuple[float, float] | None]], label: str) -> Markup:
    """ROC curves in one square.

    Args:
        curves: For each model its class name, its (false positive rate, true positive rate) points and the point at its
            threshold, if known.
        label: Text for screen readers.
    """
    parts = []
    for tick in (0, 0.25, 0.5, 0.75, 1):
        x, y = _roc_place(tick, tick)
        parts += [
            Markup('<path class="grid" d="M{} {}V{}M{} {}H{}"/>').format(x, 6, 6 + _SIDE, _MARGIN, y, _MARGIN + _SIDE),
            _units_text(x, _SIDE + 22, f"{tick * 100:g}%", "middle"),
            _units_text(_MARGIN - 6, y + 4, f"{tick * 100:g}%", "end"),
        ]
    parts.append(Markup('<path class="chance" d="M{} {}L{} {}"/>').format(*_roc_place(0, 0), *_roc_place(1, 1)))
    for model, points, _ in curves:
        # Points nearer than a tenth of a unit cannot be distinguished: thousands of texts make a few hundred steps.
        places = dict.fromkeys(_roc_place(*point) for point in points)
        path = "L".join(f"{x} {y}" for x, y in places)
        parts += [Markup('<path class="curve {}" d="M{}"/>').format(model, path)] if path else []
    for model, _, point in curves:
        if point:
            x, y = _roc_place(*point)
            shape = _RING if model == "champion" else _DIAMOND
            parts.append(Markup('<g transform="translate({} {})">{}</g>').format(x, y, shape))
    return Markup('<svg class="roc" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        f"{_MARGIN + _SIDE + 16:g}", f"{_SIDE + 30:g}", label, Markup("").join(parts)
    )


def bar(share: float) -> Markup:
    """One bar of a share of the full width; the number stands beside it, so hidden from screen readers."""
    return _svg([_rect(0, 4, max(0.3, 100 * min(max(share, 0.0), 1.0)), 12, "time")], height=20, label=None)


def mark(model: str) -> Markup:
    """The mark of a model for the legend."""
    shape = _RING if model == "champion" else _DIAMOND
    return Markup('<svg class="mark" width="16" height="16" viewBox="-8 -8 16 16" aria-hidden="true">{}</svg>').format(
        shape
    )


_RING = Markup('<circle class="dot champion" r="4.5"/>')
_PLAIN_RING = Markup('<circle class="dot s0" r="4.5"/>')
_DIAMOND = Markup('<path class="dot challenger" d="M0-6 6 0 0 6-6 0z"/>')


def _interval(rate: Rate, end: float, y: float, model: str) -> Markup:
    if rate.rate is None:
        return _text(_x(0) + 1, y + 4, NOT_MEASURED, "start")
    shape = {"champion": _RING, "challenger": _DIAMOND}.get(model, _PLAIN_RING)
    parts = [Markup('<svg x="{}%" y="{}" overflow="visible">{}</svg>').format(_short(_x(rate.rate / end)), y, shape)]
    if rate.low is not None and rate.high is not None:
        low, high = _x(rate.low / end), _x(rate.high / end)
        ends = [_line(x, y - 4, x, y + 4, f"whisker {model}") for x in (low, high)]
        parts = [_line(low, y, high, y, f"whisker {model}"), *ends, *parts]
    return Markup("").join(parts)


def _x(share: float) -> float:
    """Percent of the width for a share of the axis; what lies outside is drawn at its end."""
    return _EDGE + (100 - 2 * _EDGE) * min(max(share, 0.0), 1.0)


def _roc_place(fpr: float, tpr: float) -> tuple[float, float]:
    return round(_MARGIN + _SIDE * min(max(fpr, 0.0), 1.0), 1), round(6 + _SIDE * (1 - min(max(tpr, 0.0), 1.0)), 1)


def _short(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _line(x1: float, y1: float, x2: float, y2: float, css: str) -> Markup:
    return Markup('<line class="{}" x1="{}%" y1="{}" x2="{}%" y2="{}"/>').format(
        css, _short(x1), _short(y1), _short(x2), _short(y2)
    )


def _rect(x: float, y: float, width: float, height: float, css: str) -> Markup:
    return Markup('<rect class="{}" x="{}%" y="{}" width="{}%" height="{}"/>').format(
        css, _short(x), _short(y), _short(max(width, 0.0)), _short(height)
    )


def _text(x: float, y: float, text: str, anchor: str) -> Markup:
    return Markup('<text x="{}%" y="{}" text-anchor="{}">{}</text>').format(_short(x), _short(y), anchor, text)


def _units_text(x: float, y: float, text: str, anchor: str) -> Markup:
    return Markup('<text x="{}" y="{}" text-anchor="{}">{}</text>').format(_short(x), _short(y), anchor, text)


def _svg(parts: Iterable[Markup], *, height: float, label: str | None) -> Markup:
    spoken = Markup('role="img" aria-label="{}"').format(label) if label else Markup('aria-hidden="true"')
    return Markup('<svg width="100%" height="{}" {}>{}</svg>').format(_short(height), spoken, Markup("").join(parts))
