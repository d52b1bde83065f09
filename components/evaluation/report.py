"""Evaluation and verdict as one HTML page that needs nothing but itself.

The texts in it come from attackers, so they are never trusted to be text: the template escapes everything, characters
that are invisible or turn the reading direction are shown as what they are, and no figure is taken to be a number
before it was looked at. What was not measured is said to be "not measured", never drawn as 0.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from content_arena.components.evaluation import charts, display
from content_arena.components.evaluation.charts import Rate

MODELS = ("champion", "challenger")

#: Key, name, which way is better, unit.
FIGURES = (
    ("clean_f1", "Clean F1", "higher", "score"),
    ("clean_precision", "Clean precision", "higher", "score"),
    ("clean_recall", "Clean recall", "higher", "score"),
    ("clean_auroc", "Clean AUROC", "higher", "score"),
    ("evasion", "Evasion, all strategies", "lower", "share"),
    ("evasion_seen", "Evasion, seen strategies", "lower", "share"),
    ("evasion_unseen", "Evasion, held-out strategies", "lower", "share"),
    ("perturbed_benign_fpr", "False alarms, perturbed benign", "lower", "share"),
    ("clean_fpr", "False alarms, clean benign", "lower", "share"),
    ("latency_p50_ms", "Latency p50", "lower", "ms"),
    ("latency_p95_ms", "Latency p95", "lower", "ms"),
)
#: One hundred texts on a machine that does other things too: a latency differs by less than this from run to run.
CLEAR_MS, CLEAR_SHARE = 1.0, 0.3
#: Of fewer clean test texts than this, one text more or less moves a figure by half a point.
FEW_TEXTS = 200

#: Key in the histogram, name, whether the texts are toxic.
POPULATIONS = (
    ("toxic", "Clean toxic texts", True),
    ("benign", "Clean benign texts", False),
    ("attacked_toxic", "Attacked toxic texts", True),
    ("perturbed_benign", "Perturbed benign texts", False),
)


def render(evaluation: dict, verdict: dict | None) -> str:
    """Returns the report as one HTML page; the same arguments give the same page.

    Args:
        evaluation: Content of evaluation.json. Anything in it may be null or missing.
        verdict: What promotion decided; None before it did.
    """
    facts, decision = display.printable(evaluation), display.printable(verdict)
    models = {model: display.mapping(facts.get(model)) for model in MODELS}
    strategies = display.mappings(facts.get("strategies"))
    return _template().render(
        about={key: display.plain(facts.get(key)) for key in ("lang", "seed", "budget", "attack_set_sha256")}
        | {key: display.count(facts.get(key)) for key in ("n_toxic", "n_benign")},
        verdict=_verdict(decision, models),
        marks={model: charts.mark(model) for model in MODELS},
        figures=[_figure(models, *figure) for figure in FIGURES],
        clean=_clean_texts(models),
        clear={"ms": f"{CLEAR_MS:g}", "share": f"{100 * CLEAR_SHARE:g}%"},
        comparisons=[
            _comparison(strategies, "Toxic texts: share that got past the filter", "evasion", MODELS),
            _comparison(
                strategies, "Benign texts after the same strategies: share that was flagged", "false alarms",
                ("champion_fpr", "challenger_fpr"),
            ),
        ],
        histograms=[_population(models, *population) for population in POPULATIONS],
        roc=_roc(models),
        confusions={model: _confusion(models[model]) for model in MODELS},
        # From the argument itself: an example shows the characters that everything else has been rid of.
        examples=[_example(example) for example in display.mappings(evaluation.get("examples"))],
        threshold=display.figure(display.number(models["challenger"].get("threshold")), "score"),
        stages=_stages(display.mapping(display.mapping(decision).get("seconds"))),
    )  # fmt: skip


@functools.cache
def _template() -> Template:
    loader = FileSystemLoader(Path(__file__).parent)
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("report.html")


def _verdict(verdict: Any, models: Mapping[str, Mapping]) -> dict[str, Any]:  # noqa: ANN401
    """State, versions, reasons (failed first) and gates (failed first)."""
    given = display.mapping(verdict)
    gates = sorted(display.mappings(given.get("gates")), key=lambda gate: gate.get("passed") is True)
    reasons = {
        passed: [str(g["reason"]) for g in gates if g.get("reason") and (g.get("passed") is True) == passed]
        for passed in (False, True)
    }
    told = {*reasons[False], *reasons[True]}
    others = given.get("reasons") if isinstance(given.get("reasons"), list) else []
    versions = {model: display.plain(given.get(f"{model}_version") or models[model].get("version")) for model in MODELS}
    return {
        "state": "undecided" if verdict is None else _state(given),
        "generation": given.get("generation"),
        "versions": versions,
        "base_models": {model: display.plain(models[model].get("base_model")) for model in MODELS},
        "failed": reasons[False],
        "others": [str(reason) for reason in others if reason and str(reason) not in told],
        "passed": reasons[True],
        "gates": [_gate(gate) for gate in gates],
    }


def _state(verdict: Mapping[str, Any]) -> str:
    """Undecided where the gates passed and a rollout has still to say."""
    if verdict.get("passed") is True and verdict.get("promoted") is None:
        return "undecided"
    return "promoted" if verdict.get("promoted") is True else "refused"


def _gate(gate: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the gate table, to four places: three would show a near miss as a tie."""
    key = display.plain(gate.get("gate"))
    values = {name: display.number(gate.get(name)) for name in (*MODELS, "limit")}
    shown = {name: display.NOT_MEASURED if value is None else f"{value:.4f}" for name, value in values.items()}
    names = {known: name for known, name, _, _ in FIGURES}
    return shown | {
        "key": key,
        "name": names.get(key, key),
        "rule": display.plain(gate.get("rule")),
        "limit": "none: a figure is missing" if values["limit"] is None else shown["limit"],
        "passed": gate.get("passed") is True,
    }


def _figure(models: Mapping[str, Mapping], key: str, name: str, better: str, unit: str) -> dict[str, Any]:
    """A row of the key figures."""
    rates = {model: display.rate(models[model].get(key)) for model in MODELS}
    sides = {}
    for model, rate in rates.items():
        n = rate.n if unit == "share" else None
        if key in ("clean_f1", "clean_auroc", "clean_precision", "clean_recall"):
            n = _denominator(models[model], key)
        sides[model] = {"value": display.figure(rate.rate, unit), "interval": display.interval(rate), "n": n}
    label = f"{name}: " + ", ".join(f"{model} {sides[model]['value']}" for model in MODELS)
    return {
        "name": name,
        "better": better,
        "sides": sides,
        "change": _change(rates["champion"], rates["challenger"], better, unit),
        "chart": None if unit == "ms" else charts.rate_pair(rates["champion"], rates["challenger"], 1.0, label),
    }


def _denominator(model: Mapping[str, Any], key: str) -> int | None:
    """How many clean texts a score rests on, from the confusion matrix: flagged for precision, toxic for recall."""
    rows = _matrix(model)
    if rows is None:
        return None
    (tn, fp), (fn, tp) = rows
    return {"clean_precision": fp + tp, "clean_recall": fn + tp}.get(key, tn + fp + fn + tp)


def _clean_texts(models: Mapping[str, Mapping]) -> dict[str, Any] | None:
    """How many untouched test texts there were, and whether these are few; None if neither model was measured."""
    rows = _matrix(models["challenger"]) or _matrix(models["champion"])
    if rows is None:
        return None
    n_benign, n_toxic = map(sum, rows)
    n = n_benign + n_toxic
    counts = {"n": f"{n:,}", "n_toxic": f"{n_toxic:,}", "n_benign": f"{n_benign:,}"}
    return counts | {"few": n < FEW_TEXTS, "step": f"{100 / n:.1f}" if n > 0 else None}


def _change(old: Rate, new: Rate, better: str, unit: str) -> dict[str, str] | None:
    """By how much the challenger differs and whether that is for the better; None if one was not measured."""
    if old.rate is None or new.rate is None:
        return None
    difference = new.rate - old.rate
    size = {"share": f"{100 * difference:+.1f} points", "ms": f"{difference:+.1f} ms", "score": f"{difference:+.3f}"}
    if float(size[unit].split()[0]) == 0:
        return {"text": "no change", "kind": "same", "note": ""}
    if unit == "ms" and abs(difference) < max(CLEAR_MS, CLEAR_SHARE * abs(old.rate)):
        return {"text": size[unit].replace("-", "−"), "kind": "same", "note": "no clear difference"}
    kind = "better" if (difference > 0) == (better == "higher") else "worse"
    bounds = (old.low, old.high, new.low, new.high)
    overlap = None not in bounds and old.low <= new.high and new.low <= old.high
    return {"text": size[unit].replace("-", "−"), "kind": kind, "note": "intervals overlap" if overlap else ""}


def _comparison(strategies: list[Mapping], title: str, what: str, keys: tuple[str, str]) -> dict[str, Any]:
    """Rates per strategy, seen and held-out apart, those that are worst for the challenger first."""
    rows = []
    for given in strategies:
        old, new = display.rate(given.get(keys[0])), display.rate(given.get(keys[1]))
        name = display.plain(given.get("strategy"))
        rows.append((given.get("held_out") is True, -1.0 if new.rate is None else new.rate, name, given, old, new))
    end = charts.axis_end(rate for row in rows for rate in row[4:])
    groups = []
    for held_out, title_of_group in ((False, "Seen in training"), (True, "Held out: never trained on")):
        chosen = sorted((row for row in rows if row[0] is held_out), key=lambda row: (-row[1], row[2]))
        groups.append({"title": title_of_group, "rows": [_strategy(*row[2:], end=end, what=what) for row in chosen]})
    axis = {"axis": charts.rate_axis(end), "end": f"{100 * end:g}%"}
    return axis | {"title": title, "what": what, "groups": groups, "has_rows": bool(rows)}


def _strategy(name: str, given: Mapping[str, Any], old: Rate, new: Rate, *, end: float, what: str) -> dict[str, Any]:
    sides = {
        model: {"value": display.figure(rate.rate, "share"), "interval": display.interval(rate), "n": rate.n or 0}
        for model, rate in zip(MODELS, (old, new), strict=True)
    }
    label = f"{name}, {what}: " + ", ".join(
        f"{model} {side['value']} of {side['n']} texts" for model, side in sides.items()
    )
    family = display.plain(given.get("family"))
    undone = display.figure(display.rate(given.get("undone")).rate, "share")
    chart = charts.rate_pair(old, new, end, label)
    return {"name": name, "family": family, "undone": undone, "sides": sides, "chart": chart}


def _population(models: Mapping[str, Mapping], key: str, name: str, toxic: bool) -> dict[str, Any]:
    """The histograms of one kind of text, at one scale for both models."""
    data = {}
    for model in MODELS:
        given = display.mapping(models[model].get("histogram"))
        counts, edges = display.numbers(given.get(key)), display.numbers(given.get("edges"))
        if counts and len(edges) == len(counts) + 1 and sum(counts) > 0:
            data[model] = (counts, edges)
    peak = max((max(counts) for counts, _ in data.values()), default=0.0)
    pictures = {}
    for model, (counts, edges) in data.items():
        threshold = display.number(models[model].get("threshold"))
        fullest = counts.index(max(counts))
        label = (
            f"{name}, scores by {model}: {sum(counts):.0f} texts, most between {edges[fullest]:g} and "
            f"{edges[fullest + 1]:g}; threshold {display.figure(threshold, 'score')}"
        )
        picture = charts.histogram(
            counts, edges, threshold=threshold, peak=peak, model=model, toxic=toxic, label=label
        )  # fmt: skip
        pictures[model] = {"chart": picture, "n": f"{sum(counts):,.0f}"}
    wrong = "below the threshold: missed" if toxic else "from the threshold on: false alarm"
    return {"name": name, "wrong": wrong, "peak": f"{peak:,.0f}", "pictures": pictures}


def _matrix(model: Mapping[str, Any]) -> list[list[int]] | None:
    """[[tn, fp], [fn, tp]] if that is what the model has."""
    given = model.get("confusion")
    rows = [display.numbers(row) for row in given] if isinstance(given, list | tuple) else []
    return [[int(cell) for cell in row] for row in rows] if [len(row) for row in rows] == [2, 2] else None


def _confusion(model: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """Rows of the confusion matrix, each cell with its share of the row; the right verdict is on the diagonal."""
    rows = _matrix(model)
    if rows is None:
        return None
    shown = []
    for index, (gold, row) in enumerate(zip(("benign", "toxic"), rows, strict=True)):
        shares = [cell / sum(row) if sum(row) else None for cell in row]
        cells = [
            {
                "n": f"{cell:,}",
                "share": display.figure(share, "share"),
                "depth": f"{40 * (share or 0):.0f}%",
                "right": at == index,
            }
            for at, (cell, share) in enumerate(zip(row, shares, strict=True))
        ]
        shown.append({"gold": gold, "cells": cells})
    return shown


def _roc(models: Mapping[str, Mapping]) -> Markup | None:
    """Both curves, with the point each model works at; None if neither was measured."""
    curves = []
    for model in MODELS:
        given, rows = display.mapping(models[model].get("roc")), _matrix(models[model])
        points = list(zip(display.numbers(given.get("fpr")), display.numbers(given.get("tpr")), strict=False))
        works_at = (rows[0][1] / sum(rows[0]), rows[1][1] / sum(rows[1])) if rows and all(map(sum, rows)) else None
        curves.append((model, points, works_at))
    if not any(points for _, points, _ in curves):
        return None
    areas = [f"{model} {display.figure(display.number(models[model].get('clean_auroc')), 'score')}" for model in MODELS]
    return charts.roc(curves, label="ROC curves on clean test texts; area under the curve: " + ", ".join(areas))


def _example(example: Mapping[str, Any]) -> dict[str, Any]:
    original, perturbed = (str(example.get(key) or "") for key in ("original", "perturbed"))
    return {
        "strategy": display.plain(display.printable(example.get("strategy"))),
        "held_out": example.get("held_out") is True,
        "original": display.visible(original),
        "perturbed": display.changes(original, perturbed),
        "length": f"{len(perturbed):,}",
        "width": min(max(len(perturbed), 4), 60),
        "before": display.figure(display.number(example.get("score_before")), "score"),
        "after": display.figure(display.number(example.get("score_after")), "score"),
    }


def _stages(seconds: Mapping[str, Any]) -> dict[str, Any] | None:
    """Bars of the stages in the order given; None if no stage was timed."""
    timed = [(str(name), value) for name, given in seconds.items() if (value := display.number(given)) is not None]
    if not timed:
        return None
    longest = max(value for _, value in timed)
    rows = [
        {"name": name, "time": display.duration(value), "bar": charts.bar(value / longest if longest else 0)}
        for name, value in timed
    ]
    return {"rows": rows, "total": display.duration(sum(value for _, value in timed))}
