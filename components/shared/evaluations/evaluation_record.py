"""The comparison of champion and challenger as the stage writes it: a JSON document, checked once when it is read.

Written by evaluate_challenger; read by the report, promote_challenger and the command line.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from content_arena.components.shared.documents import Fields, Json
from content_arena.components.shared.errors import InputError
from content_arena.components.shared.evaluations.model_evaluation import ModelEvaluation
from content_arena.components.shared.evaluations.text_sets import GuardSet, RegressionSuite
from content_arena.components.shared.figures import Rate


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
