"""Red team only: prepare a corpus and attack a filter, train nothing."""

from typing import NamedTuple, Optional

from kfp import dsl

from content_arena.components.attack_generation.component import generate_attacks
from content_arena.components.corpus_preparation.component import prepare_corpus


class BattleOutputs(NamedTuple):
    """What the pipeline hands out."""

    attack_set_sha256: str
    attacks: dsl.Dataset
    held_out_attacks: dsl.Dataset


@dsl.pipeline(
    name="battle",
    display_name="Content Arena: battle",
    description="Attacks a content filter with every evasion strategy and reports what gets through; trains nothing.",
)
def battle(
    victim: str = "champion",
    data: str = "embedded",
    lang: str = "en",
    rounds: int = 3,
    texts_per_label: int = 300,
    seed: int = 0,
    max_texts: int = 100_000,
    text_column: Optional[str] = None,  # noqa: UP045
    label_column: Optional[str] = None,  # noqa: UP045
    tracking_uri: Optional[str] = None,  # noqa: UP045
) -> BattleOutputs:
    """One battle.

    Args:
        victim: Alias, version number, bundle folder or URL of the filter to attack.
        data: "embedded", a file (CSV, TSV, JSONL, Parquet, also .gz) or hf://name.
        lang: ISO 639-1 code of the corpus.
        rounds: Queries an attack may spend on each (text, strategy).
        texts_per_label: Texts of each label to attack.
        seed: The same seed gives the same attack set.
        max_texts: Draw at most so many texts from the corpus, in the proportions of the data.
        text_column: Column of the text; found by usual names if not given.
        label_column: Column of the label; found by usual names if not given.
        tracking_uri: MLflow server; MLFLOW_TRACKING_URI of the pods if not given.
    """
    corpus = prepare_corpus(
        data=data, lang=lang, text_column=text_column, label_column=label_column, max_texts=max_texts
    ).set_display_name("Prepare corpus")
    attack = (
        generate_attacks(
            corpus=corpus.outputs["corpus"],
            victim=victim,
            pipeline_run=dsl.PIPELINE_JOB_ID_PLACEHOLDER,
            lang=lang,
            rounds=rounds,
            texts_per_label=texts_per_label,
            seed=seed,
            tracking_uri=tracking_uri,
        )
        .set_display_name("Attack")
        .set_caching_options(False)
    )
    return BattleOutputs(
        attack_set_sha256=attack.outputs["attack_set_sha256"],
        attacks=attack.outputs["attacks"],
        held_out_attacks=attack.outputs["held_out_attacks"],
    )
