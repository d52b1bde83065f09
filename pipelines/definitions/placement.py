"""How a pipeline's tasks meet a cluster: image, resources, nodes, secrets, volumes, labels, timeouts.

Local runs ignore all of it; the tasks and what they do are the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from kfp import kubernetes
from kfp.dsl import PipelineTask

from content_arena.pipelines.cli.options import S3_ENDPOINT, GpuStage

#: User and group of the project's images.
_UID = 10001
_CHECKPOINTS = "/checkpoints"


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


@dataclass(frozen=True)
class Resources:
    """What a task asks for and may take, as Kubernetes writes it, and how long it may run.

    Attributes:
        cpu: Request and limit.
        memory: Request and limit.
        timeout: Seconds.
    """

    cpu: tuple[str, str]
    memory: tuple[str, str]
    timeout: int


_LIGHT = Resources(("250m", "1"), ("512Mi", "2Gi"), 1_800)
_SCORING = Resources(("1", "4"), ("1Gi", "4Gi"), 7_200)
_TRAINING = Resources(("2", "8"), ("4Gi", "16Gi"), 86_400)
#: By stage; sized for an encoder of some hundred million parameters.
RESOURCES: Mapping[str, Resources] = {
    "prepare_corpus": Resources(("500m", "2"), ("1Gi", "4Gi"), 3_600),
    "bootstrap_champion": _TRAINING,
    "generate_attacks": _SCORING,
    "gather_attacks": _LIGHT,
    "label_attacks": Resources(("500m", "2"), ("1Gi", "4Gi"), 3_600),
    "decide_retraining": _LIGHT,
    "train_qlora": _TRAINING,
    "evaluate_challenger": _SCORING,
    "promote_challenger": Resources(("250m", "1"), ("1Gi", "2Gi"), 1_800),
    # Waits for people, for days if need be.
    "roll_out": Resources(("250m", "1"), ("1Gi", "2Gi"), 7 * 86_400),
    "close_run": _LIGHT,
}
GPU_STAGES = tuple(stage.value for stage in GpuStage)
#: Stages that write bundles to object storage.
_PUBLISHING = ("bootstrap_champion", "promote_challenger", "roll_out", "close_run")


@dataclass(frozen=True, kw_only=True)
class RolloutPlacement:
    """The service that challengers are rolled out on, and the plan.

    Attributes:
        service: Name of the InferenceService.
        namespace: Where it is.
        steps: Percentages of the users, rising from 0.
        bake_seconds: How long each step is measured.
        min_requests: Answers to users that have to be judged at each step above 0.
        approvals: Steps that wait for a person.
        limits: Bounds other than the usual ones, by name.
        prometheus: URL of a Prometheus that scrapes the pods; their own metrics if empty.
    """

    service: str
    namespace: str = "content-arena"
    steps: tuple[int, ...] = (0, 1, 5, 25, 50, 100)
    bake_seconds: float = 300.0
    min_requests: int = 400
    approvals: tuple[int, ...] = ()
    limits: Mapping[str, float] = field(default_factory=dict)
    prometheus: str = ""


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Everything about a cluster that is decided when a pipeline is compiled.

    Attributes:
        shards: Pods among which a battle's strategies are dealt.
        gpu: How to ask for a GPU.
        gpu_stages: Stages that ask for one; none by default.
        s3_secret: Secret with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY for the stages that publish bundles; it has
            to lie in the namespace the pods run in.
        hub_secret: Secret with HF_TOKEN for the stages that load from the Hugging Face hub; may be absent.
        s3_endpoint: URL of the object storage.
        checkpoint_claim: PersistentVolumeClaim for checkpoints, so that a training goes on after its pod was killed;
            None for none.
        rollout: Where a challenger that passed the gates is rolled out, as the last stage; None for no rollout.
        labels: Labels of every pod, for cost attribution say.
        resources: By stage.
    """

    shards: int = 1
    gpu: GpuPlacement = GpuPlacement()
    gpu_stages: tuple[str, ...] = ()
    s3_secret: str = "arena-s3"  # noqa: S105 - the name of a Secret
    hub_secret: str = "arena-hub"  # noqa: S105
    s3_endpoint: str = S3_ENDPOINT
    checkpoint_claim: str | None = None
    rollout: RolloutPlacement | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    resources: Mapping[str, Resources] = field(default_factory=lambda: RESOURCES)

    def __post_init__(self) -> None:
        if self.shards < 1:
            raise ValueError(f"shards is {self.shards}, it has to be at least 1")
        unknown = set(self.gpu_stages) - set(GPU_STAGES)
        if unknown:
            raise ValueError(f"{', '.join(sorted(unknown))} can not use a GPU; {', '.join(GPU_STAGES)} can")

    @property
    def checkpoint_dir(self) -> str:
        """Where trainings find the claim; empty if there is none."""
        return _CHECKPOINTS if self.checkpoint_claim else ""

    def apply(self, task: PipelineTask, stage: str, title: str) -> PipelineTask:
        """Places a task.

        Args:
            task: The task.
            stage: Its stage, as in :data:`RESOURCES`.
            title: What the dashboard calls it.
        """
        wanted = self.resources[stage]
        task.set_display_name(title)
        task.set_caching_options(False)
        task.set_cpu_request(wanted.cpu[0]).set_cpu_limit(wanted.cpu[1])
        task.set_memory_request(wanted.memory[0]).set_memory_limit(wanted.memory[1])
        kubernetes.set_timeout(task, wanted.timeout)
        kubernetes.set_security_context(task, run_as_user=_UID, run_as_group=_UID, run_as_non_root=True)
        labels = {"app.kubernetes.io/part-of": "content-arena", "content-arena/stage": stage, **self.labels}
        for key, value in labels.items():
            kubernetes.add_pod_label(task, key, value)
        if stage in self.gpu_stages:
            self.gpu.apply(task)
        if stage in _PUBLISHING:
            keys = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
            kubernetes.use_secret_as_env(task, self.s3_secret, {key: key for key in keys}, optional=True)
            task.set_env_variable("S3_ENDPOINT_URL", self.s3_endpoint)
        if stage in ("prepare_corpus", "bootstrap_champion", "train_qlora"):
            kubernetes.use_secret_as_env(task, self.hub_secret, {"HF_TOKEN": "HF_TOKEN"}, optional=True)
        if stage in ("bootstrap_champion", "train_qlora") and self.checkpoint_claim:
            kubernetes.mount_pvc(task, self.checkpoint_claim, _CHECKPOINTS)
        return task
