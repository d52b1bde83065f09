"""The regression suite: attacks that got past a version once, kept and replayed on every later challenger.

Every run that fights a battle against a version, or compares two, keeps some of the attacks that got past, on texts
that nothing is trained on. A later comparison takes those of all earlier runs together, the newest first. Both are
bounded, and what is left out does not depend on chance, order or machine:

- a run keeps at most :data:`PER_RUN` attacks of a stage, as many of each strategy as of any other as far as there are
  any, and of a strategy those with the smallest hash;
- a suite has at most :data:`MOST` attacks, those of the newest runs; the same attacked text counts once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from content_arena.components.attack_generation.outcomes import got_past, judged, toxic_caught
from content_arena.components.attack_generation.reach import reached
from content_arena.components.attack_generation.victims import Victim
from content_arena.components.shared import records

PER_RUN, MOST = 200, 1_000


@dataclass(frozen=True)
class Suite:
    """Attacks that once got past a version.

    Attributes:
        attacks: Rows of Attack, judged by the version that they got past; the newest first.
        n_runs: How many runs they come from.
    """

    attacks: pd.DataFrame
    n_runs: int

    def __len__(self) -> int:
        return len(self.attacks)

    @property
    def sha256(self) -> str:
        """SHA-256 (hex) of the attacked texts, whatever their order: suites with the same hash ask the same."""
        return records.digest(self.attacks.sort_values("perturbed_text"), ["base_id", "perturbed_text"])

    def past(self, victim: Victim) -> npt.NDArray[np.bool_]:
        """Which of the attacks get past a filter now, bool[n]."""
        if not len(self):
            return np.zeros(0, dtype=bool)
        return np.asarray(victim.score(self.attacks["perturbed_text"].tolist()) < victim.threshold, dtype=bool)


def worth_keeping(attacks: pd.DataFrame) -> pd.DataFrame:
    """The attacks of a battle that a run keeps, in the order of their strategies and hashes.

    Args:
        attacks: Rows of Attack, not judged yet.

    Returns:
        Readable successes on toxic validation and test texts, :data:`PER_RUN` at most.
    """
    caught = toxic_caught(judged(reached(attacks[attacks["split"] != "train"])))
    found = caught[got_past(caught)].drop_duplicates("perturbed_text")
    hashed = found["perturbed_text"].map(records.sha256_of)
    ordered = found.assign(_hash=hashed).sort_values(["strategy", "_hash"])
    # The first of every strategy, then the second of every strategy, and so on.
    turn = ordered.groupby("strategy").cumcount()
    chosen = ordered.assign(_turn=turn).sort_values(["_turn", "_hash"]).head(PER_RUN)
    return chosen.sort_values(["strategy", "_hash"])[list(records.Attack.to_schema().columns)].reset_index(drop=True)


def assemble(kept: Iterable[tuple[str, pd.DataFrame]], trained_on: Collection[str] = ()) -> Suite:
    """The suite from what runs kept.

    Args:
        kept: Pairs of a run's name and rows of Attack, the newest first; no more are taken than it takes to fill it.
        trained_on: Originals (base_id) that are left out: in this corpus they are training texts.
    """
    parts: list[pd.DataFrame] = []
    runs: set[str] = set()
    n_found = 0
    for run, table in kept:
        usable = table[~table["base_id"].isin(list(trained_on))]
        if len(usable):
            parts.append(usable)
            runs.add(run)
            n_found = len(pd.concat(parts).drop_duplicates("perturbed_text"))
        if n_found >= MOST:
            break
    joined = pd.concat(parts) if parts else records.Attack.empty()
    return Suite(joined.drop_duplicates("perturbed_text").head(MOST).reset_index(drop=True), len(runs))
