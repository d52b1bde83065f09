"""The stage generate_attacks: a battle against the serving filter."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from content_arena.components.attack_generation import battle, strategies, victims
from content_arena.components.attack_generation.search import LadderSearch
from content_arena.components.shared import records
from content_arena.components.shared.errors import InputError
from content_arena.components.shared.stage import Progress, say, stage
from content_arena.components.shared.tracking import Tracking

STAGE = "generate_attacks"
#: Texts of each label attacked in validation, as a share of those attacked in training.
_VALIDATION_SHARE = 0.25


@stage(STAGE)
def generate_attacks(
    corpus_path: Path,
    attacks_path: Path,
    held_out_path: Path,
    *,
    victim: str,
    lang: str,
    pipeline_run: str,
    rounds: int = 3,
    texts_per_label: int = 300,
    seed: int = 0,
    held_out: Sequence[str] = strategies.HELD_OUT,
    tracking_uri: str | None = None,
) -> tuple[str, dict[str, float]]:
    """Attacks training and validation texts with the seen strategies, validation texts with the held-out ones.

    What the seen strategies yield may be trained on. The held-out battle shows how the filter meets the unknown; it
    goes nowhere near training. Test texts are left to the evaluation.

    Args:
        corpus_path: Parquet of Sample.
        attacks_path: Where to write the Attack records of the seen strategies.
        held_out_path: Where to write those of the held-out strategies.
        victim: See :func:`content_arena.components.attack_generation.victims.open_victim`.
        lang: ISO 639-1 code of the corpus.
        pipeline_run: Id of the pipeline run.
        rounds: Queries allowed for each (text, strategy).
        texts_per_label: Training texts of each label to attack.
        seed: The same seed gives the same attack set.
        held_out: Strategies that are judged only.
        tracking_uri: MLflow server; the environment's if None.

    Returns:
        SHA-256 (hex) over both attack sets, and the battle's figures.
    """
    search = LadderSearch(_at_least_one("rounds", rounds))
    corpus = records.read(records.Sample, corpus_path)
    seen, unseen = split_strategies(lang, held_out)
    n_validation = max(1, round(_at_least_one("texts_per_label", texts_per_label) * _VALIDATION_SHARE))
    train = battle.sample_texts(corpus, "train", texts_per_label, seed)
    validation = battle.sample_texts(corpus, "validation", n_validation, seed)
    opened = victims.open_victim(victim, tracking_uri)
    say(STAGE, f"attacking {victim} ({opened.version}): {len(train) + len(validation)} texts, {len(seen)} strategies")
    progress = Progress(STAGE, _expected_queries(len(train) + len(validation), len(seen), rounds), "queries at most")
    first = battle.fight(
        pd.concat([train, validation]), opened, seen, seed=seed, search=search, advance=progress.advance
    )
    records.write(records.Attack, first.attacks, attacks_path)
    if unseen:
        second = battle.fight(validation, opened, unseen, seed=seed, search=LadderSearch(rounds))
    else:
        second = battle.Battle(first.attacks.iloc[:0], "", 0)
    records.write(records.Attack, second.attacks, held_out_path)
    metrics = {
        "n_attacks": float(len(first.attacks)),
        "n_queries": float(first.n_queries + second.n_queries),
        "evasion_seen": evasion(first.attacks[first.attacks["split"] == "validation"]),
        "evasion_held_out": evasion(second.attacks),
    }
    metrics = {name: value for name, value in metrics.items() if value == value}
    sha256 = records.sha256_of(first.sha256, second.sha256)
    tracking = Tracking(tracking_uri, pipeline_run)
    tracking.log(STAGE, metrics, {"attack_set_sha256": sha256, "victim_version": opened.version, "rounds": rounds})
    say(STAGE, f"{len(first.attacks)} attacks, evasion {metrics.get('evasion_seen', float('nan')):.1%}, {sha256[:12]}")
    return sha256, metrics


def split_strategies(lang: str, held_out: Sequence[str]) -> tuple[list[strategies.Strategy], list[strategies.Strategy]]:
    """The strategies of a language: those that may be trained on, and those that are judged only.

    Raises:
        InputError: Nothing is left to train on.
    """
    available = strategies.select(lang)
    seen = [strategy for strategy in available if strategy.name not in held_out]
    if not seen:
        raise InputError(f"every strategy for language {lang!r} is held out, nothing is left to train on")
    return seen, [strategy for strategy in available if strategy.name in held_out]


def evasion(attacks: pd.DataFrame) -> float:
    """Successes / toxic texts the victim caught before; NaN if it caught none."""
    toxic = attacks[(attacks["label_gold"] == "toxic") & (attacks["status"] != "skipped")]
    return float((toxic["status"] == "success").mean()) if len(toxic) else float("nan")


def _expected_queries(n_texts: int, n_strategies: int, rounds: int) -> int:
    """Half the texts are toxic and get every round, a benign one gets a single attempt; each is asked once as it is."""
    return n_texts + n_texts * n_strategies * (rounds + 1) // 2


def _at_least_one(name: str, value: int) -> int:
    if value < 1:
        raise InputError(f"{name} is {value}, it has to be at least 1")
    return value
