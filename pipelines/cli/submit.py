"""``arena compile`` and ``arena submit``: pipelines as YAML, and runs on Kubeflow Pipelines."""

from __future__ import annotations

import contextlib
import io
import json
import re
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from content_arena.components.shared.errors import InputError, RefusedError
from content_arena.components.shared.text.languages import require_code
from content_arena.pipelines.cli import console
from content_arena.pipelines.cli.console import out
from content_arena.pipelines.cli.grouped import grouped
from content_arena.pipelines.cli.options import AsJson, ClusterOptions, RolloutOptions, SettingsOption
from content_arena.pipelines.definitions.settings_file import RunSettings
from content_arena.pipelines.definitions.stage_table import STAGES, Resources
from content_arena.pipelines.execution.schedule import six_fields

if TYPE_CHECKING:
    from content_arena.pipelines.definitions.placement import Placement, RolloutPlacement

#: A stage, and quantities in Kubernetes' notation.
_REQUEST = re.compile(r"\w+=(?P<cpu>\d+(\.\d+)?|\d+m),(?P<memory>\d+[MG]i)", re.ASCII)
#: The types of KFP's parameters, texts apart: what JSON gives for them, and their names in messages.
_PARAMETER_TYPES: dict[str, tuple[tuple[type, ...], str]] = {
    "NUMBER_INTEGER": ((int,), "a whole number"),
    "NUMBER_DOUBLE": ((int, float), "a number"),
    "BOOLEAN": ((bool,), "true or false"),
    "LIST": ((list,), "a JSON list"),
    "STRUCT": ((dict,), "a JSON object"),
}


class Pipeline(StrEnum):
    """The pipelines."""

    ARENA = "arena"
    BATTLE = "battle"
    RETRAIN = "retrain"


def add_to(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    app.command(name="compile")(compile_pipelines)
    app.command()(submit)


@grouped
def compile_pipelines(
    cluster: ClusterOptions,
    rollout: RolloutOptions,
    to: Annotated[Path, typer.Option("--out", help="Folder to write to; made if it is not there.")] = Path("compiled"),
    settings: SettingsOption = None,
) -> None:
    """Write the pipelines as YAML for Kubeflow Pipelines: upload them in the dashboard or with `arena submit`.

    The values of a settings file become defaults of the pipelines' parameters.
    """
    try:
        to.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{to} cannot be written ({error.strerror}): give a folder with --out") from error
    placement = _placement(cluster, rollout, settings or RunSettings())
    for pipeline in Pipeline:
        path = _compile(pipeline, placement, settings or RunSettings(), to)
        out.print(str(path), highlight=False, soft_wrap=True)


@dataclass(frozen=True)
class ServerOptions:
    """Options for the server, and for whose run it is there."""

    host: Annotated[str, typer.Option(help="URL of Kubeflow Pipelines, such as http://localhost:8080.")]
    experiment: Annotated[str, typer.Option(help="Experiment of Kubeflow Pipelines; made if there is none.")] = (
        "content-arena"
    )
    namespace: Annotated[str, typer.Option(help="Namespace of the runs.")] = "kubeflow"
    service_account: Annotated[
        str | None, typer.Option(help="ServiceAccount of the pods; Kubeflow Pipelines' own if not given.")
    ] = None
    token: Annotated[
        str | None,
        typer.Option(
            envvar="CONTENT_ARENA_KFP_TOKEN", help="Bearer token for a server with users, such as Kubeflow's."
        ),
    ] = None
    cookie: Annotated[
        str | None,
        typer.Option(envvar="CONTENT_ARENA_KFP_COOKIE", help="Cookie for a server with users, as NAME=VALUE."),
    ] = None


@dataclass(frozen=True)
class ScheduleOptions:
    """Options for when the pipeline runs."""

    every: Annotated[
        int | None, typer.Option(min=60, help="Make a recurring run that starts every this many seconds.")
    ] = None
    cron: Annotated[
        str | None,
        typer.Option(help="Make a recurring run by this cron expression of five fields; six if seconds come first."),
    ] = None
    wait: Annotated[bool, typer.Option(help="Follow the run to its end.")] = True


@grouped
def submit(
    server: ServerOptions,
    schedule: ScheduleOptions,
    cluster: ClusterOptions,
    rollout: RolloutOptions,
    pipeline: Annotated[Pipeline, typer.Argument(help="Which pipeline to run.")] = Pipeline.ARENA,
    parameter: Annotated[
        list[str], typer.Option("--parameter", "-p", help="NAME=VALUE of the pipeline; repeat for more.")
    ] = [],  # noqa: B006 - typer's way to say "none"
    settings: SettingsOption = None,
    as_json: AsJson = False,
) -> None:
    """Upload a pipeline to Kubeflow Pipelines, run it once or on a schedule, and follow it.

    Exit code 0 once a followed run succeeded or a recurring run was made, 1 if the run failed.
    """
    import tempfile

    if schedule.every and schedule.cron:
        raise InputError("give --every or --cron, not both")
    if schedule.cron:
        # Before anything is uploaded.
        schedule = replace(schedule, cron=six_fields(schedule.cron))
    settings = settings or RunSettings()
    placement = _placement(cluster, rollout, settings)
    # KFP's client prints links to standard output, which is for the result of the command alone.
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        package = _compile(pipeline, placement, RunSettings(), Path(folder))
        arguments = settings.for_pipeline(_parameter_names(pipeline)) | parse_parameters(package, parameter)
        if "lang" in arguments:
            arguments["lang"] = require_code(arguments["lang"], "parameter lang")
        answer = _start(server, schedule, pipeline, package, arguments)
    if as_json:
        print(json.dumps(answer))
    if answer.get("state") not in (None, "SUCCEEDED"):
        raise RefusedError(f"the run ended {answer['state'].lower()}: {answer['url']} shows where")


def _start(
    server: ServerOptions, schedule: ScheduleOptions, pipeline: Pipeline, package: Path, arguments: dict[str, Any]
) -> dict[str, str]:
    """Starts or schedules a run, follows it if asked to, and returns what ``--json`` answers."""
    from content_arena.pipelines.execution.cluster import Login, Submission

    login = Login(server.token, server.cookie)
    submission = Submission(server.host, server.namespace, server.experiment, server.service_account, login)
    if schedule.every or schedule.cron:
        answer = submission.schedule(pipeline.value, package, arguments, every=schedule.every, cron=schedule.cron)
        console.status(f"recurring run {answer['recurring_run_id']} of {pipeline.value} is enabled at {server.host}")
        return answer
    answer = submission.start(pipeline.value, package, arguments)
    console.status(f"run {answer['run_id']}: {answer['url']}")
    if schedule.wait:
        try:
            answer["state"] = submission.follow(answer["run_id"], console.status)
        except KeyboardInterrupt as stop:
            raise KeyboardInterrupt(f"the run goes on, and {answer['url']} shows and ends it") from stop
    return answer


def parse_parameters(package: Path, given: list[str]) -> dict[str, Any]:
    """NAME=VALUE pairs as a compiled pipeline's parameters, each of its type.

    Raises:
        InputError: No such parameter, or a value that is not of its type; the message lists what there is.
    """
    import yaml

    spec = next(yaml.safe_load_all(package.read_text(encoding="utf-8")))
    known = spec["root"]["inputDefinitions"]["parameters"]
    arguments: dict[str, Any] = {}
    for pair in given:
        name, separator, value = pair.partition("=")
        if not separator or name not in known:
            raise InputError(f"no parameter {name!r}; wanted NAME=VALUE, NAME one of: {', '.join(sorted(known))}")
        arguments[name] = _parsed(name, value, known[name]["parameterType"])
    return arguments


def _parsed(name: str, value: str, kind: str) -> object:
    """A parameter's value as its type in KFP, which is JSON for all types but text."""
    if kind == "STRING":
        return value
    types, wanted = _PARAMETER_TYPES[kind]
    try:
        parsed = json.loads(value)
    except ValueError:
        parsed = None
    if not isinstance(parsed, types) or (isinstance(parsed, bool) and bool not in types):
        raise InputError(f"parameter {name} is {value!r}, wanted {wanted}")
    return parsed


def _placement(cluster: ClusterOptions, rollout: RolloutOptions, settings: RunSettings) -> Placement:
    from content_arena.pipelines.definitions import cluster_settings
    from content_arena.pipelines.definitions.placement import GpuPlacement, Images, Placement

    pairs = dict(label.partition("=")[::2] for label in cluster.label)
    if not all(pairs.values()):
        raise InputError(f"a label is KEY=VALUE, got {', '.join(cluster.label)}")
    found = cluster_settings.read(cluster.cluster_settings) if cluster.cluster_settings else None
    gpu = GpuPlacement()
    if found is not None:
        gpu = GpuPlacement(node_label=(found.gpu_label, found.gpu_label_value), taint=found.gpu_taint)
    return Placement(
        shards=cluster.shards,
        gpu=gpu,
        images=Images(found.component_image, found.component_image_cuda) if found else None,
        gpu_stages=tuple(cluster.gpu),
        checkpoint_claim=cluster.checkpoint_claim,
        labels=pairs,
        resources=_requests(cluster.request),
        s3_secret=cluster.s3_secret,
        data_secret=cluster.data_secret,
        s3_endpoint=cluster.s3_endpoint,
        rollout=_rollout(rollout, settings, found.runtime if found else None),
    )


def _requests(given: list[str]) -> dict[str, Resources]:
    """What stages ask for, by stage: the table's limits and time, with the requests that were given."""
    found = {}
    for text in given:
        stage = next((stage for stage in STAGES if stage.name == text.partition("=")[0]), None)
        quantities = _REQUEST.fullmatch(text)
        if stage is None or quantities is None:
            stages = ", ".join(stage.name for stage in STAGES)
            raise InputError(f"--request is {text!r}, wanted STAGE=CPU,MEMORY such as train_qlora=500m,2Gi; {stages}")
        limits = stage.resources
        found[stage.name] = replace(
            limits, cpu=(quantities["cpu"], limits.cpu[1]), memory=(quantities["memory"], limits.memory[1])
        )
    return found


def _rollout(given: RolloutOptions, settings: RunSettings, runtime: str | None) -> RolloutPlacement | None:
    """Where challengers are rolled out, by this ServingRuntime unless the settings name one; None for no rollout."""
    from content_arena.pipelines.cli.rollout import measuring_options, plan_options
    from content_arena.pipelines.definitions.placement import RolloutPlacement

    if given.registry_only:
        return None
    namespace, _, service = given.rollout.rpartition("/")
    if not namespace or not service:
        raise InputError(
            f"--rollout is {given.rollout!r}, wanted NAMESPACE/SERVICE such as content-arena/content-filter"
        )
    # Settings that have no option here.
    others = ("min_requests", "prometheus", "runtime")
    rest = {"runtime": runtime} | {name: settings.rollout[name] for name in others if name in settings.rollout}
    plan = plan_options.parameters(given.rollout_plan, given.rollout_approve_before, bake_seconds=given.rollout_bake)
    return RolloutPlacement(
        service=service,
        namespace=namespace,
        steps=plan.steps,
        bake_seconds=plan.bake_seconds,
        approvals=plan.approvals,
        limits={**settings.rollout.get("limits", {}), **measuring_options.limits(given.rollout_limit)},
        **rest,
    )


def _parameter_names(pipeline: Pipeline) -> tuple[str, ...]:
    from content_arena.pipelines.definitions import parameters

    table = {
        Pipeline.ARENA: parameters.ARENA,
        Pipeline.BATTLE: parameters.BATTLE,
        Pipeline.RETRAIN: parameters.RETRAIN,
    }[pipeline]
    return tuple(parameter.name for parameter in table)


def _compile(pipeline: Pipeline, placement: Placement, settings: RunSettings, folder: Path) -> Path:
    """Writes a pipeline as YAML, with the addresses of manifests/ and the settings as defaults of its parameters."""
    from kfp import compiler

    from content_arena.pipelines.definitions import addresses, arena, battle, retrain

    builds = {Pipeline.ARENA: arena.build, Pipeline.BATTLE: battle.build, Pipeline.RETRAIN: retrain.build}
    names = _parameter_names(pipeline)
    rollout = placement.rollout
    if pipeline is Pipeline.BATTLE:
        # It trains no challenger, so its exit handler leaves rollouts alone.
        placement = replace(placement, rollout=None)
    where = {
        "tracking_uri": addresses.TRACKING_URI,
        "models_uri": addresses.MODELS_URI,
        "first_service": f"{rollout.namespace}/{rollout.service}" if rollout else addresses.FIRST_SERVICE,
    }
    defaults = settings.for_pipeline(names) | {name: value for name, value in where.items() if name in names}
    path = folder / f"{pipeline.value}.yaml"
    compiler.Compiler().compile(builds[pipeline](placement), str(path), pipeline_parameters=defaults)
    return path
