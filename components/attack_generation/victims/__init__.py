"""The filters under attack: anything that scores texts, in this process or behind a URL."""

from content_arena.components.attack_generation.victims.addresses import URL_FORMS
from content_arena.components.attack_generation.victims.answering import AnsweringVictim
from content_arena.components.attack_generation.victims.base import Answer, Scores, Victim
from content_arena.components.attack_generation.victims.cached import CachedVictim
from content_arena.components.attack_generation.victims.endpoint import EndpointVictim
from content_arena.components.attack_generation.victims.opening import open_victim

__all__ = [
    "URL_FORMS",
    "Answer",
    "AnsweringVictim",
    "CachedVictim",
    "EndpointVictim",
    "Scores",
    "Victim",
    "open_victim",
]
