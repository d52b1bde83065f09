"""The stages generate_attacks and gather_attacks: a battle against one filter, in one or several shards."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from content_arena.components.attack_generation import battle, held_out, regressions, strategies, victims
from content_arena.components.attack_generation.meaning import Judged
from content_arena.components.attack_generation.outcomes import counting, evasion
from content_arena.components.attack_generation.search.memory import NOTHING, Memory
from content_arena.components.attack_generation.searched import Plan
from content_arena.components.attack_generation.selection import DEFAULT, Selection
from content_arena.components.attack_generation.settings import (
    EVOLVING,
    LADDER,
    SEARCHES,
    TEXTS,
    VALIDATION,
    AttackSettings,
)
from content_arena.components.attack_generation.tasks import Assignment, Shard
from content_arena.components.attack_generation.victims import functions
from content_arena.components.attack_generation.victims.addresses import shown
from content_arena.components.attack_generation.victims.local import canonicaliser_of
from content_arena.components.attack_generation.writing.binding import (
    Reporting,
    bound,
    tell_what_was_written,
    writer_for,
)
from content_arena.components.shared import records
from content_arena.components.shared.chat import ChatSettings
from content_arena.components.shared.documents import Fields
from content_arena.components.shared.errors import InputError
from content_arena.components.shared.mlflow_tracking.tracking import Tracking
from content_arena.components.shared.records import sha256_of
from content_arena.components.shared.stage import Progress, log, note, stage

STAGE = "generate_attacks"
GATHER = "gather_attacks"


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
    settings: AttackSettings = AttackSettings(),  # noqa: B008 - frozen
    chat: ChatSettings = ChatSettings(),  # noqa: B008 - frozen
    search: str = LADDER,
    for_training: bool = True,
    split: str = VALIDATION,
    seed: int = 0,
    shard: int = 0,
    n_shards: int = 1,
    tracking_uri: str | None = None,
) -> None:
    """Attacks training and validation texts with the seen strategies, validation texts with the held-out ones.

    The attacks of the seen strategies may be trained on. Those of the held-out ones are never trained on: they show how
    the filter does on attacks that are new to it. Test texts are left to the evaluation. Where nothing is to be
    trained, all strategies attack validation texts, or those of every split. A shard takes every ``n_shards``-th
    strategy; an attack is the same in any shard.

    With another search than the ladder, ``texts_per_label`` of these texts are attacked, one attack a text, with all
    strategies together. A shard takes every ``n_shards``-th text. The evolving attacker learns within its shard: with
    another number of shards it finds other attacks.

    Args:
        corpus_path: Parquet of Sample.
        attacks_path: Where to write the Attack records of the seen strategies.
        held_out_path: Where to write those of the held-out strategies.
        summary_path: Where to write the JSON that gather_attacks needs beside the tables.
        victim: See :func:`content_arena.components.attack_generation.victims.open_victim`.
        lang: ISO 639-1 code of the corpus.
        pipeline_run: Id of the pipeline run.
        settings: How to attack; ``texts_per_label`` counts training texts, or validation texts where nothing is to be
            trained. If it holds out nothing, see
            :func:`content_arena.components.attack_generation.held_out.resolve`.
        chat: How an LLM is asked, if strategies need one.
        search: One of :data:`~content_arena.components.attack_generation.settings.SEARCHES`.
        for_training: Whether training texts are attacked too.
        split: Which texts are attacked where nothing is to be trained: validation, or all but those of the guard set.
        seed: The same seed gives the same attack set.
        shard: Number of this part of the strategies, or of the texts, from 0.
        n_shards: Number of parts.
        tracking_uri: MLflow server; the environment's if None.
    """
    if n_shards < 1:
        raise InputError(f"n_shards is {n_shards}, it has to be at least 1")
    if not 0 <= shard < n_shards:
        raise InputError(f"shard is {shard}, it has to be from 0 to {n_shards - 1}")
    if search not in SEARCHES:
        raise InputError(f"there is no search {search}; there is: {', '.join(SEARCHES)}")
    if split not in TEXTS or (for_training and split != VALIDATION):
        raise InputError(f"split is {split}, it has to be one of {', '.join(TEXTS)}, and {VALIDATION} for a training")
    if functions.is_function(victim):
        functions.require_allowed()
    corpus = records.read(records.Sample, corpus_path)
    named, selection = settings.held_out_strategies, settings.selection
    chosen = held_out.resolve_for(victim, lang, seed, named, tracking_uri, selection)
    seen, unseen = split_strategies(lang, chosen.names, selection)
    writer = writer_for([*seen, *unseen], chat, Reporting.of_stage(STAGE))
    opened = victims.open_victim(victim, tracking_uri, reading=settings.reading)
    memory = (
        _memory(lang, opened.version, Tracking(tracking_uri, pipeline_run))
        if settings.warm_start and search == EVOLVING
        else NOTHING
    )
    part = f", shard {shard + 1} of {n_shards}" if n_shards > 1 else ""
    tasks = Assignment(
        corpus=corpus,
        seen=bound(seen, writer),
        held_out=bound(unseen, writer),
        settings=settings,
        plan=Plan(search, settings.budget, settings.max_edit_share, seed, memory=memory),
        shard=Shard(shard, n_shards),
        for_training=for_training,
        split=split,
        attacks_path=attacks_path,
        held_out_path=held_out_path,
    ).tasks()
    n_texts = len({name for task in tasks for name in task.samples["sample_id"]})
    n_strategies = len({strategy.name for task in tasks for strategy in task.chosen})
    log(STAGE, f"attacking {shown(victim)} ({opened.version}): {n_texts} texts, {n_strategies} strategies{part}")
    log(STAGE, f"held out: {chosen}")
    progress = Progress(STAGE, sum(task.expected_queries for task in tasks), "queries at most")
    started = time.perf_counter()
    found = [task.fight(opened, progress) for task in tasks]
    seconds = time.perf_counter() - started
    fought = [result.battle for result in found]
    for learnt in (result.learnt for result in found if result.learnt):
        log(STAGE, f"learnt, with the mean reward: {'; '.join(learnt)}")
    _note_what_shows_little(opened, fought)
    tell_what_was_written(writer, Reporting.of_stage(STAGE))
    digests = {name: digest for result in fought for name, digest in result.digests.items()}
    n_queries = sum(result.n_queries for result in fought)
    meaning = sum((result.battle.meaning for result in found), Judged())
    _note_meaning(meaning, lang)
    summary = _Summary(
        digests=digests,
        n_originals=len({text for task in tasks for text in task.originals}),
        n_attempts=n_queries - sum(len(set(task.originals)) for task in tasks),
        seconds=seconds,
        texts_are_dealt=search != LADDER,
        victim_version=opened.version,
        held_out=str(chosen),
        n_refused=sum(result.n_refused for result in found),
        n_not_written=writer.n_not_written if writer else 0,
        canonicalises=canonicaliser_of(opened) is not None,
        n_same_meaning=meaning.n_kept,
        n_other_meaning=meaning.n_failed,
        n_meaning_not_measured=meaning.n_not_measured,
        split=split,
        began_with=memory.sha256 if memory else "",
        memory=Memory.joined(result.memory for result in found).dumped(),
    )
    summary_path.parent.mkdir(parents=True, exist_ok=True)
    summary_path.write_text(json.dumps(asdict(summary)), encoding="utf-8")
    Tracking(tracking_uri, pipeline_run).log(STAGE, {})
    log(STAGE, f"{sum(len(result.attacks) for result in fought)} attacks, {n_queries} queries")


def _note_what_shows_little(victim: victims.Victim, fought: Sequence[battle.Battle]) -> None:
    """Tells the user what makes a battle's figures say less than they seem to."""
    if isinstance(victim, victims.AnsweringVictim) and victim.only_verdicts:
        note(
            STAGE,
            "the filter answers verdicts and no scores: an attack learns from a query only whether it got through",
        )
    attacks = pd.concat([result.attacks for result in fought])
    toxic = attacks[attacks["label_gold"] == "toxic"]
    if len(toxic) and not (toxic["score_before"] >= toxic["threshold"]).any():
        n_texts = toxic["base_id"].nunique()
        note(STAGE, f"the filter flags none of the {n_texts} toxic texts, so there is nothing to get past it")


def _memory(lang: str, version: str, tracking: Tracking) -> Memory:
    """What the last attacker that learnt knows; said, if there is none."""
    text = tracking.earlier_attacker_memory(_lineage(lang, version))
    if text is None:
        note(STAGE, "no earlier battle has left what an attacker learnt about this filter: this one begins anew")
        return NOTHING
    memory = Memory.loaded(text)
    log(STAGE, f"beginning with what earlier battles learnt: {len(memory.trials)} arms, {memory.sha256[:12]}")
    return memory


def _lineage(lang: str, version: str) -> str:
    """Names the filters about which attackers learn together: the versions of the registry; any other one is alone."""
    return sha256_of(lang, "versions" if version.isdecimal() else version)


def _note_meaning(meaning: Judged, lang: str) -> None:
    """Tells the user if texts in other words could not be judged by their meaning."""
    if meaning.n_not_measured:
        note(
            STAGE,
            f"whether {meaning.n_not_measured:,} texts in other words still say what their originals say was not "
            f"measured: there is no sentence encoder for {lang} (English has that of content-arena[training], Korean "
            "the one that a Korean training in this home converts)",
        )


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
    """Joins the shards of a battle into one table, one hash and one set of figures.

    Some of what got past a version of the registry is kept for the regression suite, see :mod:`regressions`.

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
        InputError: A shard is missing or cannot be read, or the shards attacked different filters or held out different
            strategies.
    """
    summaries = [_Summary.read(path) for path in summary_paths]
    version = _same_in_all([summary.victim_version for summary in summaries], "attacked different filters")
    chosen = _same_in_all([summary.held_out for summary in summaries], "held out different strategies")
    began_with = _same_in_all([summary.began_with for summary in summaries], "began with different memories")
    split = _same_in_all([summary.split for summary in summaries], "attacked different texts")
    seen = _join(attack_paths, attacks_path)
    unseen = _join(held_out_paths, held_out_path)
    sha256 = battle.combine({name: digest for summary in summaries for name, digest in summary.digests.items()})
    everything = pd.concat([seen, unseen])
    counts = everything["status"].value_counts()
    toxic = everything.loc[everything["label_gold"] == "toxic", "status"].value_counts()
    # Shards that attacked one filter know the same of it.
    canonicalises = summaries[0].canonicalises
    n_queries = _n_originals(summaries) + sum(summary.n_attempts for summary in summaries)
    seconds = sum(summary.seconds for summary in summaries)
    figures = {
        "n_attacks": float(len(everything)),
        "n_queries": float(n_queries),
        # The pace of a pod: of several shards, which work at the same time, the mean.
        "texts_per_second": n_queries / seconds if seconds > 0 else None,
        "n_refused": float(sum(summary.n_refused for summary in summaries)),
        "n_not_written": float(sum(summary.n_not_written for summary in summaries)),
        **{f"n_{status}": float(counts.get(status, 0)) for status in ("success", "failed", "skipped")},
        **{f"n_toxic_{status}": float(toxic.get(status, 0)) for status in ("success", "failed")},
        "n_same_meaning": float(sum(summary.n_same_meaning for summary in summaries)),
        "n_other_meaning": float(sum(summary.n_other_meaning for summary in summaries)),
        "n_meaning_not_measured": float(sum(summary.n_meaning_not_measured for summary in summaries)),
        "victim_canonicalises": float(canonicalises),
        "evasion_seen": evasion(counting(seen, split), canonicalises=canonicalises),
        "evasion_held_out": evasion(unseen, canonicalises=canonicalises),
    }
    metrics = {name: value for name, value in figures.items() if value is not None}
    tracking = Tracking(tracking_uri, pipeline_run)
    parameters = {"attack_set_sha256": sha256, "victim_version": version, "held_out_strategies": chosen}
    tracking.log(GATHER, metrics, parameters | ({"attacker_memory_sha256": began_with} if began_with else {}))
    memory = Memory.joined(Memory.loaded(summary.memory) for summary in summaries)
    if memory:
        tracking.log_attacker_memory(_lineage(str(everything["lang"].iloc[0]), version), memory.dumped())
    if version.isdecimal() and len(everything):
        # What gets past somebody else's filter, or a bundle that is no version, tells nothing of the next version.
        tracking.log_regressions(str(everything["lang"].iloc[0]), GATHER, regressions.worth_keeping(everything))
    shown = f"{metrics['evasion_seen']:.1%}" if "evasion_seen" in metrics else "not measured"
    log(GATHER, f"{len(everything)} attacks, evasion {shown}, {sha256[:12]}")
    return sha256, metrics


def split_strategies(
    lang: str, held_out: Sequence[str], selection: Selection = DEFAULT
) -> tuple[list[strategies.Strategy], list[strategies.Strategy]]:
    """The strategies of a language: first those that may be trained on, then those that are judged only.

    Args:
        lang: ISO 639-1 code.
        held_out: Names, also of strategies that are not installed any more. If nothing is selected they are attacked
            with as well, also if they do not attack by default.
        selection: What to attack with.

    Raises:
        InputError: Nothing is left to train on, and nobody asked for just these strategies.
    """
    available = strategies.selected(lang, selection)
    if not selection:
        known = strategies.installed()
        added = {name for name in held_out if name in known and known[name].speaks(lang)}
        available = strategies.select(lang, {*added, *(strategy.name for strategy in available)})
    seen = [strategy for strategy in available if strategy.name not in held_out]
    if not seen and not selection:
        raise InputError(f"every strategy for language {lang!r} is held out, nothing is left to train on")
    return seen, [strategy for strategy in available if strategy.name in held_out]


def _same_in_all(values: Sequence[str], difference: str) -> str:
    """The value that every shard has.

    Raises:
        InputError: They have different ones; the message says what is different.
    """
    if len(set(values)) != 1:
        raise InputError(f"the shards of the battle {difference} ({'; '.join(sorted(set(values)))}): run again")
    return values[0]


def _n_originals(summaries: Sequence[_Summary]) -> int:
    """How many different texts of a battle were scored as they are."""
    counts = [summary.n_originals for summary in summaries]
    # Shards of the ladder share out strategies: each scores the same texts, or some of them, or none.
    return sum(counts) if any(summary.texts_are_dealt for summary in summaries) else max(counts)


def _join(paths: Sequence[Path], destination: Path) -> pd.DataFrame:
    """Joins the tables of all shards; the order of rows is the same for any number of shards."""
    parts = [part for path in paths if len(part := records.read(records.Attack, path))]
    joined = pd.concat(parts) if parts else records.Attack.empty()
    # Stable: the texts of a strategy stay in the order of the corpus.
    joined = joined.sort_values("strategy", kind="stable").reset_index(drop=True)
    records.write(records.Attack, joined, destination)
    return joined


@dataclass(frozen=True)
class _Summary:
    """What gather_attacks needs of a shard beside its tables.

    Attributes:
        digests: See :class:`~content_arena.components.attack_generation.battle.Battle`.
        n_originals: Number of different texts that were scored as they are.
        n_attempts: Number of other texts the victim was asked about.
        seconds: What the attacks took, with what it takes to make them.
        texts_are_dealt: Whether each shard has other texts, and not other strategies.
        victim_version: Name of the model that was attacked.
        held_out: The held-out strategies and who chose them, for people.
        n_refused: Attacks that were not asked about because they failed a constraint.
        n_not_written: Texts that an LLM was asked for, and did not write.
        canonicalises: Whether the filter is known to canonicalise a text before its model reads it.
        n_same_meaning: Texts in other words that keep the bound on meaning.
        n_other_meaning: Those that do not.
        n_meaning_not_measured: Those that there is no encoder for.
        split: Which texts count in the figures.
        began_with: SHA-256 (hex) of what an attacker that learns knew before; "" if it began anew.
        memory: What it knows now, as JSON.
    """

    digests: Mapping[str, str]
    n_originals: int
    n_attempts: int
    seconds: float
    texts_are_dealt: bool
    victim_version: str
    held_out: str
    n_refused: int
    n_not_written: int
    canonicalises: bool
    n_same_meaning: int
    n_other_meaning: int
    n_meaning_not_measured: int
    split: str
    began_with: str
    memory: str

    @classmethod
    def read(cls, path: Path) -> _Summary:
        """Reads the summary of a shard.

        Raises:
            InputError: There is none, or it is damaged.
        """
        try:
            fields = Fields(json.loads(path.read_text(encoding="utf-8")), "the summary")
            return cls(
                fields.text_by_name("digests"),
                fields.whole("n_originals"),
                fields.whole("n_attempts"),
                fields.number("seconds"),
                fields.flag("texts_are_dealt"),
                fields.text("victim_version"),
                fields.text("held_out"),
                fields.whole("n_refused"),
                fields.whole("n_not_written"),
                fields.flag("canonicalises"),
                fields.whole("n_same_meaning"),
                fields.whole("n_other_meaning"),
                fields.whole("n_meaning_not_measured"),
                fields.text("split"),
                fields.text("began_with"),
                fields.text("memory"),
            )
        except (OSError, ValueError, InputError) as error:
            raise InputError(f"a shard of the battle left no usable summary at {path} ({error}): run again") from error
