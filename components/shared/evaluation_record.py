"""The evaluation as the stage writes it: a JSON document, checked once when it is read.

Written by evaluate_challenger; read by the report, promote_challenger and the command line.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from content_arena.components.shared import figures
from content_arena.components.shared.documents import Fields, Json
from content_arena.components.shared.errors import InputError
from content_arena.components.shared.figures import Measured, Rate


@dataclass(frozen=True)
class RocCurve:
    """Points of a ROC curve on clean texts, false positive rates rising; empty where it could not be measured."""

    fpr: tuple[float, ...] = ()
    tpr: tuple[float, ...] = ()
    thresholds: tuple[float, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Histogram:
    """Counts of scores in bins of [0, 1].

    Attributes:
        edges: One more than there are bins.
        toxic: Clean toxic texts in each bin.
        benign: Clean benign texts.
        attacked_toxic: Toxic texts after the attacks.
        perturbed_benign: Benign texts after the same strategies.
    """

    edges: tuple[float, ...]
    toxic: tuple[int, ...]
    benign: tuple[int, ...]
    attacked_toxic: tuple[int, ...]
    perturbed_benign: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class AttributeFigures:
    """How well a model scores an attribute on the clean test texts of which it is known.

    Attributes:
        auroc: The chance that a text with the attribute scores above one without; None where it could not be measured.
        n_positive: Texts with the attribute.
        n: All of the texts.
    """

    auroc: float | None
    n_positive: int
    n: int


@dataclass(frozen=True, kw_only=True)
class ModelEvaluation:
    """What was measured on one model.

    Attributes:
        version: Its version in the registry, or the digest of a bundle that is not registered yet.
        threshold: Scores from here on are flagged.
        base_model: What it was trained from.
        figures: Every figure of the table, by name.
        confusion: Clean texts as ((tn, fp), (fn, tp)).
        roc: On clean texts.
        histogram: Of all scores.
        attributes: What it scores beside toxicity, by name: reported, and no gate.
    """

    version: str
    threshold: float
    base_model: str
    figures: Mapping[str, Measured]
    confusion: tuple[tuple[int, int], tuple[int, int]]
    roc: RocCurve
    histogram: Histogram
    attributes: Mapping[str, AttributeFigures] = field(default_factory=dict)

    def headline(self) -> dict[str, float | None]:
        """See :func:`content_arena.components.shared.figures.headline`."""
        return figures.headline(self.figures)

    def as_json(self) -> Json:
        """The model's part of the document: a field for each figure, beside the other fields."""
        return {
            "version": self.version,
            "threshold": self.threshold,
            "base_model": self.base_model,
            **{name: value.as_dict() if isinstance(value, Rate) else value for name, value in self.figures.items()},
            "confusion": [list(row) for row in self.confusion],
            "roc": asdict(self.roc),
            "histogram": asdict(self.histogram),
        } | (
            {"attributes": {name: asdict(found) for name, found in self.attributes.items()}} if self.attributes else {}
        )

    @classmethod
    def from_fields(cls, fields: Fields) -> ModelEvaluation:
        """Reads the model's part of the document.

        Raises:
            InputError: A field or a figure of the table is missing or of a wrong type.
        """
        return cls(
            version=fields.text("version"),
            threshold=fields.number("threshold"),
            base_model=fields.text("base_model"),
            figures={
                figure.name: fields.rate(figure.name) if figure.is_rate else fields.number_or_none(figure.name)
                for figure in figures.FIGURES
            },
            confusion=_confusion(fields),
            roc=_roc(fields.fields("roc")),
            histogram=_histogram(fields.fields("histogram")),
            attributes=_attributes(fields.fields("attributes")) if fields.has("attributes") else {},
        )


@dataclass(frozen=True, kw_only=True)
class StrategyComparison:
    """One strategy against both models.

    Attributes:
        strategy: Its name.
        family: Its family.
        held_out: Whether neither model was trained on it.
        is_undone: Whether the canonicaliser undoes it: it is then in no mean.
        champion: Evasion of the champion.
        challenger: Evasion of the challenger.
        champion_fpr: Benign texts that the champion flags after the strategy.
        challenger_fpr: Benign texts that the challenger flags after the strategy.
        undone: Share of its edits here that the challenger's canonicaliser undoes.
        restored: Share of its attacks that the challenger's filter reads like the original.
    """

    strategy: str
    family: str
    held_out: bool
    is_undone: bool
    champion: Rate
    challenger: Rate
    champion_fpr: Rate
    challenger_fpr: Rate
    undone: Rate
    restored: Rate


@dataclass(frozen=True, kw_only=True)
class Example:
    """An attack that got past the challenger; both texts may hold anything that an attacker can write.

    Attributes:
        strategy: Name of the strategy.
        held_out: Whether neither model was trained on it.
        original: The text before the attack.
        perturbed: The text after it.
        score_before: Probability of toxic before.
        score_after: Probability of toxic after.
    """

    strategy: str
    held_out: bool
    original: str
    perturbed: str
    score_before: float
    score_after: float


@dataclass(frozen=True, kw_only=True)
class GuardSet:
    """The texts from elsewhere that both models were judged on.

    Attributes:
        name: Of the file or data set, or "embedded-en-guard".
        n_texts: How many.
        n_toxic: How many of them are toxic.
        sha256: Of ids, texts and labels; two guard sets with the same hash are the same.
    """

    name: str
    n_texts: int
    n_toxic: int
    sha256: str

    @property
    def described(self) -> str:
        """The guard set for people, on one line."""
        return f"{self.name}: {self.n_texts:,} texts, {self.n_toxic:,} of them toxic, sha256 {self.sha256}"

    @classmethod
    def from_fields(cls, fields: Fields) -> GuardSet:
        """Reads it from a document.

        Raises:
            InputError: A field is missing or of a wrong type.
        """
        return cls(
            name=fields.text("name"),
            n_texts=fields.whole("n_texts"),
            n_toxic=fields.whole("n_toxic"),
            sha256=fields.text("sha256"),
        )

    @classmethod
    def read(cls, fields: Fields) -> GuardSet | None:
        """The field ``guard`` of a document; None where it is null: there was no guard set."""
        return None if fields.raw("guard") is None else cls.from_fields(fields.fields("guard"))


@dataclass(frozen=True)
class RegressionSuite:
    """The attacks of earlier runs that were replayed on both models.

    Attributes:
        n_attacks: How many; 0 in the first comparison.
        n_runs: How many runs they come from.
        sha256: Of the attacked texts; two suites with the same hash are the same.
    """

    n_attacks: int
    n_runs: int
    sha256: str

    @property
    def described(self) -> str:
        """The suite for people, on one line."""
        return f"{self.n_attacks:,} attacks of {self.n_runs:,} runs, sha256 {self.sha256}"

    @classmethod
    def from_fields(cls, fields: Fields) -> RegressionSuite:
        """Reads it from a document.

        Raises:
            InputError: A field is missing or of a wrong type.
        """
        return cls(fields.whole("n_attacks"), fields.whole("n_runs"), fields.text("sha256"))


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Champion and challenger on the same texts under the same attacks.

    Attributes:
        lang: ISO 639-1 code of the corpus.
        seed: Of the attacks.
        budget: Queries allowed for each (text, strategy).
        attack_set_sha256: Two evaluations with the same hash made the same attempts.
        held_out: Strategies that neither model was trained on.
        held_out_reason: Who chose them, for people.
        n_toxic: Toxic texts attacked.
        n_benign: Benign texts attacked.
        guard: The guard set; None if there is none.
        regressions: The regression suite.
        champion: What was measured on the champion.
        challenger: What was measured on the challenger.
        strategies: A row a strategy.
        examples: Attacks that still get past the challenger.
    """

    lang: str
    seed: int
    budget: int
    attack_set_sha256: str
    held_out: tuple[str, ...]
    held_out_reason: str
    n_toxic: int
    n_benign: int
    guard: GuardSet | None
    regressions: RegressionSuite
    champion: ModelEvaluation
    challenger: ModelEvaluation
    strategies: tuple[StrategyComparison, ...]
    examples: tuple[Example, ...]

    @property
    def undone(self) -> tuple[str, ...]:
        """Strategies that the canonicaliser undoes: attacked with, and in no mean."""
        return tuple(row.strategy for row in self.strategies if row.is_undone)

    @property
    def models(self) -> dict[str, ModelEvaluation]:
        """Both models, the champion first."""
        return {"champion": self.champion, "challenger": self.challenger}

    def as_json(self) -> Json:
        """The document."""
        return {
            "lang": self.lang,
            "seed": self.seed,
            "budget": self.budget,
            "attack_set_sha256": self.attack_set_sha256,
            "held_out_strategies": list(self.held_out),
            "held_out_reason": self.held_out_reason,
            "n_toxic": self.n_toxic,
            "n_benign": self.n_benign,
            "guard": asdict(self.guard) if self.guard else None,
            "regression_suite": asdict(self.regressions),
            **{name: model.as_json() for name, model in self.models.items()},
            "strategies": [asdict(row) for row in self.strategies],
            "examples": [asdict(example) for example in self.examples],
        }

    @classmethod
    def from_json(cls, document: object) -> Evaluation:
        """Reads the parsed document.

        Raises:
            InputError: A field is missing or of a wrong type; the message names it.
        """
        fields = Fields(document, "the evaluation")
        return cls(
            lang=fields.text("lang"),
            seed=fields.whole("seed"),
            budget=fields.whole("budget"),
            attack_set_sha256=fields.text("attack_set_sha256"),
            held_out=fields.texts("held_out_strategies"),
            held_out_reason=fields.text("held_out_reason"),
            n_toxic=fields.whole("n_toxic"),
            n_benign=fields.whole("n_benign"),
            guard=GuardSet.read(fields),
            regressions=RegressionSuite.from_fields(fields.fields("regression_suite")),
            champion=ModelEvaluation.from_fields(fields.fields("champion")),
            challenger=ModelEvaluation.from_fields(fields.fields("challenger")),
            strategies=tuple(_strategy(row) for row in fields.list_of_fields("strategies")),
            examples=tuple(_example(row) for row in fields.list_of_fields("examples")),
        )


def read(path: Path) -> Evaluation:
    """Reads the document of evaluate_challenger.

    Raises:
        InputError: The file cannot be read, or is no evaluation; the message names the field that is wrong.
    """
    try:
        return Evaluation.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, InputError) as error:
        raise InputError(f"the evaluation at {path} cannot be read: {error}") from error


def write(evaluation: Evaluation, path: Path) -> None:
    """Writes the document."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(evaluation.as_json()), encoding="utf-8")


def _confusion(fields: Fields) -> tuple[tuple[int, int], tuple[int, int]]:
    rows = fields.raw("confusion")
    match rows:
        case [[int() as tn, int() as fp], [int() as fn, int() as tp]] if min(tn, fp, fn, tp) >= 0:
            return (tn, fp), (fn, tp)
    raise InputError("the confusion matrix has to be [[tn, fp], [fn, tp]] with whole numbers of 0 or more")


def _roc(fields: Fields) -> RocCurve:
    curve = RocCurve(fields.numbers("fpr"), fields.numbers("tpr"), fields.numbers("thresholds"))
    if not len(curve.fpr) == len(curve.tpr) == len(curve.thresholds):
        raise InputError("a ROC curve has to have as many true as false positive rates and thresholds")
    return curve


def _histogram(fields: Fields) -> Histogram:
    edges = fields.numbers("edges")
    counts = {key: fields.numbers(key) for key in ("toxic", "benign", "attacked_toxic", "perturbed_benign")}
    if any(len(edges) != len(values) + 1 for values in counts.values()):
        raise InputError("a histogram has to have one edge more than bins")
    return Histogram(edges=edges, **{key: tuple(int(value) for value in values) for key, values in counts.items()})


def _attributes(fields: Fields) -> dict[str, AttributeFigures]:
    return {
        name: AttributeFigures(
            auroc=found.number_or_none("auroc"), n_positive=found.whole("n_positive"), n=found.whole("n")
        )
        for name, found in fields.fields_by_name().items()
    }


def _strategy(fields: Fields) -> StrategyComparison:
    rates = ("champion", "challenger", "champion_fpr", "challenger_fpr", "undone", "restored")
    return StrategyComparison(
        strategy=fields.text("strategy"),
        family=fields.text("family"),
        held_out=fields.flag("held_out"),
        is_undone=fields.flag("is_undone"),
        **{name: fields.rate(name) for name in rates},
    )


def _example(fields: Fields) -> Example:
    return Example(
        strategy=fields.text("strategy"),
        held_out=fields.flag("held_out"),
        original=fields.text("original"),
        perturbed=fields.text("perturbed"),
        score_before=fields.number("score_before"),
        score_after=fields.number("score_after"),
    )
