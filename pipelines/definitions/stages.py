"""The stages as tasks, and how they are wired to each other.

These methods are called while a pipeline is being built; they add tasks to it. A task's inputs are filled by name from
what the stages share and from the pipeline's parameters, so the wiring states only what one task hands to another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from kfp import dsl
from kfp.dsl import PipelineTask

from content_arena.pipelines.definitions import stage_table
from content_arena.pipelines.definitions.pipeline import Value
from content_arena.pipelines.definitions.placement import Placement
from content_arena.pipelines.definitions.stage_table import Stage


@dataclass(frozen=True, kw_only=True)
class Shared:
    """What the stages of a run have in common.

    Attributes:
        pipeline_run: Id under which the stages of a run find their MLflow run.
        tracking_uri: MLflow server; MLFLOW_TRACKING_URI of the pods if empty.
        lang: ISO 639-1 code of the corpus.
        seed: Of attacks and training.
    """

    pipeline_run: Value
    tracking_uri: Value
    lang: Value
    seed: Value


@dataclass(frozen=True)
class Attacked:
    """A champion and the battle against it.

    Attributes:
        corpus: Task that prepared the corpus.
        champion_version: Registry version of the champion.
        battle: Task that gathered the attacks.
    """

    corpus: PipelineTask
    champion_version: Value
    battle: PipelineTask


@dataclass(frozen=True)
class Stages:
    """Adds tasks to the pipeline that is being built.

    Attributes:
        placement: How they are placed on a cluster.
        shared: What they have in common.
        given: The other parameters of the pipeline, by name.
    """

    placement: Placement
    shared: Shared
    given: Mapping[str, Value]

    @classmethod
    def of(cls, placement: Placement, parameters: Mapping[str, Value]) -> Stages:
        """The stages of a pipeline with these parameters."""
        names = {field.name for field in fields(Shared)} - {"pipeline_run"}
        shared = Shared(pipeline_run=dsl.PIPELINE_JOB_ID_PLACEHOLDER, **{name: parameters[name] for name in names})
        return cls(placement, shared, {name: value for name, value in parameters.items() if name not in names})

    def prepare(self, *, use_cached_corpus: bool = True) -> PipelineTask:
        """The corpus.

        Args:
            use_cached_corpus: Whether the corpus of an earlier run with the same parameters is reused. Data that
                changed under the same name are then read only if data_version changes as well.
        """
        task = self._task(stage_table.PREPARE_CORPUS)
        # Only the corpus depends on nothing but its parameters; everything else reads the registry.
        return task.set_caching_options(use_cached_corpus)

    def battle(
        self, corpus: PipelineTask, victim: Value, after: PipelineTask | None = None, *, for_training: bool = True
    ) -> PipelineTask:
        """A battle whose strategies are shared by as many pods as there are shards; returns the task that gathers it.

        Args:
            corpus: Of :meth:`prepare`.
            victim: A parameter of the pipeline or a constant, no output of a task: kfp.local 2.17 gives a loop's task
                the loop's item in its place.
            after: Task that has to be done before.
            for_training: Whether something is trained on the attacks; if not, training texts are left alone.
        """
        with dsl.ParallelFor(items=list(range(self.placement.shards)), name="Attack in shards") as shard:
            attacks = self._task(
                stage_table.GENERATE_ATTACKS,
                corpus=corpus.outputs["corpus"],
                victim=victim,
                shard=shard,
                n_shards=self.placement.shards,
                for_training=for_training,
            )
            if after is not None:
                attacks.after(after)
        return self._task(
            stage_table.GATHER_ATTACKS,
            shards=dsl.Collected(attacks.outputs["attacks"]),
            held_out_shards=dsl.Collected(attacks.outputs["held_out_attacks"]),
            summaries=dsl.Collected(attacks.outputs["summary"]),
        )

    def attack_champion(self, *, use_cached_corpus: bool = True) -> Attacked:
        """Prepares the corpus, trains a champion if there is none, and attacks it.

        Args:
            use_cached_corpus: See :meth:`prepare`.
        """
        corpus = self.prepare(use_cached_corpus=use_cached_corpus)
        bootstrap = self._task(
            stage_table.BOOTSTRAP_CHAMPION, corpus=corpus.outputs["corpus"], quality=corpus.outputs["quality"]
        )
        battle = self.battle(corpus, "champion", after=bootstrap)
        return Attacked(corpus, bootstrap.outputs["champion_version"], battle)

    def decide(self, attacked: Attacked) -> PipelineTask:
        """Whether there is a reason to train."""
        return self._task(
            stage_table.DECIDE_RETRAINING,
            corpus=attacked.corpus.outputs["corpus"],
            attacks=attacked.battle.outputs["attacks"],
        )

    def challenge(self, attacked: Attacked) -> None:
        """Labels the battle, trains a challenger, compares it with the champion, and promotes or refuses it."""
        corpus, champion = attacked.corpus.outputs["corpus"], attacked.champion_version
        labels = self._task(stage_table.LABEL_ATTACKS, corpus=corpus, attacks=attacked.battle.outputs["attacks"])
        trained = self._task(
            stage_table.TRAIN_QLORA, corpus=corpus, labelled=labels.outputs["labelled"], champion_version=champion
        )
        judged = self._task(
            stage_table.EVALUATE_CHALLENGER,
            corpus=corpus,
            challenger=trained.outputs["challenger"],
            champion_version=champion,
        )
        promoted = self._task(
            stage_table.PROMOTE_CHALLENGER,
            challenger=trained.outputs["challenger"],
            evaluation=judged.outputs["evaluation"],
            champion_version=champion,
            move_champion=self.placement.rollout is None,
        )
        if self.placement.rollout is not None:
            # The rollout decides which version is champion.
            self._task(
                stage_table.ROLL_OUT,
                corpus=corpus,
                verdict=promoted.outputs["verdict"],
                **self.placement.rollout.as_inputs(),
            )

    def close(self) -> PipelineTask:
        """The exit task."""
        rollout = self.placement.rollout
        where = {} if rollout is None else {"rollout_service": rollout.service, "rollout_namespace": rollout.namespace}
        return self._task(stage_table.CLOSE_RUN, **where)

    def _task(self, stage: Stage, **wired: Value) -> PipelineTask:
        """A stage as a placed task.

        Args:
            stage: Which.
            wired: Inputs that other tasks or the wiring give; they win over parameters of the same name.
        """
        component = stage.component
        takes = set(component.component_spec.inputs or {})
        # Not asdict: it would copy the parameters of the pipeline, which KFP tells apart by identity.
        shared = {field.name: getattr(self.shared, field.name) for field in fields(self.shared)}
        inputs = {name: value for name, value in {**self.given, **shared}.items() if name in takes}
        return self.placement.apply(component(**{**inputs, **wired}), stage)
