"""A battle as one HTML page that needs no other file and no network.

The texts in it come from attackers: the template escapes everything, and characters that are invisible or change the
reading direction are shown by their names. A figure that was not measured is shown as "not measured", never drawn as 0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from content_arena.components.attack_generation.outcomes import counting, got_past, judged, toxic_caught
from content_arena.components.attack_generation.reach import reached
from content_arena.components.attack_generation.searched import made_with
from content_arena.components.attack_generation.settings import LADDER, VALIDATION
from content_arena.components.evaluation import battle_figures, charts, plots
from content_arena.components.evaluation.battle_figures import FamilyFigures, StrategyFigures
from content_arena.components.shared.figures import NOT_MEASURED, Rate
from content_arena.components.shared.pages import display
from content_arena.components.shared.pages.templates import template
from content_arena.components.shared.text.meaning import described

#: Attacks that are shown: of one strategy, and in all.
_OF_A_STRATEGY, _EXAMPLES = 3, 24
#: What a part of the template is filled with.
Context = dict[str, Any]


@dataclass(frozen=True)
class About:
    """What a battle was.

    Attributes:
        victim: The filter, without a login.
        search: How the budget was spent.
        budget: Queries for each text, or for each text and strategy of the ladder.
        seed: Of everything random.
        attack_set_sha256: Hash of the attack set.
        texts_per_second: Texts that the filter was asked about, per second of the battle; None if it is not known.
        split: Which texts were attacked: validation, or all, training texts among them.
        refused: Attacks that broke a constraint and were not sent.
        meaning: Numbers of texts in other words, see
            :func:`content_arena.components.shared.text.meaning.described`.
        canonicalises: Whether the filter is known to canonicalise a text; if not, all strategies count.
    """

    victim: str
    search: str
    budget: int
    seed: int
    attack_set_sha256: str
    texts_per_second: float | None
    refused: int
    split: str = VALIDATION
    meaning: Mapping[str, int] = field(default_factory=dict)
    canonicalises: bool = True


def render(about: About, attacks: pd.DataFrame, held_out: Collection[str] = ()) -> str:
    """Returns the page; the same arguments give the same page.

    Args:
        about: What the battle was.
        attacks: Rows of Attack, not judged yet; those on other texts than the battle was on do not count.
        held_out: Names of the strategies that are held out of training.
    """
    attacks = counting(attacks, about.split)
    together = battle_figures.of_battle_together([attacks], canonicalises=about.canonicalises)
    by_strategy = battle_figures.of_battle(attacks)
    end = charts.axis_end([together.evasion, *(figures.evasion for figures in by_strategy.values())])
    reaching = set(reached(attacks, canonicalises=about.canonicalises)["strategy"])
    families = battle_figures.of_families([attacks], canonicalises=about.canonicalises)
    kinds = attacks.groupby("strategy")["family"].first().to_dict()
    worst_first = sorted(by_strategy, key=lambda name: (-(by_strategy[name].evasion.rate or 0.0), name))
    spoken = ", ".join(f"{share:.1%} with {queries}" for queries, share in together.by_budget)
    return template(Path(__file__).parent, "battle.html").render(
        about=display.printable(about),
        meaning=described(about.meaning),
        is_search=about.search != LADDER,
        pace=NOT_MEASURED if about.texts_per_second is None else f"{about.texts_per_second:,.0f}",
        evasion=_rate(together.evasion),
        queries=_number(together.queries),
        edited=display.figure(together.edit_share, "share"),
        curve=plots.curves([plots.Line("evasion", together.by_budget)], f"Evasion by budget: {spoken}"),
        axis=charts.rate_axis(end),
        strategies=[
            _row(name, by_strategy[name], end)
            | {"family": str(kinds[name]), "held_out": name in held_out, "counts": name in reaching}
            for name in worst_first
        ],
        families=[_row(name, figures, end) for name, figures in families.items()],
        made_of=_made_of(attacks).most_common(),
        examples=[_example(row) for row in _examples(attacks)],
    )


def _row(name: str, figures: StrategyFigures | FamilyFigures, end: float) -> Context:
    spoken = f"{name}: evasion {display.figure(figures.evasion.rate, 'share')} {display.interval(figures.evasion)}"
    return {
        "name": display.printable(name),
        "picture": charts.rate(figures.evasion, end, spoken),
        "evasion": _rate(figures.evasion),
        "flagged": _rate(figures.benign_flagged),
        "queries": _number(figures.queries),
        # Where nothing got past, nothing was changed.
        "edited": "" if figures.edit_share is None else display.figure(figures.edit_share, "share"),
    }


def _past(attacks: pd.DataFrame) -> pd.DataFrame:
    """The attacks on toxic texts that got past and can be read."""
    caught = toxic_caught(judged(attacks))
    return caught[got_past(caught)]


def _made_of(attacks: pd.DataFrame) -> Counter[str]:
    """In how many of a search's successes a strategy has a part, by its name."""
    return Counter(name for params in _past(attacks)["params"] for name in set(made_with(params)))


def _examples(attacks: pd.DataFrame) -> Sequence[Mapping[Hashable, Any]]:
    """Some attacks that got past, of every strategy some, those with the lowest scores first."""
    past = _past(attacks).sort_values(["score_after", "attack_id"])
    place = past.groupby("strategy", sort=False).cumcount()
    most = _EXAMPLES if past["strategy"].nunique() == 1 else _OF_A_STRATEGY
    chosen = past.assign(_place=place)[place < most].sort_values(["_place", "strategy"], kind="stable")
    return chosen.head(_EXAMPLES).to_dict("records")


def _example(row: Mapping[Hashable, Any]) -> Context:
    original, perturbed = str(row["original_text"]), str(row["perturbed_text"])
    return {
        "strategy": display.printable(" + ".join(made_with(row["params"])) or str(row["strategy"])),
        "before": display.figure(row["score_before"], "score"),
        "after": display.figure(row["score_after"], "score"),
        "queries": row["n_queries"],
        "original": display.visible(original),
        "perturbed": display.changes(original, perturbed),
    }


def _rate(rate: Rate) -> Mapping[str, str]:
    return {"value": display.figure(rate.rate, "share"), "interval": display.interval(rate), "n": f"{rate.n:,}"}


def _number(value: float | None) -> str:
    return NOT_MEASURED if value is None else f"{value:.1f}"
