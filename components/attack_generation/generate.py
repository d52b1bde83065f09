"""The stages generate_attacks and gather_attacks: a battle against the serving filter, in one shard or many."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from content_arena.components.attack_generation import battle, strategies, victims
from content_arena.components.attack_generation.outcomes import evasion
from content_arena.components.attack_generation.search import LadderSearch
from content_arena.components.shared import records
from content_arena.components.shared.errors import InputError
from content_arena.components.shared.stage import Progress, log, stage
from content_arena.components.shared.tracking import Tracking

STAGE = "generate_attacks"
GATHER = "gather_attacks"
#: Texts of each label attacked in validation, as a share of those attacked in training.
_VALIDATION_SHARE = 0.25


@stage(STAGE)
def generate_attacks(
    corpus_path: Path,
    attacks_path: Path,
    held_out_path: Path,
    summary_path: Path,
    *,
    victim: str,
    lang: str,
    pipeline_run: str,
    budget: int = 3,
    texts_per_label: int = 200,
    seed: int = 0,
    held_out: Sequence[str] = strategies.HELD_OUT,
    shard: int = 0,
    n_shards: int = 1,
    tracking_uri: str | None = None,
) -> None:
    """Attacks training and validation texts with the seen strategies, validation texts with the held-out ones.

    What the seen strategies yield may be trained on. The held-out battle shows how the filter meets the unknown; it
    goes nowhere near training. Test texts are left to the evaluation. A shard takes every ``n_shards``-th strategy;
    an attack comes out the same whichever shard makes it.

    Args:
        corpus_path: Parquet of Sample.
        attacks_path: Where to write the Attack records of the seen strategies.
        held_out_path: Where to write those of the held-out strategies.
        summary_path: Where to write, as JSON, what gather_attacks needs beside the tables.
        victim: See :func:`content_arena.components.attack_generation.victims.open_victim`.
        lang: ISO 639-1 code of the corpus.
        pipeline_run: Id of the pipeline run.
        budget: Queries allowed for each (text, strategy).
        texts_per_label: Training texts of each label to attack.
        seed: The same seed gives the same attack set.
        held_out: Strategies that are judged only.
        shard: Which part of the strategies, from 0.
        n_shards: Into how many parts they are dealt.
        tracking_uri: MLflow server; the environment's if None.
    """
    search = LadderSearch(_at_least_one("budget", budget))
    if not 0 <= shard < _at_least_one("n_shards", n_shards):
        raise InputError(f"shard is {shard}, it has to be from 0 to {n_shards - 1}")
    corpus = records.read(records.Sample, corpus_path)
    seen, unseen = (part[shard::n_shards] for part in split_strategies(lang, held_out))
    n_validation = max(1, round(_at_least_one("texts_per_label", texts_per_label) * _VALIDATION_SHARE))
    train = battle.sample_texts(corpus, "train", texts_per_label, seed)
    validation = battle.sample_texts(corpus, "validation", n_validation, seed)
    opened = victims.open_victim(victim, tracking_uri)
    part = f", shard {shard + 1} of {n_shards}" if n_shards > 1 else ""
    names = len(seen) + len(unseen)
    log(STAGE, f"attacking {victim} ({opened.version}): {len(train) + len(validation)} texts, {names} strategies{part}")
    progress = Progress(
        STAGE,
        _expected_queries(len(train) + len(validation), len(seen), budget)
        + _expected_queries(len(validation), len(unseen), budget),
        "queries at most",
    )
    digests, n_attacks, n_queries = {}, 0, 0
    for samples, chosen, path in (
        (pd.concat([train, validation]), seen, attacks_path),
        (validation, unseen, held_out_path),
    ):
        attacks = records.Attack.empty()
        if chosen:
            fought = battle.fight(samples, opened, chosen, seed=seed, search=search, advance=progress.advance)
            attacks, n_queries = fought.attacks, n_queries + fought.n_queries
            digests |= fought.digests
        records.write(records.Attack, attacks, path)
        n_attacks += len(attacks)
    summary = {"digests": digests, "n_queries": n_queries, "victim_version": opened.version}
    summary_path.parent.mkdir(parents=True, exist_ok=True)
    summary_path.write_text(json.dumps(summary), encoding="utf-8")
    Tracking(tracking_uri, pipeline_run).log(STAGE, {})
    log(STAGE, f"{n_attacks} attacks, {n_queries} queries")


@stage(GATHER)
def gather_attacks(
    attack_paths: Sequence[Path],
    held_out_paths: Sequence[Path],
    summary_paths: Sequence[Path],
    attacks_path: Path,
    held_out_path: Path,
    *,
    pipeline_run: str,
    tracking_uri: str | None = None,
) -> tuple[str, dict[str, float]]:
    """Puts the shards of a battle together: one table, one hash, one set of figures.

    Args:
        attack_paths: Parquet of Attack, one a shard: the seen strategies.
        held_out_paths: Parquet of Attack, one a shard: the held-out strategies.
        summary_paths: The shards' summaries.
        attacks_path: Where to write the Attack records of the seen strategies.
        held_out_path: Where to write those of the held-out strategies.
        pipeline_run: Id of the pipeline run.
        tracking_uri: MLflow server; the environment's if None.

    Returns:
        SHA-256 (hex) of the attack set, the same for any number of shards, and the battle's figures.

    Raises:
        InputError: A shard is missing or can not be read, or the shards met different filters.
    """
    summaries = [_read_summary(path) for path in summary_paths]
    versions = {summary["victim_version"] for summary in summaries}
    if len(versions) != 1:
        raise InputError(f"the shards of the battle met different filters ({', '.join(sorted(versions))}): run again")
    seen = _join(attack_paths, attacks_path)
    unseen = _join(held_out_paths, held_out_path)
    sha256 = battle.combine({name: digest for summary in summaries for name, digest in summary["digests"].items()})
    everything = pd.concat([seen, unseen])
    counts = everything["status"].value_counts()
    toxic = everything.loc[everything["label_gold"] == "toxic", "status"].value_counts()
    metrics = {
        "n_attacks": float(len(everything)),
        "n_queries": float(sum(summary["n_queries"] for summary in summaries)),
        **{f"n_{status}": float(counts.get(status, 0)) for status in ("success", "failed", "skipped")},
        **{f"n_toxic_{status}": float(toxic.get(status, 0)) for status in ("success", "failed")},
        "evasion_seen": evasion(seen[seen["split"] == "validation"]),
        "evasion_held_out": evasion(unseen),
    }
    metrics = {name: value for name, value in metrics.items() if value is not None}
    Tracking(tracking_uri, pipeline_run).log(
        GATHER, metrics, {"attack_set_sha256": sha256, "victim_version": versions.pop()}
    )
    shown = f"{metrics['evasion_seen']:.1%}" if "evasion_seen" in metrics else "not measured"
    log(GATHER, f"{len(everything)} attacks, evasion {shown}, {sha256[:12]}")
    return sha256, metrics


def split_strategies(lang: str, held_out: Sequence[str]) -> tuple[list[strategies.Strategy], list[strategies.Strategy]]:
    """The strategies of a language: those that may be trained on, and those that are judged only.

    Raises:
        InputError: A name that no strategy has, or nothing is left to train on.
    """
    # A misspelt one would be trained on.
    strategies.check_installed(held_out)
    available = strategies.select(lang)
    seen = [strategy for strategy in available if strategy.name not in held_out]
    if not seen:
        raise InputError(f"every strategy for language {lang!r} is held out, nothing is left to train on")
    return seen, [strategy for strategy in available if strategy.name in held_out]


def _join(paths: Sequence[Path], destination: Path) -> pd.DataFrame:
    """One table of the shards', in an order that does not depend on how the strategies were dealt."""
    parts = [part for path in paths if len(part := records.read(records.Attack, path))]
    joined = pd.concat(parts) if parts else records.Attack.empty()
    # Stable, so the texts of a strategy stay in the order of the corpus.
    joined = joined.sort_values("strategy", kind="stable").reset_index(drop=True)
    records.write(records.Attack, joined, destination)
    return joined


def _read_summary(path: Path) -> Mapping:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"a shard of the battle left no summary at {path}: run again") from error


def _expected_queries(n_texts: int, n_strategies: int, budget: int) -> int:
    """Half the texts are toxic and get every round, a benign one gets a single attempt; each is asked once as it is."""
    return n_texts + n_texts * n_strategies * (budget + 1) // 2 if n_strategies else 0


def _at_least_one(name: str, value: int) -> int:
    if value < 1:
        raise InputError(f"{name} is {value}, it has to be at least 1")
    return value
