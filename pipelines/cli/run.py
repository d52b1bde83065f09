"""``arena run``: the loop on this machine."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from content_arena.components.labeling.settings import LabelingSettings
from content_arena.components.shared.chat import ChatSettings, open_chat
from content_arena.components.shared.errors import InputError
from content_arena.components.shared.mlflow_tracking import reachable
from content_arena.pipelines.cli import local_runs, standard_input, tables
from content_arena.pipelines.cli.console import out
from content_arena.pipelines.cli.group import RenamedOptions
from content_arena.pipelines.cli.grouped import grouped
from content_arena.pipelines.cli.options import (
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
from content_arena.pipelines.definitions.parameters import ARENA, PARAMETERS
from content_arena.pipelines.execution import room
from content_arena.pipelines.execution.home import ArenaHome, registry_here

if TYPE_CHECKING:
    from collections.abc import Mapping

    from content_arena.components.registry.verdict import PromotionVerdict
    from content_arena.pipelines.execution.engines import Engine
    from content_arena.pipelines.execution.local import LocalRun

EMBEDDED: str = PARAMETERS["data"].default
_ADVICE = "the next `arena run` trains on from the last checkpoint"


def add_to(app: typer.Typer) -> None:
    """Adds the command to the command line."""
    app.command(cls=RenamedOptions)(run)


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
        **local_runs.arguments(settings, ARENA, corpus, attack, has_gpu=_has_gpu(device)),
        **_guard_arguments(guard, corpus.lang),
        "base_model": str(Path(base_model).absolute()) if Path(base_model).is_dir() else base_model,
        "epochs": epochs,
        "warm_start": warm_start,
        "device": device,
        "checkpoint_dir": str(home.checkpoints),
        "tracking_uri": home.tracking_uri,
    }
    _require_judge(arguments)
    reachable.require(home.tracking_uri)
    room.require(home, generations)
    engine = local_runs.engine(home, runner, local_runs.file_of(corpus.data, corpus.query), guard.guard, base_model)
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


def _require_judge(arguments: Mapping[str, Any]) -> None:
    """Looks for an LLM if one judges: the stage would only note that there is none, after the battle.

    Raises:
        ChatError: There is none.
    """
    if arguments.get("settings", {}).get(LabelingSettings.SECTION, {}).get("judged_texts"):
        open_chat(ChatSettings())


def _has_no_champion(result: Mapping[str, Any]) -> bool:
    """Whether a run ended with the refusal of the first version: nothing serves, and nothing can be attacked."""
    return result["champion_version"] is None


def _guard_arguments(options: GuardOptions, lang: str) -> dict[str, Any]:
    """The arguments of the guard set."""
    if options.require_guard and options.guard == EMBEDDED:
        from content_arena.components.corpus_preparation import guard

        # The challenger would be refused as well, after the training.
        if not guard.has_embedded_guard(lang):
            raise InputError(f"--require-guard: there is no embedded guard set in {lang!r}; name a file with --guard")
    return {"guard": local_runs.absolute(options.guard, parameter="guard"), "require_guard": options.require_guard}


def _has_gpu(device: str) -> bool:
    """Whether training will use a GPU, without importing torch for it."""
    return device == "cuda" or (device == "auto" and Path("/dev/nvidia0").exists())


def _one_generation(home: ArenaHome, arguments: dict[str, Any], engine: Engine) -> dict[str, Any]:
    """Runs the arena once; returns what ``--json`` answers."""
    from content_arena.components.registry.verdict import PromotionVerdict
    from content_arena.components.shared.evaluations import evaluation_record
    from content_arena.pipelines.definitions import arena
    from content_arena.pipelines.execution.stage_log import StageRefusedError

    try:
        finished = local_runs.follow(arena.build(), arguments, home, engine)
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
        "corpus": local_runs.corpus_answer(finished),
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
        "corpus": local_runs.corpus_answer(failed),
    }


def _answer(verdict: PromotionVerdict) -> dict[str, Any]:
    """The part of ``--json`` that a verdict gives."""
    from content_arena.pipelines.definitions.stage_table import GENERATION

    document = verdict.as_json()
    names = ("generation", "champion_version", "challenger_version", "promoted", "reasons", "gates", "floors", "guard")
    seconds = {stage: verdict.seconds.get(stage) for stage in GENERATION}
    return {name: document[name] for name in names} | {"seconds": seconds}


def _keep_report(home: ArenaHome, run: LocalRun, stage: str) -> Path:
    """Copies a stage's page to where reports are kept."""
    report = home.reports / f"{run.name}.html"
    report.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(run.artifact(stage, "report"), report)
    return report
