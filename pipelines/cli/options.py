"""The options that commands of ``arena`` share.

Defaults and descriptions of what is also a parameter of the pipelines come from the table of parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from content_arena.components.attack_generation.selection import FAMILIES, built_in_names
from content_arena.components.attack_generation.settings import AttackSettings
from content_arena.components.canary_rollout.plan.parameters import Parameters
from content_arena.components.qlora_training.settings import DEVICES
from content_arena.components.shared.text.languages import require_code
from content_arena.pipelines.definitions.addresses import DATA_SECRET, FIRST_SERVICE, S3_ENDPOINT, S3_SECRET
from content_arena.pipelines.definitions.parameters import PARAMETERS
from content_arena.pipelines.definitions.settings_file import RunSettings, load
from content_arena.pipelines.definitions.stage_table import GPU_STAGES

#: Texts a CPU trains on within minutes; a GPU takes many times as many in the same time.
MAX_TEXTS_CPU = 12_000
MAX_TEXTS_CUDA: int = PARAMETERS["max_texts"].default
#: Options whose names are shorter than those of the parameters they set.
OPTION_NAMES = {"texts_per_label": "texts", "held_out_strategies": "held_out"}
Given = TypeVar("Given", str, list[str])


class Alias(StrEnum):
    """Names of versions in the registry."""

    CHAMPION = "champion"
    CHALLENGER = "challenger"
    PREVIOUS = "previous"


class Runner(StrEnum):
    """What runs the stages on this machine."""

    SUBPROCESS = "subprocess"
    DOCKER = "docker"


def described(name: str) -> str:
    """The description of a parameter of the pipelines."""
    return PARAMETERS[name].description


def one_of(choices: Sequence[str]) -> Callable[[Given], Given]:
    """A check that every value given is one of these."""

    def check(given: Given) -> Given:
        wrong = [value for value in ([given] if isinstance(given, str) else given) if value not in choices]
        if wrong:
            raise typer.BadParameter(f"{', '.join(wrong)} is not one of {', '.join(choices)}")
        return given

    return check


def split_at_commas(given: list[str] | None) -> list[str] | None:
    """The values of an option that takes several names at once and may be repeated."""
    return [name.strip() for value in given for name in value.split(",") if name.strip()] if given else None


def language(written: str | None) -> str | None:
    """The code of the language that ``--lang`` names; None if it is not given."""
    return None if written is None else require_code(written, "--lang")


def _apply(context: typer.Context, given: RunSettings | None) -> RunSettings | None:
    """Makes the values of a settings file the defaults of a command's options: an option that is given wins."""
    if given is None:
        return None
    percentages = {
        option: ",".join(map(str, given.rollout[name]))
        for name, option in (("steps", "rollout_plan"), ("approvals", "rollout_approve_before"))
        if name in given.rollout
    }
    bake = {"rollout_bake": given.rollout["bake_seconds"]} if "bake_seconds" in given.rollout else {}
    arguments = {OPTION_NAMES.get(name, name): value for name, value in given.arguments.items()}
    context.default_map = {**(context.default_map or {}), **arguments, **percentages, **bake}
    return given


AsJson = Annotated[bool, typer.Option("--json", help="Write one JSON object to standard output and nothing else.")]
LangOption = Annotated[str, typer.Option(help=described("lang"), callback=language)]
RunnerOption = Annotated[
    Runner,
    typer.Option(help="Run the stages as processes, or as containers of the component image ($CONTENT_ARENA_IMAGE)."),
]
DeviceOption = Annotated[
    str, typer.Option(help=described("device"), metavar=f"[{'|'.join(DEVICES)}]", callback=one_of(DEVICES))
]
SettingsOption = Annotated[
    RunSettings | None,
    typer.Option(
        "--settings",
        metavar="FILE",
        parser=lambda path: load(Path(path)),
        callback=_apply,
        is_eager=True,
        help="TOML file with settings by section; an option on the command line wins over it.",
    ),
]
StrategiesOption = Annotated[
    list[str] | None,
    typer.Option(
        "--strategies",
        metavar="NAMES",
        callback=split_at_commas,
        help=f"Attack with these alone, separated by commas. Built in: {', '.join(built_in_names())}.",
        show_default="those that attack by default",
    ),
]
FamiliesOption = Annotated[
    list[str] | None,
    typer.Option(
        "--families",
        metavar="NAMES",
        callback=split_at_commas,
        help=f"Attack with all strategies of these families: {', '.join(FAMILIES)}.",
    ),
]


@dataclass(frozen=True)
class CorpusOptions:
    """Options that choose the texts."""

    data: Annotated[str, typer.Option(help=described("data"))] = PARAMETERS["data"].default
    lang: LangOption = PARAMETERS["lang"].default
    max_texts: Annotated[
        int | None,
        typer.Option(
            min=100,
            help="Draw at most this many texts.",
            show_default=f"{MAX_TEXTS_CPU} to train on a CPU, {MAX_TEXTS_CUDA} on a GPU",
        ),
    ] = None
    text_column: Annotated[str | None, typer.Option(help="Column of the texts; usual names are found.")] = None
    label_column: Annotated[str | None, typer.Option(help="Column of the labels; usual names are found.")] = None
    label_columns: Annotated[str | None, typer.Option(metavar="A,B,C", help=described("label_columns"))] = None
    label_map: Annotated[str | None, typer.Option(metavar="LABEL=MEANING,...", help=described("label_map"))] = None
    quoting: Annotated[str | None, typer.Option(metavar="[csv|none]", help=described("quoting"))] = None
    encoding: Annotated[str | None, typer.Option(help=described("encoding"))] = None
    query: Annotated[str | None, typer.Option(metavar="SQL", help=described("query"))] = None


@dataclass(frozen=True)
class GuardOptions:
    """Options for the guard set."""

    guard: Annotated[str, typer.Option(help=described("guard"))] = PARAMETERS["guard"].default
    require_guard: Annotated[bool, typer.Option("--require-guard", help=described("require_guard"))] = PARAMETERS[
        "require_guard"
    ].default


@dataclass(frozen=True)
class AttemptOptions:
    """Options of how many attempts are made, and on which texts."""

    budget: Annotated[int, typer.Option(min=1, max=1000, help=described("budget"))] = AttackSettings.budget
    seed: Annotated[int, typer.Option(min=0, help=described("seed"))] = PARAMETERS["seed"].default
    texts: Annotated[int, typer.Option(min=1, help=described("texts_per_label"))] = AttackSettings.texts_per_label


@dataclass(frozen=True)
class AttackOptions(AttemptOptions):
    """Options of the attacks."""

    held_out: Annotated[
        list[str] | None,
        typer.Option(
            "--held-out",
            metavar="STRATEGY",
            help="Strategy that is judged and never trained on; repeat for more.",
            show_default="the champion's, at first chosen by the seed",
        ),
    ] = None
    strategies: StrategiesOption = None
    families: FamiliesOption = None


@dataclass(frozen=True)
class ClusterOptions:
    """Options for where the tasks of a pipeline run on a cluster."""

    shards: Annotated[int, typer.Option(min=1, max=64, help="Pods that share the strategies of a battle.")] = 2
    gpu: Annotated[
        list[str],
        typer.Option(
            "--gpu",
            metavar=f"[{'|'.join(GPU_STAGES)}]",
            callback=one_of(GPU_STAGES),
            help="Stage that asks for a GPU node; repeat for more.",
        ),
    ] = field(default_factory=list)
    checkpoint_claim: Annotated[
        str | None, typer.Option(help="PersistentVolumeClaim for checkpoints, from which a killed training resumes.")
    ] = None
    label: Annotated[list[str], typer.Option("--label", help="KEY=VALUE on every pod, for cost attribution.")] = field(
        default_factory=list
    )
    request: Annotated[
        list[str],
        typer.Option(
            "--request",
            metavar="STAGE=CPU,MEMORY",
            help="What a stage asks for, such as train_qlora=500m,2Gi for a small node; repeat for more.",
        ),
    ] = field(default_factory=list)
    cluster_settings: Annotated[
        Path | None,
        typer.Option(
            "--cluster-settings",
            metavar="FILE",
            help="cluster.env of the manifests: images of the stages, label and taint of GPU nodes, the "
            "ServingRuntime that challengers run by.",
        ),
    ] = None
    s3_secret: Annotated[
        str,
        typer.Option(
            help="Secret with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; without it pods have their account's role."
        ),
    ] = S3_SECRET
    s3_endpoint: Annotated[str, typer.Option(help="URL of the object storage, as pods see it.")] = S3_ENDPOINT
    data_secret: Annotated[
        str, typer.Option(help="Secret with the credentials of s3:// addresses and databases that --data names.")
    ] = DATA_SECRET


@dataclass(frozen=True)
class RolloutOptions:
    """Options for the rollout of a challenger that passed the gates."""

    rollout: Annotated[
        str,
        typer.Option(
            "--rollout",
            metavar="NAMESPACE/SERVICE",
            help="InferenceService that a challenger is rolled out on after it passed the gates.",
        ),
    ] = FIRST_SERVICE
    registry_only: Annotated[
        bool,
        typer.Option("--registry-only", help="No rollout: passing the gates makes a challenger the champion at once."),
    ] = False
    rollout_plan: Annotated[str, typer.Option("--rollout-plan", help="Shares of users in percent, rising from 0.")] = (
        ",".join(map(str, Parameters.steps))
    )
    rollout_bake: Annotated[float, typer.Option("--rollout-bake", min=0, help="Seconds each step is measured.")] = (
        Parameters.bake_seconds
    )
    rollout_approve_before: Annotated[
        str, typer.Option("--rollout-approve-before", help="Steps that wait for a person, such as 25,100.")
    ] = ""
    rollout_limit: Annotated[
        list[str],
        typer.Option("--rollout-limit", help="NAME=VALUE of a bound, such as p95_seconds=0.8; repeat for more."),
    ] = field(default_factory=list)
