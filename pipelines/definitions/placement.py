"""How a pipeline's tasks are placed on a cluster: resources, nodes, secrets, volumes, labels, timeouts.

What differs from stage to stage comes from the table of stages; what differs from cluster to cluster is defined here.
Local runs ignore all of it; the tasks and what they do are the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from kfp import kubernetes
from kfp.dsl import PipelineTask

from content_arena.components.canary_rollout.plan.parameters import Parameters
from content_arena.components.shared.chat import LLM_VARIABLES
from content_arena.components.shared.home import KEY_VARIABLE
from content_arena.components.shared.tracking_login import PASSWORD, USERNAME
from content_arena.pipelines.definitions.addresses import (
    DATA_SECRET,
    FORGET_SECRET,
    HUB_SECRET,
    LLM_SECRET,
    MLFLOW_SECRET,
    PROBE_SECRET,
    ROLLOUT_SECRET,
    S3_ENDPOINT,
    S3_SECRET,
)
from content_arena.pipelines.definitions.stage_table import GPU_STAGES, STAGES, Resources, Stage

#: User and group of the project's images.
_UID = 10001
_CHECKPOINTS = "/checkpoints"
_S3_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
#: Keys of the Secret for data. Another object storage than that of the bundles, or the same with fewer rights.
_DATA_KEYS = (
    *_S3_KEYS,
    "AWS_DEFAULT_REGION",
    "S3_ENDPOINT_URL",
    "CONTENT_ARENA_DATA_USER",
    "CONTENT_ARENA_DATA_PASSWORD",
)


@dataclass(frozen=True)
class GpuPlacement:
    """Where tasks on a GPU run; the defaults are what NVIDIA's device plugin and GPU operator set.

    Attributes:
        resource: Extended resource a pod asks for.
        count: How many of it.
        node_label: Label and value of the nodes that have it.
        taint: Key of the taint on these nodes that keeps other pods away.
    """

    resource: str = "nvidia.com/gpu"
    count: int = 1
    node_label: tuple[str, str] = ("nvidia.com/gpu.present", "true")
    taint: str = "nvidia.com/gpu"

    def apply(self, task: PipelineTask) -> None:
        """Puts a task on such a node."""
        task.set_accelerator_type(self.resource).set_accelerator_limit(self.count)
        kubernetes.add_node_selector(task, label_key=self.node_label[0], label_value=self.node_label[1])
        kubernetes.add_toleration(task, key=self.taint, operator="Exists", effect="NoSchedule")


@dataclass(frozen=True, kw_only=True)
class RolloutPlacement:
    """The InferenceService that challengers are rolled out on, and the plan.

    Attributes:
        service: Name of the InferenceService.
        namespace: Where it is.
        steps: Percentages of the users, rising from 0.
        bake_seconds: How long each step is measured.
        min_requests: Answers to users that have to be judged at each step above 0.
        approvals: Steps that wait for a person.
        limits: Bounds that differ from the defaults, by name.
        prometheus: URL of a Prometheus that scrapes the pods; their own metrics if None.
        runtime: ServingRuntime that a challenger runs by; that of what serves if None.
    """

    service: str
    namespace: str = "content-arena"
    steps: tuple[int, ...] = Parameters.steps
    bake_seconds: float = Parameters.bake_seconds
    min_requests: int = Parameters.min_requests
    approvals: tuple[int, ...] = Parameters.approvals
    limits: Mapping[str, float] = field(default_factory=dict)
    prometheus: str | None = None
    runtime: str | None = None

    def as_inputs(self) -> dict[str, str | int | float | list[int] | dict[str, float]]:
        """The inputs of the stage roll_out that are fixed when a pipeline is compiled."""
        return {
            "service": self.service,
            "namespace": self.namespace,
            "steps": list(self.steps),
            "bake_seconds": self.bake_seconds,
            "min_requests": self.min_requests,
            "approvals": list(self.approvals),
            "limits": dict(self.limits),
            "prometheus": self.prometheus or "",
            "runtime": self.runtime or "",
        }


@dataclass(frozen=True)
class Images:
    """Images that stages run in, where they are not the components' own.

    Attributes:
        component: Of every stage but those on a GPU.
        cuda: Of the stages on a GPU.
    """

    component: str
    cuda: str


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Everything about a cluster that is decided when a pipeline is compiled.

    Attributes:
        shards: Pods that share the strategies of a battle.
        gpu: How to ask for a GPU.
        gpu_stages: Stages that ask for one; none by default.
        s3_secret: Secret with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (temporary ones also with AWS_SESSION_TOKEN)
            for the stages that publish bundles; it has to lie in the namespace the pods run in. Without it they have
            the role of their service account, if the platform gives one.
        data_secret: Secret with what reading the data needs: S3_ENDPOINT_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
            AWS_SESSION_TOKEN and AWS_DEFAULT_REGION for s3:// addresses, CONTENT_ARENA_DATA_USER and
            CONTENT_ARENA_DATA_PASSWORD for databases. It and each of its keys may be absent.
        hub_secret: Secret with HF_TOKEN for the stages that load from the Hugging Face hub; may be absent.
        probe_secret: Secret with the token that predictors know a rollout's probes by; may be absent.
        s3_endpoint: URL of the object storage.
        checkpoint_claim: PersistentVolumeClaim for checkpoints, from which a training resumes after its pod was killed;
            None for none.
        rollout: Where a challenger that passed the gates is rolled out, as the last stage; None for no rollout.
        labels: Labels of every pod, for cost attribution for example.
        resources: Resources of stages that need others than the table of stages has, by name of the stage.
        images: Images of the stages; those that the components name if None.
    """

    shards: int = 1
    gpu: GpuPlacement = GpuPlacement()
    gpu_stages: tuple[str, ...] = ()
    s3_secret: str = S3_SECRET
    data_secret: str = DATA_SECRET
    hub_secret: str = HUB_SECRET
    probe_secret: str = PROBE_SECRET
    s3_endpoint: str = S3_ENDPOINT
    checkpoint_claim: str | None = None
    rollout: RolloutPlacement | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    resources: Mapping[str, Resources] = field(default_factory=dict)
    images: Images | None = None

    def __post_init__(self) -> None:
        if self.shards < 1:
            raise ValueError(f"shards is {self.shards}, it has to be at least 1")
        unknown = sorted(set(self.gpu_stages) - set(GPU_STAGES))
        if unknown:
            raise ValueError(f"{', '.join(unknown)} cannot use a GPU; {', '.join(GPU_STAGES)} can")
        unknown_stages = sorted(set(self.resources) - {stage.name for stage in STAGES})
        if unknown_stages:
            raise ValueError(f"resources are given for {', '.join(unknown_stages)}, and there is no such stage")

    @property
    def checkpoint_dir(self) -> str:
        """Where trainings find the claim; empty if there is none."""
        return _CHECKPOINTS if self.checkpoint_claim else ""

    def apply(self, task: PipelineTask, stage: Stage) -> PipelineTask:
        """Places the task of a stage."""
        self._apply_resources(task, stage)
        labels = {"app.kubernetes.io/part-of": "content-arena", "content-arena/stage": stage.name, **self.labels}
        for key, value in labels.items():
            kubernetes.add_pod_label(task, key, value)
        if stage.name in self.gpu_stages:
            self.gpu.apply(task)
        if self.images is not None:
            task.set_container_image(self.images.cuda if stage.name in self.gpu_stages else self.images.component)
        kubernetes.use_secret_as_env(task, MLFLOW_SECRET, {USERNAME: USERNAME, PASSWORD: PASSWORD}, optional=True)
        if stage.publishes:
            kubernetes.use_secret_as_env(task, self.s3_secret, {key: key for key in _S3_KEYS}, optional=True)
            task.set_env_variable("S3_ENDPOINT_URL", self.s3_endpoint)
        if stage.reads_data:
            kubernetes.use_secret_as_env(task, self.data_secret, {key: key for key in _DATA_KEYS}, optional=True)
        if stage.needs_hub:
            kubernetes.use_secret_as_env(task, self.hub_secret, {"HF_TOKEN": "HF_TOKEN"}, optional=True)
        if stage.asks_llm:
            kubernetes.use_secret_as_env(task, LLM_SECRET, {name: name for name in LLM_VARIABLES}, optional=True)
        if stage.probes:
            token = {"token": "CONTENT_ARENA_PROBE_TOKEN"}
            kubernetes.use_secret_as_env(task, self.probe_secret, token, optional=True)
        if stage.rolls_out:
            token = {"token": "CONTENT_ARENA_ROLLOUT_TOKEN"}
            kubernetes.use_secret_as_env(task, ROLLOUT_SECRET, token, optional=True)
        if stage.knows_forgotten:
            kubernetes.use_secret_as_env(task, FORGET_SECRET, {KEY_VARIABLE: KEY_VARIABLE}, optional=True)
        if stage.keeps_checkpoints and self.checkpoint_claim:
            kubernetes.mount_pvc(task, self.checkpoint_claim, _CHECKPOINTS)
        return task

    def _apply_resources(self, task: PipelineTask, stage: Stage) -> None:
        resources = self.resources.get(stage.name, stage.resources)
        task.set_display_name(stage.title)
        task.set_caching_options(False)
        task.set_cpu_request(resources.cpu[0]).set_cpu_limit(resources.cpu[1])
        task.set_memory_request(resources.memory[0]).set_memory_limit(resources.memory[1])
        kubernetes.set_timeout(task, resources.timeout)
        kubernetes.set_security_context(task, run_as_user=_UID, run_as_group=_UID, run_as_non_root=True)
