"""Gives the strategies of a battle their LLM, and tells the user what it did."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from content_arena.components.attack_generation.strategies import Strategy
from content_arena.components.attack_generation.writing.writer import Writer
from content_arena.components.shared.chat import ChatSettings
from content_arena.components.shared.stage import log, note


@dataclass(frozen=True)
class Reporting:
    """Where lines for people go.

    Attributes:
        log: Lines of which the latest one counts.
        note: Lines that must not be missed.
    """

    log: Callable[[str], None]
    note: Callable[[str], None]

    @classmethod
    def of_stage(cls, stage: str) -> Reporting:
        """To the log of a stage."""
        return cls(partial(log, stage), partial(note, stage))


def writer_for(strategies: Sequence[Strategy], settings: ChatSettings, reporting: Reporting) -> Writer | None:
    """The LLM that some of the strategies need; None if they need none.

    Args:
        strategies: Of a battle.
        settings: How the LLM is asked.
        reporting: Where to tell what it does.

    Raises:
        ChatError: They need one, and there is none.
    """
    if not any(strategy.rewrites for strategy in strategies):
        return None
    writer = Writer.open(settings, reporting.log)
    reporting.log(
        f"{writer.model} writes texts; what it wrote before for the same prompt and parameters is taken again"
    )
    if writer.is_weak:
        reporting.note(
            f"{writer.model} is a small, weak LLM: most of what it writes means something else than the original, so "
            "do not train on it, and take no figure from it"
        )
    return writer


def bound(strategies: Sequence[Strategy], writer: Writer | None) -> list[Strategy]:
    """The strategies with their LLM."""
    return [strategy if writer is None else strategy.bound(writer) for strategy in strategies]


def tell_what_was_written(writer: Writer | None, reporting: Reporting) -> None:
    """Tells the user how many texts were written, and how many not and why."""
    if writer is not None:
        reporting.note(writer.summary())
