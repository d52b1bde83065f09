"""Red team only: prepare a corpus and attack a filter, train nothing."""

from collections.abc import Callable
from typing import Any, List  # noqa: UP035 - KFP's type parser

from kfp import dsl

from content_arena.pipelines.definitions.placement import Placement
from content_arena.pipelines.definitions.stages import HELD_OUT, Stages


def build(placement: Placement = Placement()) -> Callable[..., Any]:  # noqa: B008 - frozen
    """The pipeline.

    Args:
        placement: How its tasks meet a cluster; local runs ignore it but for the shards.
    """

    @dsl.pipeline(
        name="battle",
        display_name="Content Arena: battle",
        description="Attacks a content filter with every evasion strategy and reports what gets through; trains "
        "nothing.",
    )
    def battle(
        victim: str = "champion",
        data: str = "embedded",
        data_version: str = "",
        lang: str = "en",
        budget: int = 3,
        texts_per_label: int = 200,
        seed: int = 0,
        max_texts: int = 100_000,
        text_column: str = "",
        label_column: str = "",
        held_out_strategies: List[str] = HELD_OUT,  # noqa: UP006
        tracking_uri: str = "",
    ) -> None:
        """One battle.

        Args:
            victim: Alias, version number, bundle folder or URL of the filter to attack.
            data: "embedded", a file (CSV, TSV, JSONL, Parquet, also .gz) or hf://name.
            data_version: A word that changes when what `data` holds does, such as a date or a digest: a corpus that was
                prepared before is taken again for the same data, version and options.
            lang: ISO 639-1 code of the corpus.
            budget: Queries an attack may spend on each (text, strategy).
            texts_per_label: Texts of each label to attack.
            seed: The same seed gives the same attack set.
            max_texts: Draw at most so many texts from the corpus, in the proportions of the data.
            text_column: Column of the text; found by usual names if empty.
            label_column: Column of the label; found by usual names if empty.
            held_out_strategies: Strategies that are judged and never trained on.
            tracking_uri: MLflow server; MLFLOW_TRACKING_URI of the pods if empty.
        """
        common = {"pipeline_run": dsl.PIPELINE_JOB_ID_PLACEHOLDER, "tracking_uri": tracking_uri}
        stages = Stages(placement, common)
        with dsl.ExitHandler(stages.close(), name="One battle"):
            corpus = stages.prepare(
                data=data,
                data_version=data_version,
                lang=lang,
                text_column=text_column,
                label_column=label_column,
                max_texts=max_texts,
            )
            stages.battle(
                corpus,
                victim,
                lang=lang,
                budget=budget,
                texts_per_label=texts_per_label,
                seed=seed,
                held_out_strategies=held_out_strategies,
            )

    return battle
