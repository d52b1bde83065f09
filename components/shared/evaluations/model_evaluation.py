"""What an evaluation measured on one model: its figures, its confusion matrix, its curves.

Champion and challenger each have a part of this kind in the document of :mod:`.evaluation_record`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

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
