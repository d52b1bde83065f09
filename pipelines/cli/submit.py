"""Commands for a cluster: write the pipelines as YAML, hand them to Kubeflow Pipelines, follow a run there."""

from __future__ import annotations

import contextlib
import io
import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from content_arena.components.shared.errors import InputError, RefusedError
from content_arena.pipelines.cli.console import err, out, says_errors
from content_arena.pipelines.cli.options import S3_ENDPOINT, AsJson, GpuStage


class Pipeline(StrEnum):
    """The pipelines."""

    ARENA = "arena"
    BATTLE = "battle"
    RETRAIN = "retrain"


ShardsOption = Annotated[int, typer.Option(min=1, max=64, help="Pods among which a battle's strategies are dealt.")]
GpuOption = Annotated[list[GpuStage], typer.Option("--gpu", help="Stage that asks for a GPU node; repeat for more.")]
ClaimOption = Annotated[
    str | None, typer.Option(help="PersistentVolumeClaim for checkpoints; killed trainings resume from it.")
]
LabelOption = Annotated[list[str], typer.Option("--label", help="KEY=VALUE on every pod, for cost attribution.")]
SecretOption = Annotated[str, typer.Option(help="Secret with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.")]
RolloutOption = Annotated[
    str | None,
    typer.Option(
        "--rollout",
        metavar="NAMESPACE/SERVICE",
        help="InferenceService that a challenger is rolled out on once it passed the gates; no rollout if not given.",
    ),
]
RolloutPlanOption = Annotated[str, typer.Option("--rollout-plan", help="Percentages of the users, rising from 0.")]
RolloutBakeOption = Annotated[float, typer.Option("--rollout-bake", min=0, help="Seconds each step is measured.")]
RolloutApproveOption = Annotated[
    str, typer.Option("--rollout-approve-before", help="Steps that wait for a person, such as 25,100.")
]
RolloutLimitOption = Annotated[
    list[str], typer.Option("--rollout-limit", help="NAME=VALUE of a bound, such as p95_seconds=0.8; repeat for more.")
]
EndpointOption = Annotated[str, typer.Option(help="URL of the object storage, as pods see it.")]


def add_to(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    app.command(name="compile")(compile_pipelines)
    app.command()(submit)


@says_errors
def compile_pipelines(
    to: Annotated[Path, typer.Option("--out", help="Folder to write to; made if it is not there.")] = Path("compiled"),
    shards: ShardsOption = 2,
    gpu: GpuOption = [],  # noqa: B006 - typer's way to say "none"
    checkpoint_claim: ClaimOption = None,
    label: LabelOption = [],  # noqa: B006
    s3_secret: SecretOption = "arena-s3",  # noqa: S107 - the name of a Secret
    s3_endpoint: EndpointOption = S3_ENDPOINT,
    rollout: RolloutOption = None,
    rollout_plan: RolloutPlanOption = "0,1,5,25,50,100",
    rollout_bake: RolloutBakeOption = 300.0,
    rollout_approve_before: RolloutApproveOption = "",
    rollout_limit: RolloutLimitOption = [],  # noqa: B006
) -> None:
    """Write the pipelines as YAML for Kubeflow Pipelines: upload them in the dashboard or with `arena submit`."""
    try:
        to.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{to} can not be written ({error.strerror}): give a folder with --out") from error
    placement = _placement(
        shards, gpu, checkpoint_claim, label, s3_secret, s3_endpoint,
        _rollout(rollout, rollout_plan, rollout_bake, rollout_approve_before, rollout_limit),
    )  # fmt: skip
    for pipeline in Pipeline:
        path = _compile(pipeline, placement, to)
        out.print(str(path), highlight=False, soft_wrap=True)


@says_errors
def submit(
    host: Annotated[str, typer.Option(help="URL of Kubeflow Pipelines, such as http://localhost:8080.")],
    pipeline: Annotated[Pipeline, typer.Argument(help="Which pipeline to run.")] = Pipeline.ARENA,
    parameter: Annotated[
        list[str], typer.Option("--parameter", "-p", help="NAME=VALUE of the pipeline; repeat for more.")
    ] = [],  # noqa: B006
    experiment: Annotated[str, typer.Option(help="Experiment of Kubeflow Pipelines; made if there is none.")] = (
        "content-arena"
    ),
    namespace: Annotated[str, typer.Option(help="Namespace of the runs.")] = "kubeflow",
    service_account: Annotated[
        str | None, typer.Option(help="ServiceAccount of the pods; Kubeflow Pipelines' own if not given.")
    ] = None,
    every: Annotated[
        int | None, typer.Option(min=60, help="Make a recurring run that starts every so many seconds.")
    ] = None,
    cron: Annotated[
        str | None, typer.Option(help="Make a recurring run by this cron expression of six fields, seconds first.")
    ] = None,
    wait: Annotated[bool, typer.Option(help="Follow the run to its end.")] = True,
    shards: ShardsOption = 2,
    gpu: GpuOption = [],  # noqa: B006
    checkpoint_claim: ClaimOption = None,
    label: LabelOption = [],  # noqa: B006
    s3_secret: SecretOption = "arena-s3",  # noqa: S107 - the name of a Secret
    s3_endpoint: EndpointOption = S3_ENDPOINT,
    rollout: RolloutOption = None,
    rollout_plan: RolloutPlanOption = "0,1,5,25,50,100",
    rollout_bake: RolloutBakeOption = 300.0,
    rollout_approve_before: RolloutApproveOption = "",
    rollout_limit: RolloutLimitOption = [],  # noqa: B006
    as_json: AsJson = False,
) -> None:
    """Upload a pipeline to Kubeflow Pipelines, run it there once or again and again, and follow it.

    Exit code 0 once a followed run succeeded or a recurring run was made, 1 if the run failed.
    """
    import tempfile

    from content_arena.pipelines.execution.cluster import Submission

    if every and cron:
        raise InputError("give --every or --cron, not both")
    placement = _placement(
        shards, gpu, checkpoint_claim, label, s3_secret, s3_endpoint,
        _rollout(rollout, rollout_plan, rollout_bake, rollout_approve_before, rollout_limit),
    )  # fmt: skip
    # KFP's client prints links to standard output, where ours has the answer and nothing else.
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        package = _compile(pipeline, placement, Path(folder))
        arguments = parse_parameters(package, parameter)
        submission = Submission(host, namespace, experiment, service_account)
        answer: dict[str, Any]
        if every or cron:
            answer = submission.schedule(pipeline.value, package, arguments, every=every, cron=cron)
            err.print(f"recurring run {answer['recurring_run_id']} of {pipeline.value} is enabled at {host}")
        else:
            answer = submission.start(pipeline.value, package, arguments)
            err.print(f"run {answer['run_id']}: {answer['url']}", soft_wrap=True)
            if wait:
                answer["state"] = submission.follow(answer["run_id"], lambda line: err.print(line, soft_wrap=True))
    if as_json:
        print(json.dumps(answer))
    if answer.get("state") not in (None, "SUCCEEDED"):
        raise RefusedError(f"the run ended {answer['state'].lower()}: {answer['url']} shows where")


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
        kind = known[name]["parameterType"]
        try:
            arguments[name] = value if kind == "STRING" else json.loads(value)
        except ValueError as error:
            raise InputError(f"parameter {name} is {value!r}, wanted a {kind.lower().replace('_', ' ')}") from error
    return arguments


def _placement(
    shards: int, gpu: list[GpuStage], claim: str | None, labels: list[str], s3_secret: str, s3_endpoint: str,
    rollout: Any,  # noqa: ANN401
) -> Any:  # noqa: ANN401  # fmt: skip
    from content_arena.pipelines.definitions.placement import Placement

    pairs = dict(label.partition("=")[::2] for label in labels)
    if not all(pairs.values()):
        raise InputError(f"a label is KEY=VALUE, got {', '.join(labels)}")
    return Placement(
        shards=shards,
        gpu_stages=tuple(stage.value for stage in gpu),
        checkpoint_claim=claim,
        labels=pairs,
        s3_secret=s3_secret,
        s3_endpoint=s3_endpoint,
        rollout=rollout,
    )


def _rollout(where: str | None, plan: str, bake: float, approvals: str, limits: list[str]) -> Any:  # noqa: ANN401
    """Where challengers are rolled out; None for no rollout."""
    from content_arena.pipelines.cli.rollout import options as rollout_options
    from content_arena.pipelines.definitions.placement import RolloutPlacement

    if where is None:
        return None
    namespace, _, service = where.rpartition("/")
    if not namespace or not service:
        raise InputError(f"--rollout is {where!r}, wanted NAMESPACE/SERVICE such as content-arena/content-filter")
    parameters = rollout_options.parameters(plan, approvals, bake_seconds=bake)
    return RolloutPlacement(
        service=service, namespace=namespace, steps=parameters.steps, bake_seconds=bake,
        approvals=parameters.approvals, limits=rollout_options.limits(limits),
    )  # fmt: skip


def _compile(pipeline: Pipeline, placement: Any, folder: Path) -> Path:  # noqa: ANN401
    from kfp import compiler

    from content_arena.pipelines.definitions import arena, battle

    builds = {Pipeline.ARENA: arena.build, Pipeline.BATTLE: battle.build, Pipeline.RETRAIN: arena.build_retrain}
    path = folder / f"{pipeline.value}.yaml"
    on_cluster = {"tracking_uri": arena.CLUSTER_TRACKING_URI}
    if pipeline is not Pipeline.BATTLE:
        on_cluster["models_uri"] = arena.CLUSTER_MODELS_URI
    compiler.Compiler().compile(builds[pipeline](placement), str(path), pipeline_parameters=on_cluster)
    return path
