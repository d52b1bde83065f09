"""KFP components of the stages generate_attacks and gather_attacks."""

from typing import Any, Dict, List, NamedTuple  # noqa: UP035 - KFP's type parser

from kfp import dsl

from content_arena.components.shared.images import COMPONENT_IMAGE


@dsl.component(base_image=COMPONENT_IMAGE, install_kfp_package=False)
def generate_attacks(
    corpus: dsl.Input[dsl.Dataset],
    attacks: dsl.Output[dsl.Dataset],
    held_out_attacks: dsl.Output[dsl.Dataset],
    summary: dsl.Output[dsl.Artifact],
    victim: str,
    pipeline_run: str,
    lang: str,
    budget: int,
    texts_per_label: int,
    seed: int,
    held_out_strategies: List[str],  # noqa: UP006
    settings: Dict[str, Any],  # noqa: UP006
    shard: int,
    n_shards: int,
    tracking_uri: str,
    search: str = "ladder",
    for_training: bool = True,
    split: str = "validation",
) -> None:
    """Attacks the serving filter: texts x evasion strategies x a budget of queries.

    Args:
        corpus: Parquet of Sample records.
        attacks: Parquet of Attack records on training and validation texts, seen strategies only.
        held_out_attacks: Parquet of Attack records of the strategies that are never trained on.
        summary: JSON with what gather_attacks needs beside the tables.
        victim: Alias, version number, bundle folder or URL of the filter to attack.
        pipeline_run: Id under which the stages of a run find their MLflow run.
        lang: ISO 639-1 code of the corpus.
        budget: Queries allowed for each (text, strategy).
        texts_per_label: Texts of each label to attack: training texts, or validation texts where nothing is trained.
        seed: The same seed gives the same attack set.
        held_out_strategies: Strategies that are judged only; chosen by the seed, or kept from the champion, if empty.
        settings: Further settings by section; [attack] is read, and [llm] if strategies need an LLM.
        shard: Which part of the strategies this task takes, from 0.
        n_shards: Into how many parts they are dealt.
        tracking_uri: MLflow server; MLFLOW_TRACKING_URI of the pod if empty.
        search: ladder, or random, greedy, beam or evolving: one way past a text is searched, and not trained on.
        for_training: Whether training texts are attacked too; what is found on them stands in no figure.
        split: Which texts are attacked where nothing is trained: validation, or all but those of the guard set.
    """
    from pathlib import Path

    from content_arena.components.attack_generation import generate
    from content_arena.components.attack_generation.settings import AttackSettings
    from content_arena.components.shared.chat import ChatSettings
    from content_arena.components.shared.settings import read

    generate.generate_attacks(
        Path(corpus.path),
        Path(attacks.path),
        Path(held_out_attacks.path),
        Path(summary.path),
        victim=victim,
        lang=lang,
        pipeline_run=pipeline_run,
        settings=read(
            "generate_attacks",
            AttackSettings,
            settings,
            budget=int(budget),
            texts_per_label=int(texts_per_label),
            held_out_strategies=tuple(held_out_strategies),
        ),
        chat=read("generate_attacks", ChatSettings, settings),
        search=search,
        for_training=bool(for_training),
        split=split,
        seed=int(seed),
        shard=int(shard),
        n_shards=int(n_shards),
        tracking_uri=tracking_uri or None,
    )


@dsl.component(base_image=COMPONENT_IMAGE, install_kfp_package=False)
def gather_attacks(
    shards: dsl.Input[List[dsl.Dataset]],  # noqa: UP006
    held_out_shards: dsl.Input[List[dsl.Dataset]],  # noqa: UP006
    summaries: dsl.Input[List[dsl.Artifact]],  # noqa: UP006
    attacks: dsl.Output[dsl.Dataset],
    held_out_attacks: dsl.Output[dsl.Dataset],
    metrics: dsl.Output[dsl.Metrics],
    pipeline_run: str,
    tracking_uri: str,
) -> NamedTuple("Outputs", [("attack_set_sha256", str)]):  # type: ignore[valid-type]  # KFP reads the outputs here
    """Puts the shards of a battle together.

    Args:
        shards: Parquet of Attack records, one a shard: the seen strategies.
        held_out_shards: Parquet of Attack records, one a shard: the held-out strategies.
        summaries: The shards' summaries.
        attacks: Parquet of Attack records, all seen strategies.
        held_out_attacks: Parquet of Attack records, all held-out strategies.
        metrics: n_attacks, n_queries, texts_per_second, n_refused, n_not_written, n_same_meaning,
            n_other_meaning, n_meaning_not_measured, n_success, n_failed, n_skipped,
            n_toxic_success, n_toxic_failed, victim_canonicalises (0 or 1: whether strategies that are undone are left
            out), evasion_seen, evasion_held_out (rates in [0, 1]).
        pipeline_run: Id under which the stages of a run find their MLflow run.
        tracking_uri: MLflow server; MLFLOW_TRACKING_URI of the pod if empty.

    Returns:
        attack_set_sha256: SHA-256 (hex) of the attack set, the same for any number of shards, but for evolving.
    """
    from pathlib import Path
    from typing import NamedTuple

    from content_arena.components.attack_generation import generate

    sha256, figures = generate.gather_attacks(
        [Path(shard.path) for shard in shards],
        [Path(shard.path) for shard in held_out_shards],
        [Path(summary.path) for summary in summaries],
        Path(attacks.path),
        Path(held_out_attacks.path),
        pipeline_run=pipeline_run,
        tracking_uri=tracking_uri or None,
    )
    for name, value in figures.items():
        metrics.log_metric(name, value)
    return NamedTuple("Outputs", [("attack_set_sha256", str)])(sha256)  # type: ignore[operator]  # KFP's form
