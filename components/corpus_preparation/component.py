"""KFP component of the stage prepare_corpus; what it does is in prepare.py."""

from typing import Any, Dict  # noqa: UP035 - KFP's type parser

from kfp import dsl

from content_arena.components.shared.images import COMPONENT_IMAGE


@dsl.component(base_image=COMPONENT_IMAGE, install_kfp_package=False)
def prepare_corpus(
    corpus: dsl.Output[dsl.Dataset],
    report: dsl.Output[dsl.Metrics],
    quality: dsl.Output[dsl.HTML],
    data: str,
    lang: str,
    text_column: str,
    label_column: str,
    max_texts: int,
    settings: Dict[str, Any],  # noqa: UP006
    data_version: str = "",
    split_seed: int = 0,
    guard: str = "embedded",
    label_columns: str = "",
    label_map: str = "",
    quoting: str = "",
    encoding: str = "",
    query: str = "",
    tracking_uri: str = "",
) -> None:
    """Reads labelled texts, masks personal data, drops unusable and repeated texts, and divides the rest into splits.

    Fails with one line and exit code 2 if the data cannot be read, a label is unknown, fewer than 50 texts of a class
    are left, or the data is worse than the settings allow.

    Args:
        corpus: Table of Samples (Parquet), one row a text, with its split: train 70 %, validation 15 %, test 15 %.
        report: Numbers of texts read, kept, by class and split, and dropped by reason; seconds taken.
        quality: A page about the quality of the data, written also if the data is refused for its quality.
        data: "embedded" for the corpus that comes with the package; the path of a CSV, TSV, JSON (each also .gz),
            XLSX or Parquet file, or its https:// or s3:// address; or
            hf://owner/name[:config][/split] for a data set of the Hugging Face hub.
        lang: ISO 639-1 code of the texts, such as en or ko; a language's name is refused. Rows marked as another
            language are dropped.
        text_column: Column of the texts. Empty: text, comment_text, tweet and other usual names are looked for.
        label_column: Column of the labels (toxic/benign, 1/0, true/false). Empty: Jigsaw's six, label, toxic and other
            usual names are looked for.
        max_texts: Draw at most this many texts, in the proportions of the data; at least 100.
        settings: Settings by section; [corpus] is read.
        data_version: Version of what `data` holds, such as a date or a digest. The stage does not read it:
            Kubeflow Pipelines reuses an earlier run's outputs if all parameters are the same, and a new version makes
            them differ.
        split_seed: Seed of the division into splits. Keep it from run to run, whatever the run's own seed:
            otherwise a champion is judged on texts it was trained on.
        guard: Labelled texts from elsewhere, for the guard set: as `data`, "embedded" for the one of the language. They
            are added with the split guard, and nothing is trained on them. `data_version` is theirs, too.
        label_columns: Several columns of 1 and 0, between commas, such as toxic,insult,threat. A text is toxic if one
            of them is 1. A column named for harmless texts (clean) is one whose 1 means benign; a row without any 1 is
            then dropped.
        label_map: What labels mean, such as "8=benign,*=toxic" or ">=0.5=toxic,*=benign"; "none" drops the row.
        quoting: csv or none: whether a double quote in a CSV or TSV file holds a field together. Empty: found.
        encoding: Of a file of text, such as cp1252. Empty: UTF-8, or the usual one of the language where that fits.
        query: A select whose rows are the data, if `data` is SQLAlchemy's address of a database. User and password come
            from CONTENT_ARENA_DATA_USER and CONTENT_ARENA_DATA_PASSWORD of the environment.
        tracking_uri: MLflow server with the list of texts that were forgotten; MLFLOW_TRACKING_URI of the pod if empty.
    """
    from content_arena.components.corpus_preparation.prepare import prepare
    from content_arena.components.corpus_preparation.settings import CorpusSettings
    from content_arena.components.shared.settings import read

    counts = prepare(
        data,
        lang,
        corpus.path,
        given={
            "text_column": text_column,
            "label_column": label_column,
            "label_columns": label_columns,
            "label_map": label_map,
            "quoting": quoting,
            "encoding": encoding,
            "query": query,
        },
        max_texts=int(max_texts),
        split_seed=int(split_seed),
        guard=guard,
        page_path=quality.path,
        settings=read("prepare_corpus", CorpusSettings, settings),
        tracking_uri=tracking_uri or None,
    )
    corpus.metadata.update(counts | {"data": data, "data_version": data_version, "query": query})
    for name, value in counts.items():
        report.log_metric(name, value)
