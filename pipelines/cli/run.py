"""``arena run`` and ``arena battle``: pipelines that run on this machine."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from content_arena.components.attack_generation.settings import AttackSettings
from content_arena.components.shared import reachable
from content_arena.components.shared.errors import InputError
from content_arena.pipelines.cli import standard_input, tables
from content_arena.pipelines.cli.console import err, out
from content_arena.pipelines.cli.group import RenamedOptions
from content_arena.pipelines.cli.grouped import grouped
from content_arena.pipelines.cli.options import (
    MAX_TEXTS_CPU,
    MAX_TEXTS_CUDA,
    Alias,
    AsJson,
    AttackOptions,
    CorpusOptions,
    DeviceOption,
    GuardOptions,
    Runner,
    RunnerOption,
    SettingsOption,
    described,
)
from content_arena.pipelines.definitions.parameters import ARENA, BATTLE, PARAMETERS, Parameter
from content_arena.pipelines.definitions.settings_file import RunSettings
from content_arena.pipelines.execution import room
from content_arena.pipelines.execution.home import ArenaHome, registry_here

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kfp.dsl.base_component import BaseComponent

    from content_arena.components.registry.verdict import PromotionVerdict
    from content_arena.pipelines.execution.engines import Engine
    from content_arena.pipelines.execution.local import LocalRun

EMBEDDED: str = PARAMETERS["data"].default
_ADVICE = "the next `arena run` trains on from the last checkpoint"


def add_to(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    app.command(cls=RenamedOptions)(run)
    app.command(cls=RenamedOptions)(battle)


@grouped
def run(
    corpus: CorpusOptions,
    guard: GuardOptions,
    attack: AttackOptions,
    base_model: Annotated[str, typer.Option(help=described("base_model"))] = PARAMETERS["base_model"].default,
    generations: Annotated[int, typer.Option(min=1, help="How many generations to run.")] = 1,
    device: DeviceOption = PARAMETERS["device"].default,
    epochs: Annotated[int, typer.Option(min=1, help=described("epochs"))] = PARAMETERS["epochs"].default,
    warm_start: Annotated[
        bool,
        typer.Option("--warm-start/--cold-start", help="Continue from the champion's adapter, or start anew."),
    ] = PARAMETERS["warm_start"].default,
    settings: SettingsOption = None,
    runner: RunnerOption = Runner.SUBPROCESS,
    as_json: AsJson = False,
) -> None:
    """Run a generation: attack the champion, label, train a challenger, compare the two, promote it or refuse.

    The first run trains the first champion. Exit code 0 once a challenger has its verdict, yes or no; 1 if the first
    champion does not reach the floors (section "floors" of the settings file), and then nothing serves.
    """
    from content_arena.components.qlora_training import base_models, encoders

    # The stage would refuse it as well, a minute later.
    base_models.check(encoders.named(base_model, corpus.lang), corpus.lang)
    home = ArenaHome.from_environment()
    arguments = {
        **_arguments(settings, ARENA, corpus, attack, has_gpu=_has_gpu(device)),
        **_guard_arguments(guard, corpus.lang),
        "base_model": str(Path(base_model).absolute()) if Path(base_model).is_dir() else base_model,
        "epochs": epochs,
        "warm_start": warm_start,
        "device": device,
        "checkpoint_dir": str(home.checkpoints),
        "tracking_uri": home.tracking_uri,
    }
    reachable.require(home.tracking_uri)
    room.require(home, generations)
    engine = _engine(home, runner, _file_of(corpus), guard.guard, base_model)
    results: list[dict[str, Any]] = []
    try:
        with home.exclusive(), standard_input.as_file(arguments["data"], home.path) as data:
            arguments["data"] = data
            while len(results) < generations and not (results and _has_no_champion(results[-1])):
                results.append(_one_generation(home, {**arguments, "seed": attack.seed + len(results)}, engine))
                if not as_json:
                    tables.print_run(out, results[-1])
    except KeyboardInterrupt as stop:
        raise KeyboardInterrupt(_ADVICE) from stop
    if as_json:
        print(json.dumps(results[-1] | ({"generations": results} if generations > 1 else {})))
    if _has_no_champion(results[-1]):
        raise typer.Exit(1)


def _has_no_champion(result: Mapping[str, Any]) -> bool:
    """Whether a run ended with the refusal of the first version: nothing serves, and nothing can be attacked."""
    return result["champion_version"] is None


@grouped
def battle(
    corpus: CorpusOptions,
    attack: AttackOptions,
    victim: Annotated[str, typer.Option(help=described("victim"))] = PARAMETERS["victim"].default,
    settings: SettingsOption = None,
    runner: RunnerOption = Runner.SUBPROCESS,
    as_json: AsJson = False,
) -> None:
    """Attack a filter and see what gets through, strategy by strategy; trains and changes nothing.

    A URL is a KServe V1 or V2 endpoint (http://host:8080 means its content-filter model).
    """
    from content_arena.pipelines.definitions import battle as battles

    home = ArenaHome.from_environment()
    is_folder = Path(victim).is_dir()
    if victim.isdecimal() or victim in set(Alias):
        # The stage would refuse it as well, after it has read the corpus.
        registry_here().resolve(victim)
    elif not is_folder and "://" not in victim:
        raise InputError(
            f"there is no victim {victim}: give {', '.join(Alias)}, a version, a bundle folder, or a URL with http://"
        )
    arguments = {
        **_arguments(settings, BATTLE, corpus, attack, has_gpu=False),
        "victim": str(Path(victim).absolute()) if is_folder else victim,
        "tracking_uri": home.tracking_uri,
    }
    reachable.require(home.tracking_uri)
    with home.exclusive(), standard_input.as_file(arguments["data"], home.path) as data:
        arguments["data"] = data
        finished = _follow(battles.build(), arguments, home, _engine(home, runner, _file_of(corpus), victim))
    rows = _battle_rows(finished)
    if as_json:
        sha256 = finished.parameter("gather_attacks", "attack_set_sha256")
        answer = {"victim": victim, "attack_set_sha256": sha256, "strategies": rows}
        print(json.dumps(answer | {"corpus": _corpus_answer(finished)}))
        return
    out.print(tables.battle_table(rows, victim, attack.budget, attack.seed))


def _arguments(
    settings: RunSettings | None,
    parameters: Sequence[Parameter],
    corpus: CorpusOptions,
    attack: AttackOptions,
    *,
    has_gpu: bool,
) -> dict[str, Any]:
    """The arguments that both pipelines have: those of the settings file, replaced by the options."""
    names = tuple(parameter.name for parameter in parameters)
    arguments = {
        **(settings or RunSettings()).for_pipeline(names),
        "lang": corpus.lang,
        "max_texts": corpus.max_texts or (MAX_TEXTS_CUDA if has_gpu else MAX_TEXTS_CPU),
        **_reading(corpus),
        "budget": attack.budget,
        "texts_per_label": attack.texts,
        "seed": attack.seed,
    }
    arguments["data"] = _absolute(corpus.data, corpus.query)
    if attack.held_out:
        from content_arena.components.attack_generation import strategies

        # The stage would refuse it as well, after it has read the corpus.
        strategies.check_installed(attack.held_out)
        arguments["held_out_strategies"] = attack.held_out
    if attack.strategies or attack.families:
        _select(arguments, attack)
    return arguments


def _select(arguments: dict[str, Any], attack: AttackOptions) -> None:
    """Puts the strategies that the options name into the settings, in place of those of the settings file."""
    from content_arena.components.attack_generation import strategies

    names, families = attack.strategies or [], attack.families or []
    # The stage would refuse it as well, after it has read the corpus.
    selection = AttackSettings(strategies=tuple(names), families=tuple(families)).selection
    strategies.selected(arguments["lang"], selection)
    arguments.setdefault("settings", {}).setdefault("attack", {}).update(strategies=names, families=families)


def _reading(corpus: CorpusOptions) -> dict[str, str]:
    """The options that say how the data is to be read, as parameters of a pipeline; those that are given."""
    from content_arena.components.corpus_preparation.reading_options import ReadingOptions

    names = ("text_column", "label_column", "label_columns", "label_map", "quoting", "encoding", "query")
    given = {name: value for name in names if (value := getattr(corpus, name))}
    # The stage would refuse them as well, seconds later.
    ReadingOptions.of(given)
    return given


def _absolute(data: str, query: str | None = None, parameter: str = "data") -> str:
    """The name of data, as a stage that runs in another folder finds it."""
    from content_arena.components.corpus_preparation import databases, formats, sources

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


def _file_of(corpus: CorpusOptions) -> str:
    """The data, or the file of its database."""
    from content_arena.components.corpus_preparation import databases

    path = databases.file_of(corpus.data) if corpus.query else None
    return corpus.data if path is None else str(path.expanduser())


def _guard_arguments(options: GuardOptions, lang: str) -> dict[str, Any]:
    """The arguments of the guard set."""
    if options.require_guard and options.guard == EMBEDDED:
        from content_arena.components.corpus_preparation import guard

        # The challenger would be refused as well, after the training.
        if not guard.has_embedded_guard(lang):
            raise InputError(f"--require-guard: there is no embedded guard set in {lang!r}; name a file with --guard")
    return {"guard": _absolute(options.guard, parameter="guard"), "require_guard": options.require_guard}


def _has_gpu(device: str) -> bool:
    """Whether training will use a GPU, without importing torch for it."""
    return device == "cuda" or (device == "auto" and Path("/dev/nvidia0").exists())


def _one_generation(home: ArenaHome, arguments: dict[str, Any], engine: Engine) -> dict[str, Any]:
    """Runs the arena once; returns what ``--json`` answers."""
    from content_arena.components.registry.verdict import PromotionVerdict
    from content_arena.components.shared import evaluation_record
    from content_arena.pipelines.definitions import arena
    from content_arena.pipelines.execution.stage_log import StageRefusedError

    try:
        finished = _follow(arena.build(), arguments, home, engine)
    except StageRefusedError as error:
        refused = _refused_first_version(home, error.run) if error.run else None
        if refused is None:
            raise
        return refused
    verdict = PromotionVerdict.from_json(finished.parameter("promote_challenger", "verdict"))
    evaluation = evaluation_record.read(finished.artifact("evaluate_challenger", "evaluation"))
    return _answer(verdict) | {
        "metrics": {role: model.headline() for role, model in evaluation.models.items()},
        "held_out_strategies": list(evaluation.held_out),
        "held_out_reason": evaluation.held_out_reason,
        "undone_strategies": list(evaluation.undone),
        "attack_set_sha256": finished.parameter("gather_attacks", "attack_set_sha256"),
        "evaluation_set_sha256": evaluation.attack_set_sha256,
        "report": str(_keep_report(home, finished, "promote_challenger")),
        "corpus": _corpus_answer(finished),
    }


def _refused_first_version(home: ArenaHome, failed: LocalRun) -> dict[str, Any] | None:
    """What ``--json`` answers if the first version did not reach the floors; None if the run failed for another reason.

    The stage that judges it succeeds, and the next one finds no champion.
    """
    from content_arena.components.registry.verdict import PromotionVerdict

    document = failed.parameter_if_any("bootstrap_champion", "verdict")
    if not document:
        return None
    verdict = PromotionVerdict.from_json(document)
    if verdict.promoted:
        return None
    metrics = registry_here().get(int(verdict.challenger_version)).metrics
    return _answer(verdict) | {
        "metrics": {"champion": None, "challenger": metrics},
        "held_out_strategies": None,
        "held_out_reason": None,
        "undone_strategies": None,
        "attack_set_sha256": None,
        "evaluation_set_sha256": None,
        "report": str(_keep_report(home, failed, "bootstrap_champion")),
        "corpus": _corpus_answer(failed),
    }


def _answer(verdict: PromotionVerdict) -> dict[str, Any]:
    """The part of ``--json`` that a verdict gives."""
    from content_arena.pipelines.definitions.stage_table import GENERATION

    document = verdict.as_json()
    names = ("generation", "champion_version", "challenger_version", "promoted", "reasons", "gates", "floors", "guard")
    seconds = {stage: verdict.seconds.get(stage) for stage in GENERATION}
    return {name: document[name] for name in names} | {"seconds": seconds}


def _corpus_answer(run: LocalRun) -> dict[str, Any]:
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


def _keep_report(home: ArenaHome, run: LocalRun, stage: str) -> Path:
    """Copies a stage's page to where reports are kept."""
    report = home.reports / f"{run.name}.html"
    report.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(run.artifact(stage, "report"), report)
    return report


def _engine(home: ArenaHome, kind: Runner, *inputs: str) -> Engine:
    """What runs the tasks; containers see the folders of those inputs that are files or folders here."""
    from content_arena.components.shared.images import COMPONENT_IMAGE
    from content_arena.pipelines.execution import engines

    if kind is Runner.SUBPROCESS:
        return engines.subprocesses()
    paths = [Path(given).absolute() for given in inputs if Path(given).exists()]
    return engines.containers(home, COMPONENT_IMAGE, [path if path.is_dir() else path.parent for path in paths])


def _follow(pipeline: BaseComponent, arguments: dict[str, Any], home: ArenaHome, engine: Engine) -> LocalRun:
    from content_arena.pipelines.cli.progress import RunDisplay
    from content_arena.pipelines.execution import local as runner

    with RunDisplay(err) as display:
        return runner.run(pipeline, arguments, home, display.watch, engine)


def _battle_rows(finished: LocalRun) -> list[dict[str, Any]]:
    from content_arena.components.evaluation import metrics
    from content_arena.components.shared import records

    rows = []
    for name, held_out in (("attacks", False), ("held_out_attacks", True)):
        attacks = records.read(records.Attack, finished.artifact("gather_attacks", name))
        # A champion may have memorised its training texts, so only the others count.
        attacks = attacks[attacks["split"] == "validation"]
        for strategy, figures in metrics.of_battle(attacks).items():
            rates = {"evasion": figures.evasion.as_dict(), "benign_flagged": figures.benign_flagged.as_dict()}
            rows.append({"strategy": strategy, "held_out": held_out, **rates, "undone": figures.undone.as_dict()})
    return rows
