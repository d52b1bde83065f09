"""A comparison of several filters as one HTML page that needs no other file and no network. It shows no texts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from content_arena.components.evaluation import plots
from content_arena.components.evaluation.plots import Line, Point
from content_arena.components.evaluation.side_by_side_record import Difference, Pair, Side, SideBySide
from content_arena.components.evaluation.statistics import Discordance
from content_arena.components.shared.figures import NOT_MEASURED, Rate
from content_arena.components.shared.pages import display
from content_arena.components.shared.pages.templates import template

#: What a part of the template is filled with.
Context = dict[str, Any]


def render(found: SideBySide) -> str:
    """Returns the page; the same comparison gives the same page."""
    facts = display.printable(found)
    spoken = "; ".join(
        f"{side.name}: evasion {display.figure(side.evasion.rate, 'share')}, "
        f"benign flagged {display.figure(side.benign_flagged.rate, 'share')}"
        for side in facts.sides
    )
    budgets = "; ".join(
        f"{side.name}: " + ", ".join(f"{share:.1%} with {n}" for n, share in side.by_budget) for side in facts.sides
    )
    return template(Path(__file__).parent, "side_by_side.html").render(
        about=facts,
        left_out=", ".join(facts.left_out),
        sides=[_side(side) for side in facts.sides],
        trade_off=plots.trade_off(
            [Point(side.name, side.benign_flagged, side.evasion) for side in facts.sides],
            "benign texts flagged after the same attacks",
            "evasion",
            spoken,
        ),
        curves=plots.curves([Line(side.name, side.by_budget) for side in facts.sides], f"Evasion by budget. {budgets}"),
        pairs=[_pair(pair) for pair in facts.pairs],
        strategies=[
            {
                "name": row.strategy,
                "family": row.family,
                "counts": row.counts,
                "cells": [
                    {"evasion": _rate(row.evasion[side.name]), "flagged": _rate(row.benign_flagged[side.name])}
                    for side in facts.sides
                ],
            }
            for row in facts.strategies
        ],
    )


def points(difference: Difference | None) -> str:
    """A difference of two shares in points, with its interval."""
    if difference is None:
        return NOT_MEASURED
    middle, low, high = (f"{100 * value:+.1f}".replace("-", "−") for value in vars(difference).values())
    return f"{middle} points ({low} to {high})"


def p_value(tested: Discordance) -> str:
    """A p-value to three places."""
    return "p < 0.001" if tested.p_value < 0.001 else f"p = {tested.p_value:.3f}"


def _side(side: Side) -> Context:
    pace = NOT_MEASURED if side.texts_per_second is None else f"{side.texts_per_second:,.0f}"
    return {
        "name": side.name,
        "given": side.given,
        "version": side.version,
        "threshold": display.figure(side.threshold, "score"),
        "rates": [_rate(rate) for rate in (side.evasion, side.benign_flagged, side.caught, side.clean_flagged)],
        "queries": NOT_MEASURED if side.queries is None else f"{side.queries:.1f}",
        "n_queries": f"{side.n_queries:,}",
        "pace": pace,
    }


def _pair(pair: Pair) -> Context:
    def tested(found: Discordance) -> Mapping[str, str]:
        counts = f"{pair.first} alone {found.only_first}, {pair.second} alone {found.only_second}, of {found.n:,}"
        return {"counts": counts, "p": p_value(found)}

    return {
        "names": f"{pair.first} − {pair.second}",
        "evasion": points(pair.evasion),
        "flagged": points(pair.benign_flagged),
        "tests": [tested(each) for each in (pair.missed, pair.alarmed, pair.wrong)],
    }


def _rate(rate: Rate) -> Mapping[str, str]:
    return {"value": display.figure(rate.rate, "share"), "interval": display.interval(rate), "n": f"{rate.n:,}"}
