"""Pictures of several series: well-formed, and what was not measured is not drawn."""

import itertools
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from content_arena.components.evaluation import plots
from content_arena.components.evaluation.plots import Line, Point
from content_arena.components.shared.figures import NOTHING, Rate
from tests.components.evaluation.test_report import Page

shares = st.floats(0, 1)
rates = st.one_of(
    st.just(NOTHING),
    st.lists(shares, min_size=3, max_size=3).map(lambda found: Rate(sorted(found)[1], 9, min(found), max(found))),
)
names = st.text(min_size=1, max_size=3)


@given(st.lists(st.builds(Point, names, rates, rates), max_size=plots.MOST_SERIES))
@settings(max_examples=10)
def test_a_mark_for_every_filter_that_was_measured(points):
    page = Page(plots.trade_off(points, "right", "up", "label"))
    n_measured = sum(point.x.rate is not None and point.y.rate is not None for point in points)
    assert page.tags.count("circle") == n_measured
    assert "nan" not in str(page.attributes)


@given(
    st.lists(
        st.builds(
            Line, names, st.dictionaries(st.integers(1, 1000), shares, max_size=5).map(lambda d: sorted(d.items()))
        ),
        max_size=plots.MOST_SERIES,
    )
)
@settings(max_examples=10)
def test_a_curve_for_every_search_that_was_measured(lines):
    page = Page(plots.curves(lines, "label"))
    assert page.tags.count("circle") == sum(len(line.points) for line in lines)
    assert "nan" not in str(page.attributes)


def test_names_at_the_end_of_curves_can_be_told_apart():
    lines = [Line(name, [(1, 0.1), (50, 0.5)]) for name in ("one", "two", "three")]
    drawn = str(plots.curves(lines, "label"))
    heights = [float(y) for y in re.findall(r'class="end s\d" x="[\d.]+" y="([\d.]+)"', drawn)]
    assert len(heights) == 3
    assert min(abs(a - b) for a, b in itertools.pairwise(heights)) >= 12
