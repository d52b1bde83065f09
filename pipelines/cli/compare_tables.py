"""The tables of ``arena compare``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from content_arena.components.shared.figures import NOT_MEASURED, Rate
from content_arena.components.shared.pages import display

if TYPE_CHECKING:
    from content_arena.components.evaluation.side_by_side_record import Difference, Pair, Side, SideBySide
    from content_arena.components.evaluation.statistics import Discordance


def sides(found: SideBySide) -> Table:
    """A column for each filter, a row for each figure."""
    left_out = f" In no figure: {', '.join(found.left_out)}." if found.left_out else ""
    table = Table(
        title=f"{found.n_toxic} toxic and {found.n_benign} benign texts, {len(found.strategies)} strategies, budget "
        f"{found.budget}, seed {found.seed}",
        title_justify="left",
        caption=f"Evasion: of attacks on toxic texts that the filter caught unchanged; 95 %, over texts.{left_out}",
    )
    table.add_column("")
    for side in found.sides:
        table.add_column(side.name, justify="right", overflow="fold")
    rows: dict[str, Callable[[Side], str]] = {
        "filter": lambda side: display.printable(side.given),
        "version": lambda side: display.printable(side.version),
        "evasion": lambda side: _rate(side.evasion),
        "benign flagged, attacked": lambda side: _rate(side.benign_flagged),
        "toxic caught, unchanged": lambda side: _rate(side.caught),
        "benign flagged, unchanged": lambda side: _rate(side.clean_flagged),
        "queries an attack": lambda side: NOT_MEASURED if side.queries is None else f"{side.queries:.1f}",
        "texts asked about": lambda side: f"{side.n_queries:,}",
        "texts/s": lambda side: NOT_MEASURED if side.texts_per_second is None else f"{side.texts_per_second:,.0f}",
    }
    for name, cell in rows.items():
        table.add_row(name, *(Text(cell(side)) for side in found.sides))
    return table


def pairs(found: SideBySide) -> Table:
    """A column for every two filters, a row for each comparison."""
    more = "" if len(found.pairs) < 2 else " The p-values are not corrected for the number of pairs."
    table = Table(
        title="Two at a time: difference with 95 % interval; texts on which just one is wrong, McNemar's exact test",
        title_justify="left",
        caption=f"missed: not flagged as it is, or not after an attack.{more}",
    )
    table.add_column("")
    for pair in found.pairs:
        table.add_column(f"{pair.first} - {pair.second}", justify="right", overflow="fold")
    rows: dict[str, Callable[[Pair], str]] = {
        "evasion, points": lambda pair: _difference(pair.evasion),
        "benign flagged, points": lambda pair: _difference(pair.benign_flagged),
        "toxic texts missed": lambda pair: _tested(pair, pair.missed),
        "benign texts flagged": lambda pair: _tested(pair, pair.alarmed),
        "wrong, unchanged": lambda pair: _tested(pair, pair.wrong),
    }
    for name, cell in rows.items():
        table.add_row(name, *(cell(pair) for pair in found.pairs))
    return table


def _rate(rate: Rate) -> str:
    interval = display.interval(rate)
    return display.figure(rate.rate, "share") + (f"\n{interval}, n {rate.n:,}" if interval else "")


def _difference(found: Difference | None) -> str:
    if found is None:
        return NOT_MEASURED
    return f"{100 * found.difference:+.1f} ({100 * found.low:+.1f} to {100 * found.high:+.1f})"


def _tested(pair: Pair, found: Discordance) -> str:
    p = "p < 0.001" if found.p_value < 0.001 else f"p = {found.p_value:.3f}"
    return f"{pair.first} {found.only_first}, {pair.second} {found.only_second} of {found.n:,}; {p}"
