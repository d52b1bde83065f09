"""What the commands that run a pipeline on this machine share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from content_arena.components.attack_generation.settings import AttackSettings
from content_arena.components.shared.chat import ChatSettings, open_chat
from content_arena.components.shared.settings import make
from content_arena.pipelines.cli import standard_input
from content_arena.pipelines.cli.console import err
from content_arena.pipelines.cli.options import (
    MAX_TEXTS_CPU,
    MAX_TEXTS_CUDA,
    AttackOptions,
    CorpusOptions,
    Runner,
)
from content_arena.pipelines.definitions.parameters import PARAMETERS, Parameter
from content_arena.pipelines.definitions.settings_file import RunSettings
from content_arena.pipelines.execution.home import ArenaHome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kfp.dsl.base_component import BaseComponent

    from content_arena.pipelines.execution.engines import Engine
    from content_arena.pipelines.execution.local import LocalRun

EMBEDDED: str = PARAMETERS["data"].default


def arguments(
    settings: RunSettings | None,
    parameters: Sequence[Parameter],
    corpus: CorpusOptions,
    attack: AttackOptions,
    *,
    has_gpu: bool,
) -> dict[str, Any]:
    """The arguments that both pipelines have: those of the settings file, replaced by the options."""
    names = tuple(parameter.name for parameter in parameters)
    given = {
        **(settings or RunSettings()).for_pipeline(names),
        "lang": corpus.lang,
        "max_texts": corpus.max_texts or (MAX_TEXTS_CUDA if has_gpu else MAX_TEXTS_CPU),
        **reading(corpus),
        "budget": attack.budget,
        "texts_per_label": attack.texts,
        "seed": attack.seed,
    }
    given["data"] = absolute(corpus.data, corpus.query)
    if attack.held_out:
        from content_arena.components.attack_generation import strategies

        # The stage would refuse it as well, after it has read the corpus.
        strategies.check_installed(attack.held_out)
        given["held_out_strategies"] = attack.held_out
    if attack.strategies or attack.families:
        _choose(given.setdefault("settings", {}), attack)
    _require_writer(given)
    return given


class ChoosesStrategies(Protocol):
    """Options that may name strategies and families."""

    @property
    def strategies(self) -> list[str] | None:
        """Names of strategies."""
        ...

    @property
    def families(self) -> list[str] | None:
        """Families of which every strategy is meant."""
        ...


def in_this_process(settings: RunSettings | None, attack: ChoosesStrategies) -> tuple[AttackSettings, ChatSettings]:
    """What a command that attacks in this process takes from a settings file: as a stage reads it.

    Args:
        settings: Of the file.
        attack: Options, which win over it.

    Raises:
        InputError: A family that there is not.
    """
    sections = (settings or RunSettings()).for_pipeline(()).get("settings", {})
    if attack.strategies or attack.families:
        _choose(sections, attack)
    return make(AttackSettings, sections), make(ChatSettings, sections)


def _choose(sections: dict[str, Any], attack: ChoosesStrategies) -> None:
    """Puts the strategies that options name in place of those of the settings file."""
    chosen = {"strategies": attack.strategies or [], "families": attack.families or []}
    sections.setdefault("attack", {}).update(chosen)


def _require_writer(given: Mapping[str, Any]) -> None:
    """Looks for an LLM if one writes attacks.

    Raises:
        InputError: There is no such strategy or family.
        ChatError: There is no LLM.
    """
    from content_arena.components.attack_generation import strategies

    named = given.get("settings", {}).get("attack", {})
    names, families = (tuple(named.get(name, ())) for name in ("strategies", "families"))
    held_out = given.get("held_out_strategies", ())
    if not (names or families or held_out):
        return
    # The stage would refuse it as well, after it has read the corpus.
    selection = AttackSettings(strategies=names, families=families).selection
    chosen = strategies.selected(given["lang"], selection)
    known = strategies.installed()
    if any(strategy.rewrites for strategy in [*chosen, *(known[name] for name in held_out if name in known)]):
        open_chat(ChatSettings())


def reading(corpus: CorpusOptions) -> dict[str, str]:
    """The options that say how the data is to be read, as parameters of a pipeline; those that are given."""
    from content_arena.components.corpus_preparation.tables.reading_options import ReadingOptions

    names = ("text_column", "label_column", "label_columns", "label_map", "quoting", "encoding", "query")
    given = {name: value for name in names if (value := getattr(corpus, name))}
    # The stage would refuse them as well, seconds later.
    ReadingOptions.of(given)
    return given


def absolute(data: str, query: str | None = None, parameter: str = "data") -> str:
    """The name of data, as a stage that runs in another folder finds it.

    Args:
        data: File, address, or SQLAlchemy's address of a database.
        query: What to select in the database.
        parameter: What the data is for, for a message.

    Raises:
        InputError: There is no such file, or the address cannot be used.
    """
    from content_arena.components.corpus_preparation.tables import databases, formats, sources

    # The stage would refuse it as well, seconds later.
    databases.check(data, query, parameter)
    if query is not None:
        return databases.absolute(data)
    if data in (EMBEDDED, standard_input.NAME):
        return data
    if "://" in data:
        sources.check_address(data)
        return data
    path = Path(data).expanduser().absolute()
    # The stage would refuse it as well, seconds later.
    formats.check_is_file(path)
    return str(path)


def file_of(data: str, query: str | None) -> str:
    """The data, or the file of its database."""
    from content_arena.components.corpus_preparation.tables import databases

    path = databases.file_of(data) if query else None
    return data if path is None else str(path.expanduser())


def corpus_answer(run: LocalRun) -> dict[str, Any]:
    """What ``--json`` answers about the data: rows read and dropped, texts of each label, and what was noted."""
    from content_arena.components.shared.records import LABELS

    counts = run.metadata("prepare_corpus", "corpus")
    prefix = "dropped_"
    dropped = {name.removeprefix(prefix): int(number) for name, number in counts.items() if name.startswith(prefix)}
    return {
        "rows_read": int(counts["read"]),
        "rows_dropped": {reason: number for reason, number in dropped.items() if number},
        "labels": {label: int(counts[label]) for label in LABELS},
        "warnings": run.notes("prepare_corpus"),
    }


def engine(home: ArenaHome, kind: Runner, *inputs: str) -> Engine:
    """What runs the tasks; containers see the folders of those inputs that are files or folders here."""
    from content_arena.components.shared.images import COMPONENT_IMAGE
    from content_arena.pipelines.execution import engines

    if kind is Runner.SUBPROCESS:
        return engines.subprocesses()
    paths = [Path(given).absolute() for given in inputs if Path(given).exists()]
    return engines.containers(home, COMPONENT_IMAGE, [path if path.is_dir() else path.parent for path in paths])


def follow(pipeline: BaseComponent, arguments: dict[str, Any], home: ArenaHome, engine: Engine) -> LocalRun:
    """Runs a pipeline and shows its progress on standard error."""
    from content_arena.pipelines.cli.progress import RunDisplay
    from content_arena.pipelines.execution import local as runner

    with RunDisplay(err) as display:
        return runner.run(pipeline, arguments, home, display.watch, engine)
