"""Whether the bounds of a rollout agree with what the gates measured when the version passed them. Pure.

Gates and probes measure the same figures on other texts and with another budget. So a contradiction is a reason to look
at the bounds before the rollout begins, and none to refuse it.
"""

from __future__ import annotations

from collections.abc import Mapping

from content_arena.components.canary_rollout.analysis.bounds import HIGHER_IS_BETTER, NAMES, Bounds, looser
from content_arena.components.canary_rollout.analysis.check import Subject

#: The figure of the gates for each figure of the probes.
FIGURES = {
    Subject.EVASION: "evasion",
    Subject.BENIGN_FLAGGED: "perturbed_benign_fpr",
    Subject.F1: "clean_f1",
}

#: By name of the figure: the version's, and that of the champion it was compared with; None if not measured.
GateFigures = Mapping[str, tuple[float | None, float | None]]


def compared(bounds: Bounds, version: str, figures: GateFigures) -> list[str]:
    """The bounds beside the figures by which a version passed its gates, as lines for people.

    Args:
        bounds: Of the rollout.
        version: The version.
        figures: As the registry recorded them; empty if it has no verdict about the version.
    """
    if not figures:
        return [f"the registry has no gates of version {version}, so the bounds are not compared with them"]
    met, lines = [], []
    for subject, name in FIGURES.items():
        ours, theirs = figures.get(name, (None, None))
        if ours is None:
            lines.append(f"the gates of version {version} did not measure {name}, so its bound is not compared with it")
            continue
        bound = bounds.beside(subject, theirs)
        side = "at least" if subject in HIGHER_IS_BETTER else "at most"
        if looser(subject, bound, ours) == bound:
            met.append(f"{subject} {ours:.4g} (wanted {side} {bound:.4g})")
            continue
        beside = "" if theirs is None else f", {theirs:.4g} of its champion"
        lines.append(
            f"version {version} passed its gates with {name} {ours:.4g}{beside}, and the rollout wants {side} "
            f"{bound:.4g}: it may fail there; --limit {NAMES[subject][0]}=VALUE sets another bound"
        )
    return [f"the gates of version {version} measured: {', '.join(met)}"] * bool(met) + lines
