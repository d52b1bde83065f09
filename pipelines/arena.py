"""The whole loop as a Kubeflow pipeline: prepare, bootstrap, attack, label, train, evaluate, promote."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Optional

from kfp import dsl, kubernetes
from kfp.dsl import PipelineTask

from content_arena.components.attack_generation.component import generate_attacks
from content_arena.components.corpus_preparation.component import prepare_corpus
from content_arena.components.evaluation.component import evaluate_challenger
from content_arena.components.labeling.component import label_attacks
from content_arena.components.qlora_training.component import bootstrap_champion, train_qlora
from content_arena.components.registry_promotion.component import promote_challenger

STAGES = (
    "prepare_corpus",
    "bootstrap_champion",
    "generate_attacks",
    "label_attacks",
    "train_qlora",
    "evaluate_challenger",
    "promote_challenger",
)


@dataclass(frozen=True)
class GpuPlacement:
    """Where tasks that train run on a cluster; the defaults are what NVIDIA's device plugin and GPU operator set.

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


class ArenaOutputs(NamedTuple):
    """What the pipeline hands out."""

    verdict: dict
    attack_set_sha256: str
    evaluation: dsl.Artifact
    report: dsl.HTML


def build(gpu: GpuPlacement | None = None) -> Callable[..., ArenaOutputs]:
    """The pipeline.

    Args:
        gpu: Where the training tasks run on a cluster; None for any CPU node. Local runs ignore it.
    """

    @dsl.pipeline(
        name="arena",
        display_name="Content Arena",
        description="Attacks the serving content filter, labels what came out, trains a challenger on it, compares "
        "both on held-out texts and promotes the challenger if every gate passes.",
    )
    def arena(
        data: str = "embedded",
        lang: str = "en",
        base_model: str = "all-MiniLM-L6-v2",
        rounds: int = 3,
        texts_per_label: int = 300,
        epochs: int = 5,
        learning_rate: float = 1e-3,
        device: str = "auto",
        seed: int = 0,
        max_texts: int = 100_000,
        text_column: Optional[str] = None,  # noqa: UP045
        label_column: Optional[str] = None,  # noqa: UP045
        checkpoint_dir: Optional[str] = None,  # noqa: UP045
        tracking_uri: Optional[str] = None,  # noqa: UP045
    ) -> ArenaOutputs:
        """One generation of the arena.

        Args:
            data: "embedded", a file (CSV, TSV, JSONL, Parquet, also .gz) or hf://name.
            lang: ISO 639-1 code of the corpus.
            base_model: Embedded name, folder or hub id of the encoder.
            rounds: Queries an attack may spend on each (text, strategy).
            texts_per_label: Texts of each label to attack.
            epochs: Passes over the training data at most.
            learning_rate: Peak learning rate of adapter and head.
            device: auto, cpu or cuda.
            seed: Of attacks and training.
            max_texts: Draw at most so many texts from the corpus, in the proportions of the data.
            text_column: Column of the text; found by usual names if not given.
            label_column: Column of the label; found by usual names if not given.
            checkpoint_dir: Folder on a volume that outlives a pod, to resume killed trainings from.
            tracking_uri: MLflow server; MLFLOW_TRACKING_URI of the pods if not given.
        """
        run = dsl.PIPELINE_JOB_ID_PLACEHOLDER
        corpus = prepare_corpus(
            data=data, lang=lang, text_column=text_column, label_column=label_column, max_texts=max_texts
        ).set_display_name("Prepare corpus")
        training = {
            "base_model": base_model,
            "lang": lang,
            "epochs": epochs,
            "learning_rate": learning_rate,
            "device": device,
            "seed": seed,
            "checkpoint_dir": checkpoint_dir,
            "pipeline_run": run,
            "tracking_uri": tracking_uri,
        }
        bootstrap = bootstrap_champion(corpus=corpus.outputs["corpus"], **training).set_display_name("Find champion")
        champion = bootstrap.outputs["champion_version"]
        attack = {
            "corpus": corpus.outputs["corpus"],
            "lang": lang,
            "rounds": rounds,
            "texts_per_label": texts_per_label,
            "seed": seed,
            "pipeline_run": run,
            "tracking_uri": tracking_uri,
        }
        battle = generate_attacks(victim=champion, **attack).set_display_name("Attack champion")
        labels = label_attacks(
            attacks=battle.outputs["attacks"], lang=lang, pipeline_run=run, tracking_uri=tracking_uri
        ).set_display_name("Label attacks")
        trained = train_qlora(
            corpus=corpus.outputs["corpus"], labelled=labels.outputs["labelled"], **training
        ).set_display_name("Train challenger")
        judged = evaluate_challenger(
            challenger=trained.outputs["challenger"], champion_version=champion, **attack
        ).set_display_name("Evaluate")
        promotion = promote_challenger(
            challenger=trained.outputs["challenger"],
            evaluation=judged.outputs["evaluation"],
            champion_version=champion,
            pipeline_run=run,
            tracking_uri=tracking_uri,
        ).set_display_name("Promote")
        # The corpus depends on its parameters alone; everything after it on what the registry holds today.
        for task in (bootstrap, battle, labels, trained, judged, promotion):
            task.set_caching_options(False)
        if gpu is not None:
            gpu.apply(bootstrap)
            gpu.apply(trained)
        return ArenaOutputs(
            verdict=promotion.outputs["verdict"],
            attack_set_sha256=battle.outputs["attack_set_sha256"],
            evaluation=judged.outputs["evaluation"],
            report=promotion.outputs["report"],
        )

    return arena
