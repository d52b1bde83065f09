"""The page of a rollout: it shows what happened and nothing else, and escapes all text."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from content_arena.components.canary_rollout.analysis.check import Check, Kind, Subject
from content_arena.components.canary_rollout.analysis.verdict import Verdict
from content_arena.components.canary_rollout.plan.gate import Gate
from content_arena.components.canary_rollout.plan.state import Phase
from content_arena.components.canary_rollout.reporting import timeline
from content_arena.components.canary_rollout.reporting.history import History
from content_arena.components.canary_rollout.reporting.timeline_figures import Axis, figures
from tests.components.canary_rollout import stories
from tests.components.canary_rollout.stories import START, Story

VOID = {"meta", "line", "rect", "circle", "br"}


class Page(HTMLParser):
    """The page's elements and text; fails if an element is not closed."""

    def __init__(self, text):
        super().__init__()
        self.open, self.text, self.elements = [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag not in VOID or tag in self.open:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] != "style":
            self.text.append(data)

    @property
    def words(self):
        return " ".join(" ".join(self.text).split())

    def of_class(self, name):
        return [attrs for _, attrs in self.elements if name in (attrs.get("class") or "").split()]


def page(story):
    html = timeline.render("filter", story.state, story.records)
    # A line that carries its title is closed by name.
    return Page(re.sub(r"<(line|rect|circle)([^>]*[^/])>(<title>.*?</title>)</\1>", r"<\1\2/>\3", html, flags=re.S))


def test_a_promotion_with_its_steps_its_approval_and_its_end():
    found = page(stories.promoted())
    assert "✓ Promoted version 7 serves alone and is the champion" in found.words
    assert "step-25 by mina@example.org" in found.words
    assert "0 %, 1 %, 5 %, 25 %, 50 %, 100 %, a person approves 25 %" in found.words
    assert "Waited for people 6 min 40 s" in found.words
    assert "not reached" not in found.words
    assert len(found.of_class("approved")) == 1
    assert {"staging", "shifting", "baking", "waiting", "promoting", "promoted"} <= {
        attrs["class"] for tag, attrs in found.elements if tag == "rect" and attrs["class"] != "met"
    }


def test_a_rollback_names_what_failed_and_shows_it_first():
    story = stories.rolled_back()
    found = page(story)
    assert "✕ Rolled back failed at 5 %: errors, bound: 0.05" in found.words
    assert found.words.count("not reached") == 3
    drawn = figures(story.records, Axis(START, story.now))
    failed = [figure for figure in drawn if figure.verdict is Verdict.FAIL]
    assert {"errors, bound", "p95, bound"} <= {figure.name for figure in failed}
    assert drawn[: len(failed)] == failed


def test_every_picture_has_a_label():
    found = page(stories.rolled_back())
    labels = [attrs["aria-label"] for tag, attrs in found.elements if tag == "svg"]
    assert "in order: 0 %, 1 %, 5 %, 0 %. Then: Rolled back." in labels[0]
    assert any(label.startswith("errors, bound: 0.05, wanted at most 0.01, fail") for label in labels)


def test_a_page_is_self_contained():
    html = timeline.render("filter", stories.promoted().state, stories.promoted().records)
    assert not re.search(r"(src|href)=|url\(|@import|<script", html)


def test_text_of_a_log_is_no_markup():
    found = page(stories.hostile())
    assert not any(tag == "script" for tag, _ in found.elements)
    assert "<script>alert(1)</script> \ufffd" in found.words
    assert not any("onload" in attrs for _, attrs in found.elements)


def test_nothing_recorded_yet_is_a_page_too():
    story = Story()
    found = page(story)
    assert "Under way at 0 %" in found.words
    assert "Nothing was measured." in found.words
    assert "Nothing was recorded." in found.words


def test_a_share_that_is_not_known_is_not_drawn():
    story = Story().enter(Phase.STAGING, "comes up", 10)
    story.records = [replace(record, share=None) for record in story.records]
    found = page(story)
    assert found.of_class("met") == []
    assert "unknown" in found.words


def test_a_figure_that_was_never_measured_is_a_check_among_others_and_no_picture():
    story = Story().enter(Phase.BAKING, "measured", 10)
    story.record(made=(Check(Kind.BOUND, Subject.F1, Verdict.INCONCLUSIVE, "F1, bound: not measured", least=0.6),))
    found = page(story)
    assert found.of_class("whisker") == []
    assert "F1, bound: not measured" in found.words


def test_a_rollout_that_waits_names_its_gate():
    story = begun = stories.begun()
    story.enter(Phase.WAITING, "1 % needs a person's approval", 0, gate=Gate.parse("step-1"), then=Phase.SHIFTING)
    assert "! Waits for a person: step-1" in page(begun).words


def test_history_gives_back_what_the_page_is_made_of(tmp_path):
    story = stories.rolled_back()
    history = History(tmp_path / "history.jsonl")
    for record in story.records:
        history.append(record)
    timeline.write(tmp_path / "page" / "timeline.html", "filter", story.state, history.records())
    written = (tmp_path / "page" / "timeline.html").read_text(encoding="utf-8")
    assert written == timeline.render("filter", story.state, story.records)


def test_thousands_of_iterations_do_not_make_thousands_of_marks():
    story = Story().enter(Phase.BAKING, "measured", 10)
    for n in range(2_000):
        bad = Verdict.FAIL if n == 777 else Verdict.PASS
        check = Check(Kind.BOUND, Subject.ERRORS, bad, "r", 0.5 if n == 777 else 0.001, 0.0, 0.6, most=0.01)
        story.record(made=(check,))
        story.now += 5
    (figure,) = figures(story.records, Axis(START, story.now))
    assert len(figure.points) == 61
    assert [point["kind"] for point in figure.points].count("fail") == 1
    assert len(page(story).of_class("sign")) < 100
    assert "fail" in {attrs["class"].split()[1] for attrs in page(story).of_class("sign")}


@given(
    st.lists(
        st.tuples(
            st.floats(0, 1e6), st.sampled_from(list(Phase)), st.integers(0, 5), st.none() | st.integers(0, 100),
            st.none() | st.sampled_from(list(Verdict)), st.text(max_size=20),
            st.none() | st.floats(-1e9, 1e9), st.none() | st.floats(-10, 10),
        ),
        max_size=8,
    )
)  # fmt: skip
@pytest.mark.filterwarnings("ignore")
def test_any_history_can_be_drawn_and_every_position_is_on_the_page(rows):
    story = Story()
    for at, phase, step, share, verdict, reason, value, bound in rows:
        story.now = START + at
        story.state = replace(story.state, phase=phase, step=step, reason=reason)
        made = (Check(Kind.OTHER, "figure", verdict, reason, value, value, value, least=bound),) if verdict else ()
        story.record(made=made)
        story.records[-1] = replace(story.records[-1], share=share)
    found = page(story)
    for _, attrs in found.elements:
        for name in ("x", "x1", "x2", "cx", "width"):
            if (attrs.get(name) or "").endswith("%"):
                assert 0 <= float(attrs[name][:-1]) <= 100
