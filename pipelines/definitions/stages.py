"""The stages as tasks, wired to each other: what the pipelines are put together from.

These functions are called inside a pipeline function; they add tasks to the pipeline that is being built.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kfp import dsl
from kfp.dsl import PipelineTask

from content_arena.components.attack_generation import strategies
from content_arena.components.attack_generation.component import gather_attacks, generate_attacks
from content_arena.components.canary_rollout.component import roll_out
from content_arena.components.corpus_preparation.component import prepare_corpus
from content_arena.components.evaluation.component import evaluate_challenger
from content_arena.components.labeling.component import label_attacks
from content_arena.components.promotion.component import close_run, promote_challenger
from content_arena.components.qlora_training.component import bootstrap_champion, train_qlora
from content_arena.pipelines.definitions.placement import Placement, RolloutPlacement

#: Every stage of one generation, in order.
STAGES = (
    "prepare_corpus",
    "bootstrap_champion",
    "generate_attacks",
    "gather_attacks",
    "label_attacks",
    "train_qlora",
    "evaluate_challenger",
    "promote_challenger",
)
#: A pipeline's default. All parameters of our pipelines have one that is a value: the backend refuses to hand a
#: parameter without a value into an exit handler, a loop or a condition ("the resolved input parameter is null").
HELD_OUT = list(strategies.HELD_OUT)


@dataclass(frozen=True)
class Stages:
    """Adds tasks to the pipeline that is being built.

    Attributes:
        placement: How they meet a cluster.
        common: Parameters that every stage with an MLflow run takes: pipeline_run, tracking_uri.
    """

    placement: Placement
    common: Mapping[str, Any]

    def prepare(self, *, look_again: bool = False, **data: Any) -> PipelineTask:  # noqa: ANN401
        """The corpus.

        Args:
            look_again: Read the data every time. Otherwise the corpus of an earlier run with the same parameters is
                taken, and data that changed under its name are not seen unless data_version changes with them.
            data: Parameters of prepare_corpus.
        """
        task = self.placement.apply(prepare_corpus(**data), "prepare_corpus", "Prepare corpus")
        # Only the corpus depends on nothing but its parameters; everything else reads the registry.
        return task.set_caching_options(not look_again)

    def bootstrap(self, corpus: PipelineTask, **training: Any) -> PipelineTask:  # noqa: ANN401
        """A champion, trained if there is none."""
        task = bootstrap_champion(corpus=corpus.outputs["corpus"], **training, **self.common)
        return self.placement.apply(task, "bootstrap_champion", "Find champion")

    def battle(
        self,
        corpus: PipelineTask,
        victim: Any,  # noqa: ANN401
        after: PipelineTask | None = None,
        **attack: Any,  # noqa: ANN401
    ) -> PipelineTask:
        """A battle, its strategies dealt over as many pods as there are shards; the task that gathers it.

        Args:
            corpus: Of :meth:`prepare`.
            victim: A parameter of the pipeline or a constant, no output of a task: kfp.local 2.17 gives a loop's task
                the loop's item in its place.
            after: Task that has to be done before.
            attack: Further parameters of generate_attacks.
        """
        with dsl.ParallelFor(items=list(range(self.placement.shards)), name="Attack in shards") as shard:
            fought = generate_attacks(
                corpus=corpus.outputs["corpus"],
                victim=victim,
                shard=shard,
                n_shards=self.placement.shards,
                **attack,
                **self.common,
            )
            self.placement.apply(fought, "generate_attacks", "Attack")
            if after is not None:
                fought.after(after)
        gathered = gather_attacks(
            shards=dsl.Collected(fought.outputs["attacks"]),
            held_out_shards=dsl.Collected(fought.outputs["held_out_attacks"]),
            summaries=dsl.Collected(fought.outputs["summary"]),
            **self.common,
        )
        return self.placement.apply(gathered, "gather_attacks", "Gather attacks")

    def look(
        self,
        data: Mapping[str, Any],
        training: Mapping[str, Any],
        attack: Mapping[str, Any],
        models_uri: Any,  # noqa: ANN401
        *,
        look_again: bool = False,
    ) -> tuple[PipelineTask, Any, PipelineTask]:
        """Corpus, champion and a battle against it: the corpus task, the champion's version, the battle task."""
        corpus = self.prepare(look_again=look_again, **data)
        bootstrap = self.bootstrap(corpus, models_uri=models_uri, **training)
        battle = self.battle(corpus, "champion", after=bootstrap, **attack)
        return corpus, bootstrap.outputs["champion_version"], battle

    def challenge(
        self,
        corpus: PipelineTask,
        champion: Any,  # noqa: ANN401
        battle: PipelineTask,
        training: Mapping[str, Any],
        attack: Mapping[str, Any],
        models_uri: Any,  # noqa: ANN401
    ) -> None:
        """Label the battle, train a challenger, compare it with the champion, promote it or say why not."""
        labels = label_attacks(attacks=battle.outputs["attacks"], lang=attack["lang"], **self.common)
        self.placement.apply(labels, "label_attacks", "Label attacks")
        trained = train_qlora(
            corpus=corpus.outputs["corpus"],
            labelled=labels.outputs["labelled"],
            held_out_strategies=attack["held_out_strategies"],
            champion_version=champion,
            **training,
            **self.common,
        )
        self.placement.apply(trained, "train_qlora", "Train challenger")
        judged = evaluate_challenger(
            corpus=corpus.outputs["corpus"],
            challenger=trained.outputs["challenger"],
            champion_version=champion,
            **attack,
            **self.common,
        )
        self.placement.apply(judged, "evaluate_challenger", "Compare with champion")
        promoted = promote_challenger(
            challenger=trained.outputs["challenger"],
            evaluation=judged.outputs["evaluation"],
            champion_version=champion,
            move_champion=self.placement.rollout is None,
            models_uri=models_uri,
            **self.common,
        )
        self.placement.apply(promoted, "promote_challenger", "Promote or refuse")
        if self.placement.rollout is not None:
            self._roll_out(self.placement.rollout, corpus, promoted, attack["lang"], models_uri)

    def _roll_out(
        self,
        rollout: RolloutPlacement,
        corpus: PipelineTask,
        promoted: PipelineTask,
        lang: Any,  # noqa: ANN401
        models_uri: Any,  # noqa: ANN401
    ) -> None:
        """Where a rollout decides who is champion."""
        task = roll_out(
            corpus=corpus.outputs["corpus"],
            verdict=promoted.outputs["verdict"],
            service=rollout.service,
            namespace=rollout.namespace,
            lang=lang,
            steps=list(rollout.steps),
            bake_seconds=rollout.bake_seconds,
            min_requests=rollout.min_requests,
            approvals=list(rollout.approvals),
            limits=dict(rollout.limits),
            prometheus=rollout.prometheus,
            models_uri=models_uri,
            **self.common,
        )
        self.placement.apply(task, "roll_out", "Roll out or take back")

    def close(self, **where: Any) -> PipelineTask:  # noqa: ANN401
        """The exit task."""
        if self.placement.rollout is not None:
            where |= {
                "rollout_service": self.placement.rollout.service,
                "rollout_namespace": self.placement.rollout.namespace,
            }
        return self.placement.apply(close_run(**where, **self.common), "close_run", "Close run")
