"""The page about the first version of an arena, which is compared with floors and with no champion."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from content_arena.components.evaluation.report_verdict import verdict_section
from content_arena.components.registry.verdict import PromotionVerdict
from content_arena.components.shared.figures import FIGURES
from content_arena.components.shared.pages import display
from content_arena.components.shared.pages.templates import template


class TrainedWith(Protocol):
    """The settings of a training, as far as the page shows them."""

    @property
    def base_model(self) -> str:
        """What was trained from."""

    @property
    def lang(self) -> str:
        """ISO 639-1 code of the corpus."""


def render(verdict: PromotionVerdict, figures: Mapping[str, float | None], settings: TrainedWith) -> str:
    """Returns one HTML page that needs no other file and no network.

    Args:
        verdict: What was decided about the version.
        figures: Those that were measured, by name.
        settings: Of its training.
    """
    shown = display.printable(verdict)
    return template(Path(__file__).parent, "first_version.html").render(
        verdict=verdict_section(shown, {}),
        version=shown.challenger_version,
        guard=shown.guard,
        figures=[
            {"name": figure.label, "value": display.figure(figures[figure.name], figure.unit)}
            for figure in FIGURES
            if figure.name in figures
        ],
        base_model=display.printable(settings.base_model),
        lang=display.printable(settings.lang),
    )
