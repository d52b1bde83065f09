"""Decides whether the first version may become champion: nothing serves yet, so it meets floors and no gates."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from content_arena.components.evaluation import metrics
from content_arena.components.evaluation.judged_texts import JudgedTexts
from content_arena.components.registry.floors import ADVICE, Floor, judge_floors
from content_arena.components.registry.registry import Registry
from content_arena.components.registry.verdict import PromotionVerdict, RecordedVerdict
from content_arena.components.shared import figures
from content_arena.components.shared.scoring import bundle as bundles
from content_arena.components.shared.scoring.filter import ContentFilter


@dataclass(frozen=True)
class JudgedVersion:
    """What was measured on a version, and what follows.

    Attributes:
        figures: Those that rest on clean test texts or on the guard set, by name; None where one was not measured.
        recorded: What the registry keeps.
    """

    figures: Mapping[str, float | None]
    recorded: RecordedVerdict

    @property
    def passed(self) -> bool:
        """Whether it may become champion."""
        return not self.recorded.failures

    def verdict(self, version: int) -> PromotionVerdict:
        """The verdict on it as a document.

        Args:
            version: Its number in the registry.
        """
        every = [floor.reason for floor in self.recorded.floors]
        return PromotionVerdict(
            passed=self.passed,
            promoted=self.passed,
            champion_version=None,
            challenger_version=str(version),
            generation=0,
            reasons=tuple(every if self.passed else self.recorded.failures),
            gates=(),
            margins={},
            floors=self.recorded.floors,
            guard=self.recorded.guard,
        )


def judge(bundle: bundles.Bundle, corpus: pd.DataFrame, floors: Sequence[Floor]) -> JudgedVersion:
    """Measures a bundle on the test split and on the guard set, and applies the floors.

    Args:
        bundle: Trained on the corpus.
        corpus: Rows of Sample.
        floors: Least values.
    """
    texts = JudgedTexts.of(corpus)
    with contextlib.closing(ContentFilter(bundle)) as model:
        measured = metrics.compute_without_attacks(
            texts.scored_by(model), model.threshold, texts.guard_scored_by(model)
        )
    recorded = RecordedVerdict(champion=None, floors=judge_floors(measured, floors), guard=texts.guard)
    return JudgedVersion({name: figures.value_of(value) for name, value in measured.items()}, recorded)


def admit(registry: Registry, version: int, judged: JudgedVersion) -> None:
    """Makes a registered version the first champion if it passed, and rejects it otherwise; keeps figures and verdict.

    A rejected version keeps no alias, so the next run begins as if there had been none.

    Args:
        registry: Has no champion.
        version: The version.
        judged: What was decided about it.

    Raises:
        RegistryError: Another version has become champion meanwhile; nothing was moved.
    """
    registry.record_metrics(version, _headline(judged.figures))
    registry.record_verdict(version, judged.recorded)
    if judged.passed:
        registry.withdraw_rejection(version)
        registry.promote(version, expected_champion=None)
    else:
        registry.reject(version, f"{'; '.join(judged.recorded.failures)}; {ADVICE}")


def _headline(measured: Mapping[str, float | None]) -> dict[str, float | None]:
    shown = [figure.name for figure in figures.FIGURES if figure.in_headline]
    return {name: measured[name] for name in shown if name in measured}
