"""The whole loop as Kubeflow pipelines: once over (arena), and recurring with a policy in front (retrain)."""

from collections.abc import Callable
from typing import Any, List  # noqa: UP035 - KFP's type parser

from kfp import dsl

from content_arena.components.retraining_policy.component import decide_retraining
from content_arena.pipelines.definitions.placement import Placement
from content_arena.pipelines.definitions.stages import HELD_OUT, Stages

#: Where manifests/ puts MLflow and the bundles.
CLUSTER_TRACKING_URI = "http://mlflow.content-arena:5000"
CLUSTER_MODELS_URI = "s3://models/content-filter"


def build(placement: Placement = Placement()) -> Callable[..., Any]:  # noqa: B008 - frozen
    """The pipeline of one generation.

    Args:
        placement: How its tasks meet a cluster; local runs ignore it but for the shards.
    """

    @dsl.pipeline(
        name="arena",
        display_name="Content Arena",
        description="Attacks the serving content filter, labels what came out, trains a challenger on it, compares "
        "both on held-out texts and promotes the challenger if every gate passes.",
    )
    def arena(
        data: str = "embedded",
        data_version: str = "",
        lang: str = "en",
        base_model: str = "all-MiniLM-L6-v2",
        budget: int = 3,
        texts_per_label: int = 200,
        epochs: int = 4,
        warm_start: bool = True,
        learning_rate: float = 1e-3,
        device: str = "auto",
        seed: int = 0,
        max_texts: int = 100_000,
        text_column: str = "",
        label_column: str = "",
        held_out_strategies: List[str] = HELD_OUT,  # noqa: UP006
        checkpoint_dir: str = placement.checkpoint_dir,
        models_uri: str = "",
        tracking_uri: str = "",
    ) -> None:
        """One generation of the arena.

        Args:
            data: "embedded", a file (CSV, TSV, JSONL, Parquet, also .gz) or hf://name.
            data_version: A word that changes when what `data` holds does, such as a date or a digest: a corpus that was
                prepared before is taken again for the same data, version and options.
            lang: ISO 639-1 code of the corpus.
            base_model: Embedded name, folder or hub id of the encoder.
            budget: Queries an attack may spend on each (text, strategy).
            texts_per_label: Texts of each label to attack.
            epochs: Passes over the training data at most; half as many for a challenger that goes on from the champion.
            warm_start: Whether the challenger goes on from the champion's adapter; false for a fresh one.
            learning_rate: Peak learning rate of adapter and head.
            device: auto, cpu or cuda.
            seed: Of attacks and training.
            max_texts: Draw at most so many texts from the corpus, in the proportions of the data.
            text_column: Column of the text; found by usual names if empty.
            label_column: Column of the label; found by usual names if empty.
            held_out_strategies: Strategies that are judged and never trained on.
            checkpoint_dir: Folder on a volume that outlives a pod, to resume killed trainings from; none if empty.
            models_uri: s3://bucket/folder to publish versions to; nothing is published if empty.
            tracking_uri: MLflow server; MLFLOW_TRACKING_URI of the pods if empty.
        """
        common = {"pipeline_run": dsl.PIPELINE_JOB_ID_PLACEHOLDER, "tracking_uri": tracking_uri}
        stages = Stages(placement, common)
        training = {
            "base_model": base_model,
            "lang": lang,
            "epochs": epochs,
            "learning_rate": learning_rate,
            "device": device,
            "seed": seed,
            "checkpoint_dir": checkpoint_dir,
        }
        attack = {
            "lang": lang,
            "budget": budget,
            "texts_per_label": texts_per_label,
            "seed": seed,
            "held_out_strategies": held_out_strategies,
        }
        with dsl.ExitHandler(stages.close(models_uri=models_uri), name="One generation"):
            source = {"data": data, "data_version": data_version, "lang": lang, "max_texts": max_texts}
            columns = {"text_column": text_column, "label_column": label_column}
            corpus, champion, battle = stages.look(source | columns, training, attack, models_uri)
            stages.challenge(corpus, champion, battle, training | {"warm_start": warm_start}, attack, models_uri)

    return arena


def build_retrain(placement: Placement = Placement()) -> Callable[..., Any]:  # noqa: B008 - frozen
    """The recurring pipeline: attack the champion every time, train only with a reason.

    Args:
        placement: See :func:`build`.
    """

    @dsl.pipeline(
        name="retrain",
        display_name="Content Arena: retrain",
        description="Attacks the serving content filter and, where the retraining policy finds a reason (evasion, age, "
        "a new corpus), trains and judges a challenger. Made for recurring runs.",
    )
    def retrain(
        data: str = "embedded",
        lang: str = "en",
        base_model: str = "all-MiniLM-L6-v2",
        budget: int = 3,
        texts_per_label: int = 200,
        epochs: int = 4,
        warm_start: bool = True,
        learning_rate: float = 1e-3,
        device: str = "auto",
        seed: int = 0,
        max_texts: int = 100_000,
        max_evasion: float = 0.1,
        max_age_days: float = 7.0,
        text_column: str = "",
        label_column: str = "",
        held_out_strategies: List[str] = HELD_OUT,  # noqa: UP006
        checkpoint_dir: str = placement.checkpoint_dir,
        models_uri: str = "",
        tracking_uri: str = "",
    ) -> None:
        """One look at the champion, and a generation of the arena if there is a reason.

        Args:
            data: "embedded", a file (CSV, TSV, JSONL, Parquet, also .gz) or hf://name.
            lang: ISO 639-1 code of the corpus.
            base_model: Embedded name, folder or hub id of the encoder.
            budget: Queries an attack may spend on each (text, strategy).
            texts_per_label: Texts of each label to attack.
            epochs: Passes over the training data at most; half as many for a challenger that goes on from the champion.
            warm_start: Whether the challenger goes on from the champion's adapter; false for a fresh one.
            learning_rate: Peak learning rate of adapter and head.
            device: auto, cpu or cuda.
            seed: Of attacks and training.
            max_texts: Draw at most so many texts from the corpus, in the proportions of the data.
            max_evasion: Train if a fresh battle turns more than this share of the texts the champion caught.
            max_age_days: Train if the champion is older.
            text_column: Column of the text; found by usual names if empty.
            label_column: Column of the label; found by usual names if empty.
            held_out_strategies: Strategies that are judged and never trained on.
            checkpoint_dir: Folder on a volume that outlives a pod, to resume killed trainings from; none if empty.
            models_uri: s3://bucket/folder to publish versions to; nothing is published if empty.
            tracking_uri: MLflow server; MLFLOW_TRACKING_URI of the pods if empty.
        """
        common = {"pipeline_run": dsl.PIPELINE_JOB_ID_PLACEHOLDER, "tracking_uri": tracking_uri}
        stages = Stages(placement, common)
        training = {
            "base_model": base_model,
            "lang": lang,
            "epochs": epochs,
            "learning_rate": learning_rate,
            "device": device,
            "seed": seed,
            "checkpoint_dir": checkpoint_dir,
        }
        attack = {
            "lang": lang,
            "budget": budget,
            "texts_per_label": texts_per_label,
            "seed": seed,
            "held_out_strategies": held_out_strategies,
        }
        with dsl.ExitHandler(stages.close(models_uri=models_uri), name="Look, and retrain with a reason"):
            source = {"data": data, "lang": lang, "max_texts": max_texts}
            columns = {"text_column": text_column, "label_column": label_column}
            # A recurring run that took the first run's corpus again would never find that there is a new one.
            corpus, champion, battle = stages.look(source | columns, training, attack, models_uri, look_again=True)
            decision = decide_retraining(
                corpus=corpus.outputs["corpus"],
                attacks=battle.outputs["attacks"],
                max_evasion=max_evasion,
                max_age_days=max_age_days,
                **common,
            )
            placement.apply(decision, "decide_retraining", "Is there a reason?")
            with dsl.If(decision.outputs["retrain"] == True, name="With a reason"):  # noqa: E712 - KFP's comparison
                stages.challenge(corpus, champion, battle, training | {"warm_start": warm_start}, attack, models_uri)

    return retrain
