"""``arena run`` and ``arena battle``: pipelines that run on this machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from content_arena.components.shared.errors import InputError
from content_arena.pipelines.cli import tables
from content_arena.pipelines.cli.console import err, out, says_errors
from content_arena.pipelines.cli.options import (
    MAX_TEXTS_CPU,
    MAX_TEXTS_CUDA,
    Alias,
    AsJson,
    BudgetOption,
    DataOption,
    Device,
    HeldOutOption,
    LabelColumnOption,
    LangOption,
    MaxTextsOption,
    Runner,
    RunnerOption,
    SeedOption,
    TextColumnOption,
    TextsOption,
)
from content_arena.pipelines.execution.home import ArenaHome, registry_here

if TYPE_CHECKING:
    from content_arena.pipelines.execution.local import LocalRun


def add_to(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    app.command()(run)
    app.command()(battle)


@says_errors
def run(
    data: DataOption = "embedded",
    base_model: Annotated[
        str, typer.Option(help="Encoder to train from: embedded name, folder, or hub id such as klue/bert-base.")
    ] = "all-MiniLM-L6-v2",
    lang: LangOption = "en",
    budget: BudgetOption = 3,
    generations: Annotated[int, typer.Option(min=1, help="How many times to go round.")] = 1,
    seed: SeedOption = 0,
    device: Annotated[Device, typer.Option(help="Where to train; auto takes a GPU where there is one.")] = Device.AUTO,
    epochs: Annotated[
        int, typer.Option(min=1, help="Passes over the training data at most; half as many from a warm start.")
    ] = 4,
    warm_start: Annotated[
        bool, typer.Option("--warm-start/--cold-start", help="Train the challenger on from the champion's adapter.")
    ] = True,
    texts: TextsOption = 200,
    max_texts: MaxTextsOption = None,
    text_column: TextColumnOption = None,
    label_column: LabelColumnOption = None,
    held_out: HeldOutOption = None,
    runner: RunnerOption = Runner.SUBPROCESS,
    as_json: AsJson = False,
) -> None:
    """Go round the loop: attack the champion, label, train a challenger, compare, promote it or say why not.

    The first run trains the first champion. Exit code 0 once there is a verdict, whichever it is.
    """
    from content_arena.components.qlora_training import base_models

    # The trainer would say the same, a minute later.
    base_models.resolve(base_model)
    home = ArenaHome.from_environment()
    arguments = {
        **_data_arguments(data, lang, max_texts, text_column, label_column, device),
        **_held_out(held_out),
        "base_model": str(Path(base_model).absolute()) if Path(base_model).is_dir() else base_model,
        "budget": budget,
        "texts_per_label": texts,
        "epochs": epochs,
        "warm_start": warm_start,
        "device": device.value,
        "checkpoint_dir": str(home.checkpoints),
        "tracking_uri": home.tracking_uri,
    }
    results = []
    engine = _engine(home, runner, data, base_model)
    with home.exclusive():
        for turn in range(generations):
            result = _one_generation(home, {**arguments, "seed": seed + turn}, engine)
            results.append(result)
            if not as_json:
                tables.print_run(out, result)
    if as_json:
        print(json.dumps(results[-1] | ({"generations": results} if generations > 1 else {})))


@says_errors
def battle(
    victim: Annotated[
        str, typer.Option(help="Who is attacked: champion, challenger, previous, a version, a bundle folder or a URL.")
    ] = "champion",
    data: DataOption = "embedded",
    lang: LangOption = "en",
    budget: BudgetOption = 3,
    seed: SeedOption = 0,
    texts: TextsOption = 200,
    max_texts: MaxTextsOption = None,
    text_column: TextColumnOption = None,
    label_column: LabelColumnOption = None,
    held_out: HeldOutOption = None,
    runner: RunnerOption = Runner.SUBPROCESS,
    as_json: AsJson = False,
) -> None:
    """Attack a filter and see what gets through, strategy by strategy; trains and changes nothing.

    A URL is a KServe V1 or V2 endpoint (http://host:8080 means its content-filter model).
    """
    from content_arena.pipelines.definitions import battle as battles

    home = ArenaHome.from_environment()
    is_folder = Path(victim).is_dir()
    if victim.isdigit() or victim in set(Alias):
        # The stage would say the same, after it has read the corpus.
        registry_here().resolve(victim)
    elif not is_folder and "://" not in victim:
        raise InputError(
            f"there is no victim {victim}: give {', '.join(Alias)}, a version, a bundle folder, or a URL with http://"
        )
    arguments = {
        **_data_arguments(data, lang, max_texts, text_column, label_column, Device.CPU),
        **_held_out(held_out),
        "victim": str(Path(victim).absolute()) if is_folder else victim,
        "budget": budget,
        "texts_per_label": texts,
        "seed": seed,
        "tracking_uri": home.tracking_uri,
    }
    with home.exclusive():
        finished = _follow(battles.build(), arguments, home, _engine(home, runner, data, victim))
    rows = _battle_rows(finished)
    if as_json:
        sha256 = finished.parameter("gather_attacks", "attack_set_sha256")
        print(json.dumps({"victim": victim, "attack_set_sha256": sha256, "strategies": rows}))
        return
    out.print(tables.battle_table(rows, victim, budget, seed))


def _data_arguments(
    data: str,
    lang: str,
    max_texts: int | None,
    text_column: str | None,
    label_column: str | None,
    device: Device,
) -> dict[str, Any]:
    if data != "embedded" and "://" not in data:
        from content_arena.components.corpus_preparation import formats

        path = Path(data).expanduser().absolute()
        # The stage would say the same, seconds later.
        formats.check_is_file(path)
        data = str(path)
    return {
        "data": data,
        "lang": lang,
        "max_texts": max_texts or (MAX_TEXTS_CUDA if _has_gpu(device) else MAX_TEXTS_CPU),
        "text_column": text_column,
        "label_column": label_column,
    }


def _held_out(names: list[str] | None) -> dict[str, Any]:
    if not names:
        return {}
    from content_arena.components.attack_generation import strategies

    # The stage would say the same, after it has read the corpus.
    strategies.check_installed(names)
    return {"held_out_strategies": names}


def _has_gpu(device: Device) -> bool:
    """Whether training will use a GPU, without importing torch for it."""
    return device is Device.CUDA or (device is Device.AUTO and Path("/dev/nvidia0").exists())


def _one_generation(home: ArenaHome, arguments: dict[str, Any], engine: Any) -> dict[str, Any]:  # noqa: ANN401
    """Runs the arena once and puts together what ``--json`` answers."""
    import shutil

    from content_arena.components.shared import evaluation_record
    from content_arena.pipelines.definitions import arena
    from content_arena.pipelines.definitions.stages import STAGES

    finished = _follow(arena.build(), arguments, home, engine)
    verdict = finished.parameter("promote_challenger", "verdict")
    evaluation = evaluation_record.read(finished.artifact("evaluate_challenger", "evaluation"))
    report = home.reports / f"{finished.name}.html"
    report.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(finished.artifact("promote_challenger", "report"), report)
    return {
        "generation": int(verdict["generation"]),
        "champion_version": verdict["champion_version"],
        "challenger_version": verdict["challenger_version"],
        "promoted": verdict["promoted"],
        "reasons": verdict["reasons"],
        "metrics": {who: model.headline() for who, model in evaluation.models.items()},
        "attack_set_sha256": finished.parameter("gather_attacks", "attack_set_sha256"),
        "evaluation_set_sha256": evaluation.attack_set_sha256,
        "seconds": {stage: verdict["seconds"].get(stage) for stage in STAGES},
        "report": str(report),
    }


def _engine(home: ArenaHome, kind: Runner, *inputs: str) -> Any:  # noqa: ANN401
    """What runs the tasks; containers see the folders of those inputs that are files or folders here."""
    from content_arena.components.shared.images import COMPONENT_IMAGE
    from content_arena.pipelines.execution import local as runner

    if kind is Runner.SUBPROCESS:
        return runner.subprocesses()
    paths = [Path(given).absolute() for given in inputs if Path(given).exists()]
    return runner.containers(home, COMPONENT_IMAGE, [path if path.is_dir() else path.parent for path in paths])


def _follow(pipeline: Any, arguments: dict[str, Any], home: ArenaHome, engine: Any) -> LocalRun:  # noqa: ANN401
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
        # A champion knows its training texts by heart; what it does to others is what counts.
        attacks = attacks[attacks["split"] == "validation"]
        for strategy, figures in metrics.of_battle(attacks).items():
            rates = {"evasion": figures.evasion.as_dict(), "benign_flagged": figures.benign_flagged.as_dict()}
            rows.append({"strategy": strategy, "held_out": held_out, **rates, "undone": figures.undone.as_dict()})
    return rows
