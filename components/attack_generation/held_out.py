"""Which strategies are held out: judged, and never trained on.

The user may name them. Otherwise the champion's choice is kept, because a strategy that one generation was trained on
is no longer new to the next. Only if the champion was trained on no attacks, the seed chooses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from content_arena.components.attack_generation import reach, strategies
from content_arena.components.attack_generation.selection import DEFAULT, Selection
from content_arena.components.attack_generation.strategies import Strategy
from content_arena.components.registry.registry import Registry
from content_arena.components.registry.version import RegisteredVersion
from content_arena.components.shared.errors import InputError
from content_arena.components.shared.records import sha256_of

#: What every generation held out before the choice was recorded with a version.
_UNRECORDED = ("diacritic_zalgo", "ko_coda", "space_join", "wild_respell")
_LEAST = 2
_FAMILIES_TO_HOLD_ONE_OUT = 3


@dataclass(frozen=True)
class HeldOut:
    """A choice.

    Attributes:
        names: The strategies, in alphabetical order; also some that are not installed, if the champion holds them out.
        reason: Who chose them, for people.
    """

    names: tuple[str, ...]
    reason: str

    def __str__(self) -> str:
        return f"{', '.join(self.names) or 'none'} ({self.reason})"


def choose(candidates: Sequence[Strategy], lang: str, seed: int) -> tuple[str, ...]:
    """Chooses by seed.

    With three families or more, one whole family is held out, so that its kind of edit is new to the model. It has at
    most half of the candidates. If it has one strategy only, a second one of another family is added. With fewer
    families two strategies are held out, or as many as leave half of them for training.

    Args:
        candidates: Strategies of one language, see :func:`reach.candidates`, in any order.
        lang: ISO 639-1 code of the language.
        seed: Of the run.

    Returns:
        Names in alphabetical order; the same for the same arguments, on any machine. None of fewer than two candidates.
    """

    def rank(name: str) -> str:
        return sha256_of("held out", lang, str(seed), name)

    by_rank = sorted(candidates, key=lambda strategy: rank(strategy.name))
    families = sorted({strategy.family for strategy in candidates}, key=lambda family: rank(f"family {family}"))
    if len(families) < _FAMILIES_TO_HOLD_ONE_OUT:
        return tuple(sorted(strategy.name for strategy in by_rank[: min(_LEAST, len(by_rank) // 2)]))
    groups = [[strategy for strategy in by_rank if strategy.family == family] for family in families]
    # At most one of three families or more has over half of the strategies.
    whole = next(group for group in groups if 2 * len(group) <= len(candidates))
    others = [strategy for strategy in by_rank if strategy not in whole]
    return tuple(sorted(strategy.name for strategy in [*whole, *others[: max(0, _LEAST - len(whole))]]))


def resolve(
    lang: str, seed: int, given: Sequence[str], version: RegisteredVersion | None, selection: Selection = DEFAULT
) -> HeldOut:
    """The strategies that a run holds out.

    Args:
        lang: ISO 639-1 code of the corpus.
        seed: Of the run.
        given: Strategies that the user names; empty if the user leaves the choice to the arena.
        version: The champion that is attacked and trained on from, or any other version; None for a filter that the
            registry does not know.
        selection: What the run attacks with; the seed chooses among these.

    Raises:
        InputError: A given name is not installed, or the version was trained on it. Figures of a strategy that was
            trained on must not be shown as those of one that was not.
    """
    if given:
        strategies.check_installed(given)
        if version is not None:
            _check_untrained(given, lang, version)
        return HeldOut(tuple(sorted(set(given))), "named by the user")
    if version is None or _is_trained_on_no_attacks(version):
        return HeldOut(choose(reach.candidates(lang, selection), lang, seed), f"chosen by seed {seed}")
    kept = version.held_out
    if kept is None:
        # Those that are undone are never trained on either, so it is enough to keep the others.
        default = strategies.selected(lang)
        kept = tuple(s.name for s in default if s.name in _UNRECORDED and not reach.is_undone(s, lang))
    return HeldOut(tuple(sorted(kept)), f"as for version {version.version}")


def resolve_for(
    spec: str,
    lang: str,
    seed: int,
    given: Sequence[str],
    tracking_uri: str | None,
    selection: Selection = DEFAULT,
) -> HeldOut:
    """See :func:`resolve`, for a victim. For one that the registry does not know, the champion's choice is shown.

    Args:
        spec: As of :func:`content_arena.components.attack_generation.victims.open_victim`.
        lang: See :func:`resolve`.
        seed: See :func:`resolve`.
        given: See :func:`resolve`.
        tracking_uri: MLflow server; the environment's if None.
        selection: See :func:`resolve`.

    Raises:
        InputError: See :func:`resolve`.
        RegistryError: The registry has no such alias or version.
    """
    registry = Registry(tracking_uri)
    if spec in Registry.ALIASES or spec.isdecimal():
        version: int | None = registry.resolve(spec)
    else:
        # What the champion was trained on says nothing about another filter, so the user may name any strategy.
        version = None if given else registry.version_of(Registry.CHAMPION)
    return resolve(lang, seed, given, None if version is None else registry.get(version), selection)


def trained_on(version: RegisteredVersion) -> frozenset[str]:
    """Strategies that a version, or one that it continued from, was trained on.

    For a version of a release that did not record it: all that attack by default and were not held out.
    """
    if _is_trained_on_no_attacks(version):
        return frozenset()
    if version.trained_on is not None:
        return version.trained_on
    return frozenset(strategy.name for strategy in strategies.BUILT_IN if strategy.by_default) - frozenset(_UNRECORDED)


def _is_trained_on_no_attacks(version: RegisteredVersion) -> bool:
    """Whether any choice is open: the first champion is trained on the corpus alone."""
    return version.held_out is None and version.generation == 0


def _check_untrained(given: Sequence[str], lang: str, version: RegisteredVersion) -> None:
    """Refuses names of strategies that the version was trained on."""
    named = [strategies.installed()[name] for name in sorted(set(given) & trained_on(version))]
    wrong = [strategy.name for strategy in named if strategy.speaks(lang) and not reach.is_undone(strategy, lang)]
    if wrong:
        kept = resolve(lang, 0, (), version).names
        raise InputError(
            f"version {version.version} was trained on {', '.join(wrong)}, which can not be held out any more:"
            f" name only strategies that it was not trained on (it holds out {', '.join(kept) or 'none'}), name none to"
            " keep its choice, or start anew with another ARENA_HOME or MLflow server"
        )
