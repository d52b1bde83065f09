"""Evaluation and verdict as one HTML page that needs no other file and no network.

The texts in it come from attackers: the template escapes everything, and characters that are invisible or change
the reading direction are shown by their names. A figure that was not measured is shown as "not measured", never drawn
as 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from markupsafe import Markup

from content_arena.components.evaluation import charts
from content_arena.components.evaluation.report_verdict import Context, Models, verdict_section
from content_arena.components.registry.verdict import PromotionVerdict
from content_arena.components.shared import figures
from content_arena.components.shared.evaluations.evaluation_record import Evaluation, Example, StrategyComparison
from content_arena.components.shared.evaluations.model_evaluation import ModelEvaluation
from content_arena.components.shared.figures import Figure, Measured, Rate, Unit
from content_arena.components.shared.pages import display
from content_arena.components.shared.pages.templates import template

MODELS = ("champion", "challenger")
#: A latency differs by up to this much from run to run: one hundred texts on a machine that other processes use too.
CLEAR_MS, CLEAR_SHARE = 1.0, 0.3
#: With fewer clean test texts than this, one text moves a figure by more than half a point.
FEW_TEXTS = 200
#: Headings of the strategies.
SEEN, HELD_OUT, UNDONE = "Seen in training", "Held out: never trained on", "Undone by the canonicaliser: in no mean"
#: How a change is shown, by the figure's unit: the factor, the decimals and the name of the unit.
_CHANGE_UNITS: Mapping[Unit, tuple[float, int, str]] = {
    "share": (100.0, 1, " points"),
    "ms": (1.0, 1, " ms"),
    "score": (1.0, 3, ""),
}

#: Field of the histogram, name, whether the texts are toxic.
POPULATIONS = (
    ("toxic", "Clean toxic texts", True),
    ("benign", "Clean benign texts", False),
    ("attacked_toxic", "Attacked toxic texts", True),
    ("perturbed_benign", "Perturbed benign texts", False),
)


def render(evaluation: Evaluation, verdict: PromotionVerdict | None) -> str:
    """Returns the report as one HTML page; the same arguments give the same page.

    Args:
        evaluation: What was measured.
        verdict: What promotion decided; None before it did.
    """
    facts, decision = display.printable(evaluation), display.printable(verdict)
    models = facts.models
    return template(Path(__file__).parent, "report.html").render(
        about={
            "lang": facts.lang,
            "seed": facts.seed,
            "budget": facts.budget,
            "attack_set_sha256": facts.attack_set_sha256,
            "n_toxic": f"{facts.n_toxic:,}",
            "n_benign": f"{facts.n_benign:,}",
            "guard": _guard(facts),
            "suite": facts.regressions,
            "held_out": ", ".join(facts.held_out) or "none",
            "held_out_reason": facts.held_out_reason,
            "undone": ", ".join(facts.undone) or "none",
            "n_undone": f"{len(facts.undone)} of {len(facts.strategies)}",
        },
        verdict=verdict_section(decision, models),
        marks={model: charts.mark(model) for model in MODELS},
        figures=[_figure(facts, figure) for figure in figures.FIGURES],
        clean=_clean_texts(models["challenger"]),
        clear={"ms": f"{CLEAR_MS:g}", "share": f"{100 * CLEAR_SHARE:g}%"},
        comparisons=_comparisons(facts.strategies),
        histograms=[_population(models, *population) for population in POPULATIONS],
        roc=_roc(models),
        confusions={name: _confusion(model) for name, model in models.items()},
        # From the argument itself: an example shows the characters that are replaced everywhere else.
        examples=[_example(example) for example in evaluation.examples],
        attributes=_attributes(models),
        threshold=display.figure(models["challenger"].threshold, "score"),
        stages=_stages(decision.seconds) if decision else None,
    )


def _guard(facts: Evaluation) -> Context | None:
    """The guard set; None if there is none."""
    guard = facts.guard
    if guard is None:
        return None
    return {"name": guard.name, "n": f"{guard.n_texts:,}", "n_toxic": f"{guard.n_toxic:,}", "sha256": guard.sha256}


def _figure(facts: Evaluation, figure: Figure) -> Context:
    """A row of the key figures."""
    models = facts.models
    n_guard = facts.guard.n_texts if facts.guard else None
    rates = {name: _as_rate(model.figures[figure.name]) for name, model in models.items()}
    sides = {
        name: {
            "value": display.figure(rate.rate, figure.unit),
            "interval": display.interval(rate),
            "n": rate.n if figure.is_rate else n_guard if figure.on_guard else _basis(models[name], figure),
        }
        for name, rate in rates.items()
    }
    label = f"{figure.label}: " + ", ".join(f"{model} {sides[model]['value']}" for model in MODELS)
    return {
        "name": figure.label,
        "better": figure.better,
        "sides": sides,
        "change": _change(rates["champion"], rates["challenger"], figure),
        "chart": None if figure.unit == "ms" else charts.rate_pair(rates["champion"], rates["challenger"], 1.0, label),
    }


def _as_rate(measured: Measured) -> Rate:
    """A plain number as a rate without an interval."""
    return measured if isinstance(measured, Rate) else Rate(measured)


def _basis(model: ModelEvaluation, figure: Figure) -> int | None:
    """How many clean texts a score rests on; None if it does not rest on clean texts."""
    (tn, fp), (fn, tp) = model.confusion
    return {"texts": tn + fp + fn + tp, "flagged": fp + tp, "toxic": fn + tp}.get(figure.basis or "")


def _clean_texts(model: ModelEvaluation) -> Context:
    """How many untouched test texts there were, and whether these are few."""
    n_benign, n_toxic = map(sum, model.confusion)
    n = n_benign + n_toxic
    counts = {"n": f"{n:,}", "n_toxic": f"{n_toxic:,}", "n_benign": f"{n_benign:,}"}
    return counts | {"few": n < FEW_TEXTS, "step": f"{100 / n:.1f}" if n else None}


def _attributes(models: Models) -> list[Context]:
    """A row for each attribute that either model scores."""
    names = sorted({name for model in models.values() for name in model.attributes})
    found = {name: [models[model].attributes.get(name) for model in MODELS] for name in names}
    return [
        {
            "name": name,
            "values": [display.figure(one.auroc if one else None, "score") for one in sides],
            "counts": next(f"{one.n_positive:,} of {one.n:,}" for one in sides if one),
        }
        for name, sides in found.items()
    ]


def _change(old: Rate, new: Rate, figure: Figure) -> dict[str, str] | None:
    """By how much the challenger differs and whether that is for the better; None if one was not measured."""
    if old.rate is None or new.rate is None:
        return None
    difference = new.rate - old.rate
    scale, decimals, unit = _CHANGE_UNITS[figure.unit]
    shown = round(scale * difference, decimals)
    if shown == 0:
        return {"text": "no change", "kind": "same", "note": ""}
    text = f"{shown:+.{decimals}f}{unit}".replace("-", "−")
    if figure.unit == "ms" and abs(difference) < max(CLEAR_MS, CLEAR_SHARE * abs(old.rate)):
        return {"text": text, "kind": "same", "note": "no clear difference"}
    kind = "better" if (difference > 0) == (figure.better == "higher") else "worse"
    return {"text": text, "kind": kind, "note": "intervals overlap" if old.overlaps(new) else ""}


def _comparisons(strategies: Iterable[StrategyComparison]) -> list[Context]:
    """Evasion and false alarms, strategy by strategy."""
    rows = list(strategies)
    return [
        _comparison(
            [(row, row.champion, row.challenger) for row in rows],
            "Toxic texts: share that got past the filter",
            "evasion",
        ),
        _comparison(
            [(row, row.champion_fpr, row.challenger_fpr) for row in rows],
            "Benign texts after the same strategies: share that was flagged",
            "false alarms",
        ),
    ]


def _comparison(rows: list[tuple[StrategyComparison, Rate, Rate]], title: str, what: str) -> Context:
    """Rates per strategy: seen, held out, undone; those that are worst for the challenger come first."""
    end = charts.axis_end(rate for _, old, new in rows for rate in (old, new))
    worst_first = sorted(rows, key=lambda row: (1.0 if row[2].rate is None else -row[2].rate, row[0].strategy))
    groups = []
    for group in (SEEN, HELD_OUT, UNDONE):
        chosen = [row for row in worst_first if _group(row[0]) == group]
        groups.append({"title": group, "rows": [_strategy(*row, end=end, what=what) for row in chosen]})
    axis = {"axis": charts.rate_axis(end), "end": f"{100 * end:g}%"}
    return axis | {"title": title, "what": what, "groups": groups, "has_rows": bool(rows)}


def _group(row: StrategyComparison) -> str:
    """Under which heading a strategy is shown."""
    if row.is_undone:
        return UNDONE
    return HELD_OUT if row.held_out else SEEN


def _strategy(row: StrategyComparison, old: Rate, new: Rate, *, end: float, what: str) -> Context:
    sides = {
        model: {"value": display.figure(rate.rate, "share"), "interval": display.interval(rate), "n": rate.n}
        for model, rate in zip(MODELS, (old, new), strict=True)
    }
    label = f"{row.strategy}, {what}: " + ", ".join(
        f"{model} {side['value']} of {side['n']} texts" for model, side in sides.items()
    )
    undone, restored = (display.figure(rate.rate, "share") for rate in (row.undone, row.restored))
    chart = charts.rate_pair(old, new, end, label)
    names = {"name": row.strategy, "family": row.family}
    return names | {"undone": undone, "restored": restored, "sides": sides, "chart": chart}


def _population(models: Models, key: str, name: str, toxic: bool) -> Context:
    """The histograms of one kind of text, at one scale for both models."""
    counts_of = {role: counts for role, model in models.items() if sum(counts := getattr(model.histogram, key)) > 0}
    peak = max((max(counts) for counts in counts_of.values()), default=0)
    pictures = {}
    for role, counts in counts_of.items():
        model, fullest = models[role], counts.index(max(counts))
        edges = model.histogram.edges
        label = (
            f"{name}, scores by {role}: {sum(counts)} texts, most between {edges[fullest]:g} and "
            f"{edges[fullest + 1]:g}; threshold {display.figure(model.threshold, 'score')}"
        )
        picture = charts.histogram(
            counts, edges, threshold=model.threshold, peak=peak, model=role, toxic=toxic, label=label
        )
        pictures[role] = {"chart": picture, "n": f"{sum(counts):,}"}
    wrong = "below the threshold: missed" if toxic else "from the threshold on: false alarm"
    return {"name": name, "wrong": wrong, "peak": f"{peak:,}", "pictures": pictures}


def _confusion(model: ModelEvaluation) -> list[Context]:
    """Rows of the confusion matrix, each cell with its share of the row; the right verdict is on the diagonal."""
    shown = []
    for index, (gold, row) in enumerate(zip(("benign", "toxic"), model.confusion, strict=True)):
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


def _roc(models: Models) -> Markup | None:
    """Both curves, with the point each model works at; None if neither was measured."""
    curves = []
    for name, model in models.items():
        (tn, fp), (fn, tp) = model.confusion
        works_at = (fp / (tn + fp), tp / (fn + tp)) if tn + fp and fn + tp else None
        curves.append((name, list(zip(model.roc.fpr, model.roc.tpr, strict=True)), works_at))
    if not any(points for _, points, _ in curves):
        return None
    areas = [
        f"{name} {display.figure(figures.value_of(model.figures['clean_auroc']), 'score')}"
        for name, model in models.items()
    ]
    return charts.roc(curves, label="ROC curves on clean test texts; area under the curve: " + ", ".join(areas))


def _example(example: Example) -> Context:
    return {
        "strategy": display.printable(example.strategy),
        "held_out": example.held_out,
        "original": display.visible(example.original),
        "perturbed": display.changes(example.original, example.perturbed),
        "length": f"{len(example.perturbed):,}",
        "width": min(max(len(example.perturbed), 4), 60),
        "before": display.figure(example.score_before, "score"),
        "after": display.figure(example.score_after, "score"),
    }


def _stages(seconds: Mapping[str, float]) -> Context | None:
    """Bars of the stages in the order given; None if no stage was timed."""
    if not seconds:
        return None
    longest = max(seconds.values())
    rows = [
        {"name": name, "time": display.duration(value), "bar": charts.bar(value / longest if longest else 0)}
        for name, value in seconds.items()
    ]
    return {"rows": rows, "total": display.duration(sum(seconds.values()))}
