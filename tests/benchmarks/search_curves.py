"""Evasion against the budget, search by search, on one filter and one set of toxic texts.

Every search gets the same texts and strategies. A search plans with its budget, so each budget is a run of its own.
What the filter answered is remembered from run to run: it changes no count, since queries are counted at each text's
door.

    python -m tests.benchmarks.search_curves --bundle FOLDER --corpus corpus.parquet --picture curves.svg
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import pandas as pd

from content_arena.components.attack_generation import battle, searched, strategies
from content_arena.components.attack_generation.outcomes import got_past, judged, toxic_caught
from content_arena.components.attack_generation.searched import Plan
from content_arena.components.attack_generation.settings import SEARCHES
from content_arena.components.attack_generation.victims import CachedVictim
from content_arena.components.evaluation import metrics, plots
from content_arena.components.shared import records
from content_arena.components.shared.figures import Rate
from content_arena.components.shared.scoring import bundle as bundles
from content_arena.components.shared.scoring.filter import ContentFilter

BUDGETS = (5, 10, 20, 50)
_STYLE = (
    "<style>text{font:12px system-ui,sans-serif;fill:#56606e}.grid{stroke:#dce1e8;fill:none}"
    ".line{fill:none;stroke:currentColor;stroke-width:2.5}.knot,text.end{fill:currentColor}text.end{font-weight:700}"
    ".s0{color:#8a94a3}.s1{color:#6b6a00}.s2{color:#0067a5}.s3{color:#8b2f8b}.s4{color:#b35806}</style>"
)


@dataclass(frozen=True)
class Run:
    """What one search did with one budget and one seed.

    Attributes:
        search: Its name.
        budget: Queries for each text.
        evasion: With its interval over whole texts.
        queries: Mean number of queries of a text that was caught.
        edit_share: Mean share of the text that the successes changed; None without one.
        refused: Attacks that were made and not sent, because they broke a constraint.
    """

    search: str
    budget: int
    evasion: Rate
    queries: float
    edit_share: float | None
    refused: int


def runs(
    victim: CachedVictim, texts: pd.DataFrame, searches: Sequence[str], budgets: Sequence[int],
    *, seeds: Sequence[int] = (0,), max_edit_share: float = 1.0,
) -> list[Run]:  # fmt: skip
    """Every search with every budget and seed.

    Args:
        victim: Remembers its answers.
        texts: Rows of Sample.
        searches: Their names.
        budgets: Queries for each text.
        seeds: Of the searches.
        max_edit_share: Largest share of a text that may change.
    """
    found = []
    for search in searches:
        for budget in budgets:
            for seed in seeds:
                plan = Plan(search, budget, max_edit_share, seed)
                result = searched.search(texts, victim, strategies.select("en"), plan)
                attacks = judged(result.battle.attacks)
                caught = toxic_caught(attacks)
                past = caught[got_past(caught)]
                found.append(
                    Run(
                        search,
                        budget,
                        metrics.evasion(attacks),
                        float(caught["n_queries"].mean()),
                        float(past["pct_changed"].mean()) if len(past) else None,
                        result.n_refused,
                    )
                )
    return found


def table(found: Sequence[Run]) -> str:
    """A Markdown table, a search a row and a budget a column: evasion and mean queries, over the seeds."""
    budgets = sorted({run.budget for run in found})
    lines = [
        "| search | " + " | ".join(f"{budget} queries" for budget in budgets) + " |",
        "|---" * (len(budgets) + 1) + "|",
    ]
    for search in dict.fromkeys(run.search for run in found):
        cells = []
        for budget in budgets:
            chosen = [run for run in found if (run.search, run.budget) == (search, budget)]
            shares = [run.evasion.rate or 0.0 for run in chosen]
            spread = f" ({min(shares):.0%} to {max(shares):.0%})" if len(shares) > 1 else ""
            edits = [run.edit_share for run in chosen if run.edit_share is not None]
            edited = f"{mean(edits):.0%} edited, " if edits else ""
            queries, refused = mean(run.queries for run in chosen), mean(run.refused for run in chosen)
            cells.append(f"{mean(shares):.0%}{spread}, {queries:.1f} asked, {edited}{refused:,.0f} refused")
        lines.append(f"| {search} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def picture(found: Sequence[Run]) -> str:
    """The curves as an SVG file, mean evasion over the seeds against the budget."""
    lines = []
    for search in dict.fromkeys(run.search for run in found):
        mine = [run for run in found if run.search == search]
        points = [
            (budget, mean(run.evasion.rate or 0.0 for run in mine if run.budget == budget))
            for budget in sorted({run.budget for run in mine})
        ]
        lines.append(plots.Line(search, points))
    drawn = str(plots.curves(lines, "Evasion against the budget, search by search"))
    head, body = drawn.split(">", 1)
    return f'{head} xmlns="http://www.w3.org/2000/svg">{_STYLE}{body}\n'


def measure(folder: Path, corpus: Path, given: argparse.Namespace) -> list[Run]:
    """The runs that the command line asks for, on test texts of a corpus.

    Args:
        folder: The filter's bundle.
        corpus: Parquet of Sample.
        given: The command line.
    """
    drawn = battle.sample_texts(records.read(records.Sample, corpus), "test", given.texts, seed=0)
    victim = CachedVictim(ContentFilter(bundles.load(folder)))
    toxic = drawn[drawn["label"] == "toxic"]
    return runs(
        victim, toxic, given.searches, given.budgets, seeds=range(given.seeds), max_edit_share=given.max_edit_share
    )


def run(quick: bool = False) -> None:
    """Measures on a filter that is trained for it, and prints the table.

    Args:
        quick: Fewer texts and budgets.
    """
    main(["--texts", "20", "--budgets", "5", "20"] if quick else [])


def main(arguments: list[str] | None = None) -> None:
    """Runs what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.search_curves", description=__doc__)
    parser.add_argument("--bundle", type=Path, help="the filter; one is trained for an epoch if it is not given")
    parser.add_argument("--corpus", type=Path, help="Parquet of samples whose test split is attacked")
    parser.add_argument("--texts", type=int, default=100)
    parser.add_argument("--budgets", type=int, nargs="+", default=BUDGETS)
    parser.add_argument("--searches", nargs="+", choices=SEARCHES, default=SEARCHES)
    parser.add_argument("--seeds", type=int, default=1, help="how many, from 0")
    parser.add_argument("--max-edit-share", type=float, default=1.0)
    parser.add_argument("--picture", type=Path, help="where an SVG file of the curves goes")
    given = parser.parse_args(arguments)
    if (given.bundle is None) != (given.corpus is None):
        parser.error("--bundle and --corpus belong together")
    with tempfile.TemporaryDirectory() as made:
        if given.bundle is None:
            from tests.benchmarks.battle_throughput import make_bundle

            # In a process of its own: this one holds no torch and none of its threads.
            with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
                pool.submit(make_bundle, Path(made)).result()
        found = measure(given.bundle or Path(made) / "bundle", given.corpus or Path(made) / "corpus.parquet", given)
    print(f"Searches: {found[0].evasion.n} toxic test texts that the filter caught, {given.seeds} seeds")
    print(table(found))
    if given.picture:
        given.picture.write_text(picture(found), encoding="utf-8")


if __name__ == "__main__":
    main()
