"""The parameters of the pipelines, one row each: type, default and description.

Every parameter has a default that is a value. The backend of Kubeflow Pipelines refuses to hand a parameter without a
value into an exit handler, a loop or a condition ("the resolved input parameter is null"), so an empty text stands for
"not given" here; the stages read it as None.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, List  # noqa: UP035 - KFP's type parser

from content_arena.components.attack_generation.settings import LADDER, VALIDATION, AttackSettings
from content_arena.components.promotion.settings import PromotionSettings
from content_arena.components.qlora_training.settings import TrainingSettings
from content_arena.components.retraining_policy.policy import Policy


@dataclass(frozen=True)
class Parameter:
    """A parameter of a pipeline.

    Attributes:
        name: Of the parameter, and of the inputs of components that it fills.
        type: As KFP reads it.
        default: A value, never None.
        description: For the dashboard, ``--help`` and the README.
        section: Section of a settings file whose entry of the same name sets this parameter; None for none.
    """

    name: str
    type: type
    default: Any
    description: str
    section: str | None = None


_ALL = (
    Parameter(
        "victim",
        str,
        "champion",
        "Filter to attack: champion, challenger, previous, a version, a bundle folder or URL.",
    ),
    Parameter(
        "data",
        str,
        "embedded",
        "Labelled text: a CSV, TSV, JSON (also .gz), XLSX or Parquet file, its https:// or s3:// address, "
        "hf://NAME, a database (see query), or the embedded corpus.",
    ),
    Parameter(
        "data_version",
        str,
        "",
        "Version of what `data` holds, such as a date or a digest. A corpus that was prepared before is reused if "
        "data, version and options are the same.",
    ),
    Parameter(
        "guard",
        str,
        PromotionSettings.guard,
        "Guard set: labelled text from elsewhere than `data`, in the same formats, that nothing is trained on. A "
        "challenger whose AUROC on it is worse is refused. embedded: the one of the language, if there is one.",
        "promotion",
    ),
    Parameter(
        "require_guard",
        bool,
        PromotionSettings.require_guard,
        "Whether a challenger is refused where there is no guard set.",
        "promotion",
    ),
    Parameter("lang", str, TrainingSettings.lang, "Language of the texts, ISO 639-1."),
    Parameter(
        "base_model",
        str,
        TrainingSettings.base_model,
        "Encoder to train from: auto (all-MiniLM-L6-v2, or multilingual-e5-small for ko), one of "
        "these names, a folder, or a hub id such as klue/bert-base.",
        "training",
    ),
    Parameter("budget", int, AttackSettings.budget, "Queries an attack may spend on each text and strategy.", "attack"),
    Parameter(
        "search",
        str,
        LADDER,
        "How the budget is spent: ladder tries every strategy on a text, each with the budget; random, greedy, beam "
        "and evolving search one way past a text with all strategies together, and evolving learns from text to text.",
    ),
    Parameter(
        "split",
        str,
        VALIDATION,
        "Texts that a battle attacks: validation, or all. The latter has the filter's training texts among them, if it "
        "was trained on this data, and then shows less evasion than other texts would.",
    ),
    Parameter("texts_per_label", int, AttackSettings.texts_per_label, "Texts of each label to attack.", "attack"),
    Parameter(
        "epochs",
        int,
        TrainingSettings.epochs,
        "Passes over the training data at most; half as many from a warm start.",
        "training",
    ),
    Parameter("warm_start", bool, True, "Whether training continues from the champion's adapter; false for a new one."),
    Parameter(
        "learning_rate",
        float,
        TrainingSettings.learning_rate,
        "Peak learning rate of adapter and head, half of it from a warm start; 0 for that of the base model.",
        "training",
    ),
    Parameter(
        "device",
        str,
        TrainingSettings.device,
        "Where to train: auto, cpu or cuda; auto takes a GPU where there is one.",
        "training",
    ),
    Parameter("seed", int, TrainingSettings.seed, "Seed of attacks and training; the same seed, the same attacks."),
    Parameter(
        "max_texts",
        int,
        100_000,
        "Draw at most this many texts from the data. The rarer label gets up to 40 % of them, where there are so many.",
    ),
    Parameter(
        "max_evasion",
        float,
        Policy.max_evasion,
        "Train if a fresh battle gets more than this share of the caught texts past the champion.",
        "retraining",
    ),
    Parameter(
        "max_age_days", float, Policy.max_age_days, "Train if the champion is older than this many days.", "retraining"
    ),
    Parameter("text_column", str, "", "Column of the text; found by usual names if empty."),
    Parameter("label_column", str, "", "Column of the label; found by usual names if empty."),
    Parameter(
        "label_columns",
        str,
        "",
        "Several columns of 1 and 0, between commas, such as toxic,insult,threat: a text is toxic if one of them is 1. "
        "In a column named for harmless texts, such as clean, 1 means benign. The names become the text's categories, "
        "from which attributes such as INSULT are learnt.",
    ),
    Parameter(
        "label_map",
        str,
        "",
        "What labels mean, such as '8=benign,*=toxic' or '>=0.5=toxic,*=benign'; LABEL=none drops the rows with it.",
    ),
    Parameter(
        "quoting",
        str,
        "",
        "csv or none: whether a double quote in a CSV or TSV file holds a field together; found if empty.",
    ),
    Parameter(
        "encoding",
        str,
        "",
        "Of a file of text, such as cp1252; UTF-8 if empty, or the usual one of the language where that fits.",
    ),
    Parameter(
        "query",
        str,
        "",
        "A select whose rows are the data. `data` is then SQLAlchemy's address of the database, without a password: "
        "CONTENT_ARENA_DATA_USER and CONTENT_ARENA_DATA_PASSWORD of the environment have the credentials.",
    ),
    Parameter(
        "held_out_strategies",
        List[str],  # noqa: UP006
        list(AttackSettings.held_out_strategies),
        "Strategies that are judged and never trained on; if empty, the champion's choice is kept, and at first the "
        "seed chooses.",
        "attack",
    ),
    Parameter(
        "settings",
        dict,
        {},
        'Settings that have no parameter of their own, by section, such as {"training": {"lora_rank": 8}}.',
    ),
    Parameter(
        "checkpoint_dir",
        str,
        "",
        "Folder on a volume that outlives a pod, to resume killed trainings from; none if empty.",
    ),
    Parameter("models_uri", str, "", "s3://bucket/folder to publish versions to; nothing is published if empty."),
    Parameter(
        "first_service",
        str,
        "",
        "NAMESPACE/NAME of the InferenceService that is created with the first champion; none if empty.",
    ),
    Parameter("tracking_uri", str, "", "MLflow server; MLFLOW_TRACKING_URI of the pods if empty."),
)
#: By name.
PARAMETERS = {parameter.name: parameter for parameter in _ALL}
_TRAINING = (
    "base_model", "epochs", "warm_start", "learning_rate", "device", "checkpoint_dir", "models_uri", "first_service",
)  # fmt: skip
_POLICY = ("max_evasion", "max_age_days")
_GUARD = ("guard", "require_guard")


def _without(*names: str) -> tuple[Parameter, ...]:
    return tuple(parameter for parameter in _ALL if parameter.name not in names)


#: By pipeline. A recurring run reads its data every time, so ``retrain`` has no ``data_version``.
BATTLE = _without(*_TRAINING, *_POLICY, *_GUARD)
ARENA = _without("victim", "search", "split", *_POLICY)
RETRAIN = _without("victim", "search", "split", "data_version")
