"""The report: its content, and that no text of an attacker breaks it."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from content_arena.components.evaluation import charts, first_version_report, report
from content_arena.components.qlora_training.first_version import JudgedVersion
from content_arena.components.qlora_training.settings import TrainingSettings
from content_arena.components.registry import gates
from content_arena.components.registry.floors import ADVICE, floors_from, judge_floors
from content_arena.components.registry.verdict import PromotionVerdict, RecordedVerdict
from content_arena.components.shared import figures
from content_arena.components.shared.evaluations.evaluation_record import Evaluation
from content_arena.components.shared.figures import Rate
from content_arena.components.shared.pages import display
from tests.evaluations import evaluation, example, rate, strategy

_VOID = {"meta", "br"}


class Page(HTMLParser):
    """Tags, attributes and text of a page; fails on a tag that is closed out of order or left open."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.tags, self.attributes, self.data, self.open, self.hostile = [], [], [], [], []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in _VOID:
            self.open.append((tag, dict(attrs).get("class")))
        if ("class", "hostile") in attrs:
            self.hostile.append("")

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag):
        assert self.open, tag
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        self.data.append(data)
        if any(css == "hostile" for _, css in self.open):
            self.hostile[-1] += data

    @property
    def text(self):
        return " ".join(" ".join(self.data).split())


def document(**changes):
    """An evaluation whose figures differ from each other."""
    figures = {"threshold": 0.42, "base_model": "all-MiniLM-L6-v2", "clean_auroc": 0.96, "latency_p95_ms": 8.0,
               "confusion": [[115, 3], [13, 107]],
               "roc": {"fpr": [0, 0.1, 1], "tpr": [0, 0.8, 1], "thresholds": [1.0, 0.5, 0]}}  # fmt: skip
    evasions = ("evasion", "evasion_seen", "evasion_unseen")
    return evaluation(
        figures | {name: rate(0.5, reach=0.1) for name in evasions},
        figures | {name: rate(0.3, reach=0.1) for name in evasions} | {"version": "sha-12ab"},
        **{"seed": 7, "n_toxic": 120, "n_benign": 118, "examples": [example()],
           "strategies": [strategy(), strategy("space_join", held_out=True)]} | changes,
    )  # fmt: skip


def parse(facts):
    return Evaluation.from_json(facts)


def verdict(facts, gates_of_run=gates.DEFAULT_GATES, **changes):
    read = parse(facts)
    results = gates.judge(read.champion.figures, read.challenger.figures, gates_of_run)
    passed = gates.is_promoted(results)
    found = PromotionVerdict(
        passed=passed, promoted=passed, champion_version="1", challenger_version="2", generation=4,
        reasons=tuple(result.reason for result in results), gates=tuple(results),
        margins={gate.metric: gate.margin for gate in gates_of_run},
        seconds={"prepare_corpus": 3.1, "train_qlora": 312.0},
    )  # fmt: skip
    return replace(found, **changes)


def render(facts, decision=None):
    return report.render(parse(facts), decision)


def refused():
    facts = document()
    facts["challenger"] |= {"evasion": rate(0.5), "perturbed_benign_fpr": rate(None, n=0)}
    return facts


PLAIN = render(document())


def test_undecided():
    text = Page(PLAIN).text
    assert "Not decided yet" in text
    assert "The gates are applied at promotion" in text
    assert "How long it took" not in text
    for fact in ("120 toxic, 118 benign", "budget 3", "seed 7", "ab" * 32, "space_join", "sha-12ab"):
        assert fact in text


def test_promoted():
    facts = document()
    decision = verdict(facts)
    text = Page(render(facts, decision)).text
    assert decision.promoted
    assert "Promoted Generation 4 ." in text
    assert "Challenger 2 against champion 1" in text
    assert "5 min 15 s in all" in text
    assert "✕ fail" not in text
    assert "set for this run" not in text
    assert all(gate.reason in text for gate in decision.gates)


def test_refused_shows_the_failures_first():
    facts = refused()
    decision = verdict(facts)
    text = Page(render(facts, decision)).text
    assert "Not promoted" in text
    by_result = {passed: [gate.reason for gate in decision.gates if gate.passed is passed] for passed in (True, False)}
    n_passed = len(gates.DEFAULT_GATES) - 2
    assert (len(by_result[False]), len(by_result[True])) == (2, n_passed)
    places = [text.index(reason) for reason in [*by_result[False], *by_result[True]]]
    assert places == sorted(places)
    assert text.count("✕ fail") == 2
    assert text.count("✓ pass") == n_passed


def test_the_guard_set_is_named_with_its_number_of_texts_and_its_hash():
    text = Page(PLAIN).text
    assert "The guard set is elsewhere.csv : 120 texts from elsewhere, 60 of them toxic" in text
    assert "cd" * 32 in text


def test_without_a_guard_set_its_gate_is_shown_as_not_judged():
    facts = document(guard=None)
    for model in ("champion", "challenger"):
        facts[model]["guard_auroc"] = None
    read = parse(facts)
    results = gates.judge(read.champion.figures, read.challenger.figures, guard=gates.GuardUse(there=False))
    text = Page(render(facts, replace(verdict(facts), gates=tuple(results)))).text
    assert "There is no guard set" in text
    assert "– not judged" in text
    assert "Not judged: guard_auroc is not judged: there is no guard set" in text
    assert "✕ fail" not in text


def test_floors_are_shown_and_a_failure_comes_with_what_to_do():
    facts = document()
    floors = judge_floors(parse(facts).challenger.figures, floors_from({"clean_auroc": 0.99, "clean_recall": 0.1}))
    text = Page(render(facts, replace(verdict(facts), promoted=False, floors=floors))).text
    assert "✕ fail Clean AUROC set for this run; default: 0.8 0.99 0.9600" in text
    assert "✓ pass Clean F1 0.7 0.9000" in text
    assert "Clean recall set for this run; default: no floor" in text
    assert f"What to do: {ADVICE}" in text


def first_version(**figures):
    recorded = RecordedVerdict(champion=None, floors=judge_floors({"clean_f1": 0.9, "clean_auroc": 0.9} | figures))
    return JudgedVersion({"clean_f1": 0.9, "clean_auroc": 0.9, "guard_auroc": None} | figures, recorded)


@pytest.mark.parametrize(
    ("auroc", "shown"),
    [
        (0.9, "Version 3 is the first champion"),
        (0.51, "Version 3 is refused: there is no champion"),
        (None, "clean_auroc could not be measured, and its floor is 0.8"),
    ],
)
def test_the_page_about_a_first_version(auroc, shown):
    judged = first_version(clean_auroc=auroc)
    settings = TrainingSettings(base_model="<b>base</b>", lang="sv")
    text = Page(first_version_report.render(judged.verdict(3), judged.figures, settings)).text
    assert shown in text
    assert "<b>base</b>" in text
    assert "There is no guard set" in text
    assert (ADVICE in text) is (not judged.passed)


def test_margins_of_this_run_stand_beside_the_default():
    facts = document()
    page = render(facts, verdict(facts, gates.gates_from({"clean_f1": 0.1, "latency_p95_ms": 5})))
    text = Page(page).text
    assert "has to be at least champion - 0.1 limit 0.8000 set for this run; default: at least champion - 0.01" in text
    assert "has to be at most champion + 5 limit 13.0000 set for this run; default: no gate" in text
    assert text.count("set for this run") == 2


def test_what_is_left_to_a_rollout_is_undecided():
    facts = document()
    text = Page(render(facts, verdict(facts, promoted=None))).text
    assert "Not decided yet" in text
    assert "the rollout decides" in text


def test_what_was_not_measured_is_said_everywhere():
    facts = document()
    for who in ("champion", "challenger"):
        nothing = {f.name: rate(None, n=0) if f.is_rate else None for f in figures.FIGURES}
        facts[who] |= nothing | {"roc": {"fpr": [], "tpr": [], "thresholds": []}, "confusion": [[0, 0], [0, 0]]}
        facts[who]["histogram"] |= {key: [0] * 20 for key in facts[who]["histogram"] if key != "edges"}
    text = Page(render(facts, verdict(facts))).text
    assert text.count("not measured") > 40
    assert "0.0%" not in text.split("Strategy by strategy")[0]


def test_zero_strategies_examples_and_gates():
    facts = document(strategies=[], examples=[])
    text = Page(render(facts, verdict(facts, (), promoted=False))).text
    assert text.count("No strategies of this kind.") == 6
    assert "without gates nothing is promoted" in text
    assert "no attack in this evaluation got past" in text


def test_undone_strategies_and_the_choice_of_the_held_out_ones_are_shown():
    rows = [strategy(), strategy("space_join", held_out=True), strategy("invisible_insert", is_undone=True)]
    facts = document(strategies=rows, held_out_strategies=["space_join"], held_out_reason="chosen by seed 7")
    text = " ".join(Page(render(facts, verdict(facts))).text.split())
    assert "Undone by the canonicaliser: in no mean (1)" in text
    assert "Undone: 1 of 3 strategies, invisible_insert ." in text
    assert "Held out: space_join ( chosen by seed 7 )." in text


@pytest.mark.parametrize(
    ("old", "new", "shown"),
    [
        (12.1, 12.0, "−0.1 ms ; no clear difference"),
        (12.0, 15.5, "+3.5 ms ; no clear difference"),
        (2.0, 2.9, "+0.9 ms ; no clear difference"),
        (12.0, 15.6, "+3.6 ms, worse"),
        (4.0, 2.8, "−1.2 ms, better"),
    ],
)
def test_a_latency_is_better_or_worse_only_where_it_clearly_differs(old, new, shown):
    facts = document()
    facts["champion"]["latency_p95_ms"], facts["challenger"]["latency_p95_ms"] = old, new
    assert f"{new:.1f} ms {shown}" in Page(render(facts)).text.split("Latency p95")[1]


def test_clean_texts_are_counted_and_few_of_them_said_to_be_few():
    text = Page(PLAIN).text
    assert "238 unperturbed test texts: 120 toxic, 118 benign" in text
    assert "A small test split." not in text
    facts = document()
    facts["challenger"]["confusion"] = [[90, 10], [9, 90]]
    assert (
        "Figures of 199 texts are coarse: one text more or less moves a share of them all by 0.5 points"
        in Page(render(facts)).text
    )
    facts["challenger"]["confusion"] = [[90, 10], [9, 91]]
    assert "A small test split." not in render(facts)


def test_null_is_not_measured_and_never_nought():
    facts = document()
    facts["challenger"] |= {"clean_auroc": None, "latency_p50_ms": math.nan, "evasion": rate(0.0, n=0)}
    row = Page(render(facts)).text.split("Clean AUROC ↑ higher is better ")[1]
    assert row.startswith("0.960 n 238 not measured")
    assert "Evasion, all strategies ↓ lower is better 50.0% 40.0–60.0% , n 100 not measured n 0" in row


def test_the_same_twice():
    facts = document()
    before = json.dumps(facts)
    assert render(facts, verdict(facts)) == render(json.loads(before), verdict(facts))
    assert json.dumps(facts) == before


def test_nothing_is_loaded_and_nothing_leads_away():
    page = Page(PLAIN)
    assert not {"link", "img", "iframe", "form", "a", "base", "object", "embed", "input", "use"} & set(page.tags)
    assert not [at for at in page.attributes if at[1] in ("src", "href", "action", "srcset", "xlink:href")]
    for forbidden in ("http://", "https://", "url(", "@import", "localStorage", "fetch("):
        assert forbidden not in PLAIN
    policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
    assert ("meta", "content", policy) in page.attributes


HOSTILE = [
    '"><script>alert(1)</script>', "</bdi></details></main><script src=//x>", "<!-- ", "]]>", "{{ 7*7 }}{% raw %}",
    "' onmouseover='x", "\u202ereversed\u2069\u2066", "a" + "\u0316\u0300" * 2_000, "\u200b" * 5_000, "w" * 5_000,
    "\ud800\udfff", "\x00\x08\x1b\r\n\t", "\u3164\ufe0f\U000e0041\u2028", "</style></title></svg>",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_anywhere_stays_text(text):
    facts = document(
        lang=text, attack_set_sha256=text, examples=[example(text, text[::-1], text)], strategies=[strategy(text)]
    )
    facts["champion"] |= {"version": text, "base_model": text}
    decision = verdict(facts, reasons=(text,), champion_version=text, seconds={text: 1.0})
    gate = replace(decision.gates[0], gate=text, rule=text, reason=text, passed=False)
    html = render(facts, replace(decision, gates=(gate, *decision.gates[1:])))
    html.encode("utf-8")
    page = Page(html)
    assert (page.tags.count("script"), page.tags.count("style")) == (1, 1)
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    # Nothing is left that hides, reorders or breaks a line.
    assert [char for char in html if not char.isprintable() and char != "\n"] == []


@settings(max_examples=60)
@given(original=st.text(max_size=80), perturbed=st.text(st.characters(), max_size=80))
def test_examples_show_any_text_as_text(original, perturbed):
    """Tags of the page do not depend on the texts, and every visible character of the attack is there, in order."""
    html = render(document(examples=[example(original, perturbed)]))
    page = Page(html)
    assert set(page.tags) <= set(Page(PLAIN).tags) | {"mark", "span", "br"}
    assert page.tags.count("script") == 1
    # Signs stand for invisible characters: without the signs the text is unchanged.
    seen = "".join(char for char in original if char.isprintable() and char not in display._BLANK)
    if seen == original:
        assert page.hostile[0] == original


def test_invisible_characters_are_named():
    shown = display.visible("a\u200b\u200b \u00a0\n\ud800<b>")
    assert 'title="U+200B ZERO WIDTH SPACE, 2 times">U+200B×2<' in shown
    assert 'title="U+00A0 NO-BREAK SPACE">␣<' in shown
    assert 'title="U+000A LINE FEED">↵</span><br>' in shown
    assert "U+D800" in shown
    assert shown.endswith("&lt;b&gt;")


def test_changes_are_marked():
    # The second text holds a Cyrillic letter that looks like the first one's.
    assert display.changes("stupid clown", "stuрidclown") == (
        'stu<mark>р</mark>id<span class="hidden-char" title="1 character removed here">⌫</span>clown'
    )


def test_examples_are_hidden_until_asked_for():
    page = Page(PLAIN)
    assert not [at for at in page.attributes if at[:2] == ("details", "open")]
    assert page.tags.count("button") == 3


def test_every_chart_says_what_it_shows():
    page = Page(render(document(), verdict(document())))
    labels = [value for tag, name, value in page.attributes if tag == "svg" and name == "aria-label"]
    assert "leet_sub, evasion: champion 30.0% of 100 texts, challenger 30.0% of 100 texts" in labels
    assert len([label for label in labels if "threshold 0.420" in label]) == 8
    assert "ROC curves on clean test texts; area under the curve: champion 0.960, challenger 0.960" in labels


@pytest.mark.parametrize(("highest", "end"), [(0.0, 0.1), (0.1, 0.1), (0.11, 0.2), (0.35, 0.5), (0.51, 1.0), (3, 1.0)])
def test_axis_ends_round(highest, end):
    assert charts.axis_end([Rate(0.0, high=highest)]) == end


@pytest.mark.parametrize("value", [-5.0, 0.0, 1.0, 7.0])
def test_marks_stay_inside_the_chart(value):
    wild = Rate(value, low=value - 1, high=value + 1, n=1)
    page = Page(charts.rate_pair(wild, wild, 1.0, "x"))
    places = [float(v.rstrip("%")) for _, name, v in page.attributes if name in ("x", "x1", "x2")]
    assert all(0 <= place <= 100 for place in places)


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0.0 s"), (59.94, "59.9 s"), (59.96, "1 min 00 s"), (3_599, "59 min 59 s"),
                           (3_599.6, "1 h 00 min"), (7_384, "2 h 03 min")]
)  # fmt: skip
def test_durations(seconds, words):
    assert display.duration(seconds) == words


def test_attributes_are_shown_where_a_model_scores_some():
    facts = document()
    facts["challenger"]["attributes"] = {"INSULT": {"auroc": 0.8912, "n_positive": 252, "n": 1109}}
    assert "INSULT not measured 0.891 252 of 1,109" in Page(render(facts)).text
    assert "Attributes beside toxicity" not in Page(PLAIN).text
