"""The stages of the pipelines, one row each, with everything that differs from stage to stage.

Nothing here imports kfp or typer, so the command line can read the table before a command needs either.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kfp.dsl.base_component import BaseComponent

_DAY = 86_400


@dataclass(frozen=True)
class Resources:
    """Requests and limits of a task, in Kubernetes' notation, and its time limit.

    Attributes:
        cpu: Request and limit.
        memory: Request and limit.
        timeout: Seconds.
    """

    cpu: tuple[str, str]
    memory: tuple[str, str]
    timeout: int


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A stage of the pipelines.

    Attributes:
        name: Name of the component function, of the stage's log lines and of its label on a pod.
        title: What the dashboard calls the task.
        package: Folder below ``components/`` whose ``component.py`` defines the component.
        resources: Sized for an encoder of some hundred million parameters.
        gpu: Whether the stage has code that uses a GPU.
        publishes: Whether it writes bundles to object storage and needs its credentials.
        reads_data: Whether it reads the users' data and needs the credentials of object storage and databases.
        needs_hub: Whether it may load from the Hugging Face hub and needs the token.
        asks_llm: Whether it may have an LLM write or judge attacks, and needs the LLM's address and key.
        probes: Whether it sends probes to the predictor and needs the token for them.
        rolls_out: Whether it changes what serves, and needs the token of the account that may.
        knows_forgotten: Whether it leaves out or refuses forgotten texts, and needs the key to recognise them.
        keeps_checkpoints: Whether it trains, and resumes from checkpoints on a volume.
        in_generation: Whether every generation of the arena runs it.
        is_exit: Whether it runs however the run ended; it is never the cause of a failure.
    """

    name: str
    title: str
    package: str
    resources: Resources
    gpu: bool = False
    publishes: bool = False
    reads_data: bool = False
    needs_hub: bool = False
    asks_llm: bool = False
    probes: bool = False
    rolls_out: bool = False
    knows_forgotten: bool = False
    keeps_checkpoints: bool = False
    in_generation: bool = True
    is_exit: bool = False

    @property
    def component(self) -> BaseComponent:
        """The KFP component; kfp is imported on first use."""
        module = importlib.import_module(f"content_arena.components.{self.package}.component")
        component: BaseComponent = getattr(module, self.name)
        return component


_LIGHT = Resources(("250m", "1"), ("512Mi", "2Gi"), 1_800)
_REGISTERING = Resources(("250m", "1"), ("1Gi", "2Gi"), 1_800)
_READING = Resources(("500m", "2"), ("1Gi", "4Gi"), 3_600)
_SCORING = Resources(("1", "4"), ("1Gi", "4Gi"), 7_200)
_TRAINING = Resources(("2", "8"), ("4Gi", "16Gi"), _DAY)
# A rollout may wait for a person for days.
_WAITING = Resources(("250m", "1"), ("1Gi", "2Gi"), 7 * _DAY)

PREPARE_CORPUS = Stage(
    name="prepare_corpus",
    title="Prepare corpus",
    package="corpus_preparation",
    resources=_READING,
    reads_data=True,
    needs_hub=True,
    knows_forgotten=True,
)
BOOTSTRAP_CHAMPION = Stage(
    name="bootstrap_champion",
    title="Find champion",
    package="qlora_training",
    resources=_TRAINING,
    gpu=True,
    publishes=True,
    needs_hub=True,
    knows_forgotten=True,
    keeps_checkpoints=True,
)
GENERATE_ATTACKS = Stage(
    name="generate_attacks", title="Attack", package="attack_generation", resources=_SCORING, asks_llm=True
)
GATHER_ATTACKS = Stage(name="gather_attacks", title="Gather attacks", package="attack_generation", resources=_LIGHT)
DECIDE_RETRAINING = Stage(
    name="decide_retraining",
    title="Is there a reason?",
    package="retraining_policy",
    resources=_LIGHT,
    in_generation=False,
)
LABEL_ATTACKS = Stage(
    name="label_attacks", title="Label attacks", package="labeling", resources=_READING, asks_llm=True
)
TRAIN_QLORA = Stage(
    name="train_qlora",
    title="Train challenger",
    package="qlora_training",
    resources=_TRAINING,
    gpu=True,
    needs_hub=True,
    keeps_checkpoints=True,
)
EVALUATE_CHALLENGER = Stage(
    name="evaluate_challenger",
    title="Compare with champion",
    package="evaluation",
    resources=_SCORING,
    asks_llm=True,
)
PROMOTE_CHALLENGER = Stage(
    name="promote_challenger", title="Promote or refuse", package="promotion", resources=_REGISTERING, publishes=True
)
ROLL_OUT = Stage(
    name="roll_out",
    title="Roll out or take back",
    package="canary_rollout",
    resources=_WAITING,
    publishes=True,
    probes=True,
    rolls_out=True,
    in_generation=False,
)
CLOSE_RUN = Stage(
    name="close_run",
    title="Close run",
    package="promotion",
    resources=_LIGHT,
    publishes=True,
    rolls_out=True,
    in_generation=False,
    is_exit=True,
)

#: Every stage, in the order in which a run comes to them.
STAGES = (
    PREPARE_CORPUS,
    BOOTSTRAP_CHAMPION,
    GENERATE_ATTACKS,
    GATHER_ATTACKS,
    DECIDE_RETRAINING,
    LABEL_ATTACKS,
    TRAIN_QLORA,
    EVALUATE_CHALLENGER,
    PROMOTE_CHALLENGER,
    ROLL_OUT,
    CLOSE_RUN,
)
#: Names of the stages of one generation, in order.
GENERATION = tuple(stage.name for stage in STAGES if stage.in_generation)
#: Names of the stages that can ask for a GPU.
GPU_STAGES = tuple(stage.name for stage in STAGES if stage.gpu)
#: Names of the stages that run however a run ended.
EXIT_STAGES = frozenset(stage.name for stage in STAGES if stage.is_exit)
