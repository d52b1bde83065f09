"""How an attacker spends a budget of queries on a text."""

from content_arena.components.attack_generation.search.ladder import (
    Attempt,
    LadderSearch,
    Outcome,
    Search,
    Target,
)

__all__ = ["Attempt", "LadderSearch", "Outcome", "Search", "Target"]
