"""The command line ``arena``: the door for people and scripts.

Results go to standard output, everything else to standard error. Exit codes: 0 done (a run that ended in a verdict,
whichever), 1 the answer is no (promotion refused, nothing to roll back to), 2 something given can not be used.

Nothing heavy is imported before a command needs it, so ``arena --help`` answers at once.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from content_arena.components.shared.errors import InputError, RefusedError
from content_arena.pipelines import cluster_commands, presentation, rollout_commands
from content_arena.pipelines.console import err, out, says_errors, tell
from content_arena.pipelines.options import (
    MAX_TEXTS_CPU,
    MAX_TEXTS_CUDA,
    Alias,
    AsJson,
    DataOption,
    Device,
    LabelColumnOption,
    LangOption,
    MaxTextsOption,
    RoundsOption,
    Runner,
    RunnerOption,
    SeedOption,
    TextColumnOption,
    TextsOption,
)

if TYPE_CHECKING:
    from content_arena.components.registry_promotion.registry import Registry
    from content_arena.pipelines.home import ArenaHome
    from content_arena.pipelines.runner import LocalRun

app = typer.Typer(
    name="arena",
    help="Keeps a content filter ahead of the people who write around it.\n\n"
    "State lives in $ARENA_HOME (default .arena): registry, models, runs, reports.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        print(f"content-arena {version('content-arena')}")
        raise typer.Exit


@app.callback()
def arena(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """See ``help`` above; this is where options of the program itself are declared."""


@app.command()
@says_errors
def run(
    data: DataOption = "embedded",
    base_model: Annotated[
        str, typer.Option(help="Encoder to train from: embedded name, folder, or hub id such as klue/bert-base.")
    ] = "all-MiniLM-L6-v2",
    lang: LangOption = "en",
    rounds: RoundsOption = 3,
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
    runner: RunnerOption = Runner.SUBPROCESS,
    as_json: AsJson = False,
) -> None:
    """Go round the loop: attack the champion, label, train a challenger, compare, promote it or say why not.

    The first run trains the first champion. Exit code 0 once there is a verdict, whichever it is.
    """
    from content_arena.components.qlora_training import base_models
    from content_arena.pipelines.home import ArenaHome

    # The trainer would say the same, a minute later.
    base_models.resolve(base_model)
    home = ArenaHome.from_environment()
    arguments = {
        **_data_arguments(data, lang, max_texts, text_column, label_column, device),
        "base_model": str(Path(base_model).absolute()) if Path(base_model).is_dir() else base_model,
        "rounds": rounds,
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
                presentation.print_run(out, result)
    if as_json:
        print(json.dumps(results[-1] | ({"generations": results} if generations > 1 else {})))


@app.command()
@says_errors
def battle(
    victim: Annotated[
        str, typer.Option(help="Who is attacked: champion, challenger, previous, a version, a bundle folder or a URL.")
    ] = "champion",
    data: DataOption = "embedded",
    lang: LangOption = "en",
    rounds: RoundsOption = 3,
    seed: SeedOption = 0,
    texts: TextsOption = 200,
    max_texts: MaxTextsOption = None,
    text_column: TextColumnOption = None,
    label_column: LabelColumnOption = None,
    runner: RunnerOption = Runner.SUBPROCESS,
    as_json: AsJson = False,
) -> None:
    """Attack a filter and see what gets through, strategy by strategy; trains and changes nothing.

    A URL is a KServe V1 or V2 endpoint (http://host:8080 means its content-filter model).
    """
    from content_arena.pipelines import battle as battles
    from content_arena.pipelines.home import ArenaHome

    home = ArenaHome.from_environment()
    is_folder = Path(victim).is_dir()
    if victim.isdigit() or victim in set(Alias):
        # The stage would say the same, after it has read the corpus.
        _registry().resolve(victim)
    elif not is_folder and "://" not in victim:
        raise InputError(
            f"there is no victim {victim}: give {', '.join(Alias)}, a version, a bundle folder, or a URL with http://"
        )
    arguments = {
        **_data_arguments(data, lang, max_texts, text_column, label_column, Device.CPU),
        "victim": str(Path(victim).absolute()) if is_folder else victim,
        "rounds": rounds,
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
    out.print(presentation.battle_table(rows, victim, rounds, seed))


@app.command()
@says_errors
def status(as_json: AsJson = False) -> None:
    """Show which version is champion, challenger and previous, with its figures."""
    registry = _registry()
    aliases = registry.aliases()
    if as_json:
        print(json.dumps({alias: presentation.version_json(version) for alias, version in aliases.items()}))
        return
    if not aliases:
        out.print("The registry is empty: `arena run` trains the first champion.")
        return
    out.print(presentation.status_table(aliases))
    others = presentation.others_line(registry.versions(), aliases)
    if others:
        out.print(others, highlight=False, soft_wrap=True, markup=False)


@app.command()
@says_errors
def promote(
    version: Annotated[str, typer.Argument(help="Alias or number of a version.")] = "challenger",
    force: Annotated[
        bool, typer.Option("--force", help="Promote although gates failed or it was rejected; needs --reason.")
    ] = False,
    reason: Annotated[str | None, typer.Option(help="Why, for the record.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make the challenger, or any other version, the champion if its gates passed. Exit code 1 if they did not."""
    from content_arena.components.registry_promotion.publish import publish

    registry = _registry()
    if version == registry.CHALLENGER and registry.version_of(version) is None:
        raise RefusedError("there is no challenger to promote: `arena run` trains one, or name a version's number")
    if force and not reason:
        raise InputError("--force needs --reason: say why this version serves all the same")
    number, champion = registry.resolve(version), registry.version_of(registry.CHAMPION)
    if number == champion:
        raise InputError(f"version {number} is the champion already")
    if force:
        registry.note_override(number, str(reason))
    else:
        _check_verdict(registry, number, champion)
    registry.promote(number, expected_champion=champion)
    publish(registry)
    if as_json:
        print(json.dumps({"champion_version": str(number), "previous_version": str(champion) if champion else None}))
    else:
        out.print(f"Version {number} is the champion, version {champion} the previous one.")


@app.command()
@says_errors
def rollback(
    reason: Annotated[str, typer.Option(help="Why, for the record.")] = "rolled back by hand",
    as_json: AsJson = False,
) -> None:
    """Make the previous version the champion again. Exit code 1 if there is none."""
    from content_arena.components.registry_promotion.publish import publish

    registry = _registry()
    rejected, champion = registry.rollback(reason)
    publish(registry)
    if as_json:
        print(json.dumps({"champion_version": str(champion), "rejected_version": str(rejected)}))
    else:
        out.print(f"Version {champion} is the champion again, version {rejected} is tagged rejected.")


@app.command()
@says_errors
def serve(
    alias: Annotated[
        str, typer.Option(help="Which version to serve: champion, challenger, previous or a version's number.")
    ] = "champion",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8080,
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for every interface.")] = "127.0.0.1",
) -> None:
    """Serve a version over KServe's V1 and V2 protocols, with health and /metrics, until Ctrl-C.

    Try: curl -d '{"instances": ["have a nice day"]}' localhost:8080/v1/models/content-filter:predict
    """
    registry = _registry()
    version = registry.resolve(alias)
    path = registry.download(version)
    from content_arena.components.predictor.server import serve as serve_bundle
    from content_arena.components.shared import bundle as bundles

    threshold = bundles.load(path).spec.threshold
    what = f"version {version}" + ("" if alias.isdigit() else f", the {alias},")

    def announce(url: str) -> None:
        tell(f"serving {what} on {url}: toxic from a score of {threshold:.3f} on; Ctrl-C ends it")

    alias_shown = None if alias.isdigit() else alias
    serve_bundle(path, port=port, host=host, alias=alias_shown, version=str(version), announce=announce)


cluster_commands.add_to(app)
rollout_commands.add_to(app)


def main() -> None:
    """Entry point of the console script."""
    app()


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


def _has_gpu(device: Device) -> bool:
    """Whether training will use a GPU, without importing torch for it."""
    return device is Device.CUDA or (device is Device.AUTO and Path("/dev/nvidia0").exists())


def _one_generation(home: ArenaHome, arguments: dict[str, Any], engine: Any) -> dict[str, Any]:  # noqa: ANN401
    """Runs the arena once and puts together what ``--json`` answers."""
    import shutil

    from content_arena.components.evaluation.evaluate import headline
    from content_arena.pipelines import arena
    from content_arena.pipelines.stages import STAGES

    finished = _follow(arena.build(), arguments, home, engine)
    verdict = finished.parameter("promote_challenger", "verdict")
    evaluation = json.loads(finished.artifact("evaluate_challenger", "evaluation").read_text(encoding="utf-8"))
    report = home.reports / f"{finished.name}.html"
    report.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(finished.artifact("promote_challenger", "report"), report)
    return {
        "generation": int(verdict["generation"]),
        "champion_version": verdict["champion_version"],
        "challenger_version": verdict["challenger_version"],
        "promoted": verdict["promoted"],
        "reasons": verdict["reasons"],
        "metrics": {who: headline(evaluation[who]) for who in ("champion", "challenger")},
        "attack_set_sha256": finished.parameter("gather_attacks", "attack_set_sha256"),
        "evaluation_set_sha256": evaluation["attack_set_sha256"],
        "seconds": {stage: verdict["seconds"].get(stage) for stage in STAGES},
        "report": str(report),
    }


def _engine(home: ArenaHome, kind: Runner, *inputs: str) -> Any:  # noqa: ANN401
    """What runs the tasks; containers see the folders of those inputs that are files or folders here."""
    from content_arena.components.shared.images import COMPONENT_IMAGE
    from content_arena.pipelines import runner

    if kind is Runner.SUBPROCESS:
        return runner.subprocesses()
    paths = [Path(given).absolute() for given in inputs if Path(given).exists()]
    return runner.containers(home, COMPONENT_IMAGE, [path if path.is_dir() else path.parent for path in paths])


def _follow(pipeline: Any, arguments: dict[str, Any], home: ArenaHome, engine: Any) -> LocalRun:  # noqa: ANN401
    from content_arena.pipelines import runner
    from content_arena.pipelines.progress import RunDisplay

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
        for strategy, figures in metrics.per_strategy(metrics.judged(attacks)).items():
            rates = {"evasion": figures.evasion.as_dict(), "benign_flagged": figures.benign_flagged.as_dict()}
            rows.append({"strategy": strategy, "held_out": held_out, **rates, "undone": figures.undone.as_dict()})
    return rows


def _registry() -> Registry:
    """The registry of this machine; asking an empty folder about its champion must not make a database in it."""
    from content_arena.components.registry_promotion.registry import Registry
    from content_arena.pipelines.home import ArenaHome

    home = ArenaHome.from_environment()
    if not home.exists():
        raise InputError(f"there is no arena in {home.path}: `arena run` makes one, ARENA_HOME names another place")
    return Registry(home.tracking_uri)


def _check_verdict(registry: Registry, version: int, champion: int | None) -> None:
    """Refuses a version that was taken back, whose gates failed, or that was never judged against today's champion."""
    rejection = registry.get(version).rejection
    if rejection:
        raise RefusedError(f"version {version} was rejected ({rejection}); --force --reason overrides")
    verdict = registry.verdict(version)
    if verdict is None:
        raise RefusedError(f"version {version} was never evaluated: `arena run` does it; --force --reason overrides")
    judged_against, results = verdict
    if judged_against != champion:
        raise RefusedError(
            f"version {version} was judged against champion {judged_against}, and {champion} serves now: run again"
        )
    failed = [result.reason for result in results if not result.passed]
    if failed:
        raise RefusedError(f"version {version} is not promoted: {'; '.join(failed)}; --force --reason overrides")
