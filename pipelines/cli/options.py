"""The options that commands of ``arena`` share."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

#: Texts a CPU trains on within minutes; a GPU takes ten times as many in the same time.
MAX_TEXTS_CPU = 4_000
MAX_TEXTS_CUDA = 100_000


class Device(StrEnum):
    """Where to train."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


class Alias(StrEnum):
    """Names of versions in the registry."""

    CHAMPION = "champion"
    CHALLENGER = "challenger"
    PREVIOUS = "previous"


class Runner(StrEnum):
    """What runs the stages on this machine."""

    SUBPROCESS = "subprocess"
    DOCKER = "docker"


class GpuStage(StrEnum):
    """Stages that can make use of a GPU: training, an LLM that attacks, an LLM that judges."""

    BOOTSTRAP = "bootstrap_champion"
    TRAIN = "train_qlora"
    ATTACK = "generate_attacks"
    LABEL = "label_attacks"


#: Where manifests/ puts the object storage, as pods see it.
S3_ENDPOINT = "http://minio.content-arena:9000"
AsJson = Annotated[bool, typer.Option("--json", help="Write one JSON object to standard output and nothing else.")]
DataOption = Annotated[
    str,
    typer.Option(
        help="Labelled text: a CSV, TSV, JSONL or Parquet file (also .gz), hf://NAME, or the embedded corpus."
    ),
]
LangOption = Annotated[str, typer.Option(help="Language of the texts, ISO 639-1.")]
BudgetOption = Annotated[
    int, typer.Option(min=1, max=100, help="Queries an attack may spend on each text and strategy.")
]
SeedOption = Annotated[int, typer.Option(min=0, help="The same seed gives the same attacks.")]
TextsOption = Annotated[int, typer.Option(min=1, help="Texts of each label to attack.")]
MaxTextsOption = Annotated[
    int | None,
    typer.Option(
        min=100,
        help="Draw at most so many texts.",
        show_default=f"{MAX_TEXTS_CPU} to train on a CPU, {MAX_TEXTS_CUDA} on a GPU",
    ),
]
TextColumnOption = Annotated[str | None, typer.Option(help="Column of the text; usual names are found.")]
LabelColumnOption = Annotated[str | None, typer.Option(help="Column of the label; usual names are found.")]
HeldOutOption = Annotated[
    list[str] | None,
    typer.Option(
        "--held-out",
        metavar="STRATEGY",
        help="Judge by a strategy that is never trained on; repeat for more.",
        show_default="diacritic_zalgo, space_join, wild_respell, ko_coda",
    ),
]
RunnerOption = Annotated[
    Runner,
    typer.Option(help="Run the stages as processes, or as containers of the component image ($CONTENT_ARENA_IMAGE)."),
]
