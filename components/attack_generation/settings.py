"""The settings of a battle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from content_arena.components.attack_generation.selection import FAMILIES, Selection
from content_arena.components.shared.errors import InputError

#: Environment of a stage that attacks a filter behind a URL: headers to send, one a line; parameters of the URL; the
#: file that keeps its answers, so that a battle that was cut short goes on from there; and, of a filter behind https://,
#: files with the CA, the client's certificate and its key, and 1 if the server's certificate is not verified.
HEADERS_VARIABLE = "CONTENT_ARENA_VICTIM_HEADERS"
QUERY_VARIABLE = "CONTENT_ARENA_VICTIM_QUERY"
ANSWERS_VARIABLE = "CONTENT_ARENA_VICTIM_ANSWERS"
CA_FILE_VARIABLE = "CONTENT_ARENA_VICTIM_CA_FILE"
CERT_FILE_VARIABLE = "CONTENT_ARENA_VICTIM_CERT_FILE"
KEY_FILE_VARIABLE = "CONTENT_ARENA_VICTIM_KEY_FILE"
INSECURE_VARIABLE = "CONTENT_ARENA_VICTIM_INSECURE"
#: Environment of a stage that may run a Python function as a victim: 1. Containers and pods do not get it.
FUNCTIONS_VARIABLE = "CONTENT_ARENA_PYTHON_VICTIMS"
VICTIM_VARIABLES = (
    HEADERS_VARIABLE,
    QUERY_VARIABLE,
    ANSWERS_VARIABLE,
    CA_FILE_VARIABLE,
    CERT_FILE_VARIABLE,
    KEY_FILE_VARIABLE,
    INSECURE_VARIABLE,
)
#: How the budget is spent: "ladder" tries each strategy at rising intensity; the others look for one way past a text,
#: and "evolving" learns from text to text what works.
LADDER = "ladder"
EVOLVING = "evolving"
SEARCHES = (LADDER, "random", "greedy", "beam", EVOLVING)
#: Which texts a battle attacks in which nothing is trained: "validation", or "all" but those of the guard set.
VALIDATION, ALL = "validation", "all"
TEXTS = (VALIDATION, ALL)
#: Mappings by name: how known services are asked and how their answers are read.
MAPPINGS = ("kserve-v1", "kserve-v2", "kserve-huggingface", "perspective", "openai", "fms")


@dataclass(frozen=True)
class Reading:
    """How a filter behind a URL is asked and read.

    Attributes:
        mapping: One of :data:`MAPPINGS`, or an expression of JMESPath; "" for KServe's protocols.
        request: Template of a request in JSON; "" for the mapping's.
        inverted: Whether its scores and verdicts are of benign.
    """

    mapping: str = ""
    request: str = ""
    inverted: bool = False

    def __bool__(self) -> bool:
        """Whether anything is said that a filter in this process has no use for."""
        return bool(self.mapping or self.request or self.inverted)


#: By KServe's protocols.
KSERVE = Reading()


@dataclass(frozen=True, kw_only=True)
class AttackSettings:
    """How to attack.

    Attributes:
        budget: Queries an attack may spend on each text and strategy.
        texts_per_label: Texts of each label to attack.
        validation_share: Validation texts of each label to attack beside training texts, as a share of
            ``texts_per_label``. A battle in which nothing is trained attacks ``texts_per_label`` of them.
        held_out_strategies: Strategies that are judged and never trained on. Empty: those that the champion was never
            trained on, or, if it was trained on no attacks, some that the seed chooses.
        strategies: Strategies to attack with. Empty, with no families either: those that attack by default.
        families: Families of strategies to attack with, beside the named strategies.
        intensity: Share of the places of a text that the ladder's last query of a strategy edits, in (0, 1]; the
            queries before it edit fewer.
        max_edit_share: Largest share of a text that a search other than the ladder may change, in (0, 1].
        warm_start: Whether a battle with the search evolving begins with what the last such battle of this language
            learnt about this filter, or about any version of the registry.
        victim_map: How the answers of a filter behind a URL are read: kserve-v1, kserve-v2, kserve-huggingface,
            perspective, openai, fms, or an expression of JMESPath. Empty: by KServe's protocols.
        victim_request: Template of a request in JSON with "$texts" or "$text" in it. Empty: that of the mapping.
        victim_inverted: Whether the scores and verdicts of that filter are of benign.
    """

    SECTION: ClassVar[str] = "attack"
    budget: int = 3
    texts_per_label: int = 200
    validation_share: float = 0.25
    held_out_strategies: tuple[str, ...] = ()
    strategies: tuple[str, ...] = ()
    families: tuple[str, ...] = ()
    intensity: float = 1.0
    max_edit_share: float = 1.0
    warm_start: bool = False
    victim_map: str = ""
    victim_request: str = ""
    victim_inverted: bool = False

    def __post_init__(self) -> None:
        for name in ("budget", "texts_per_label"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}, it has to be at least 1")
        # Written so that NaN fails.
        if not 0 < self.validation_share <= 1:
            raise InputError(f"validation_share is {self.validation_share}, it has to be above 0 and at most 1")
        for name in ("intensity", "max_edit_share"):
            if not 0 < getattr(self, name) <= 1:
                raise InputError(f"{name} is {getattr(self, name)}, it has to be above 0 and at most 1")
        unknown = sorted(set(self.families) - set(FAMILIES))
        if unknown:
            raise InputError(f"there is no family {', '.join(unknown)}; there is: {', '.join(FAMILIES)}")

    @property
    def selection(self) -> Selection:
        """What to attack with."""
        return Selection(self.strategies, self.families)

    @property
    def reading(self) -> Reading:
        """How a filter behind a URL is asked and read."""
        return Reading(self.victim_map, self.victim_request, self.victim_inverted)
