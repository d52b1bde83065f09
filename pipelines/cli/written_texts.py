"""Where what an LLM writes is kept, for the commands that attack in this process."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from content_arena.components.attack_generation.settings import AttackSettings
from content_arena.pipelines.execution.environment import environment
from content_arena.pipelines.execution.home import ArenaHome


@contextlib.contextmanager
def keeping_in(home: ArenaHome, lang: str, attack: AttackSettings) -> Iterator[None]:
    """Keeps in the home what an LLM writes for the strategies that are chosen.

    The home is held as long, if they need one. Otherwise a second command would ask about the same texts, and one of
    two answers could not be replayed; and `arena data forget` could rewrite the file in the meantime.

    Args:
        home: Of this machine.
        lang: ISO 639-1 code.
        attack: Names the strategies.

    Raises:
        InputError: They need an LLM and another run holds the home, or there is no such strategy.
    """
    from content_arena.components.attack_generation import strategies

    is_written = any(strategy.rewrites for strategy in strategies.selected(lang, attack.selection))
    with home.exclusive() if is_written else contextlib.nullcontext(), environment({"ARENA_HOME": str(home.path)}):
        yield
