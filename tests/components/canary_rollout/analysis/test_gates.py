"""The bounds of a rollout beside what the gates measured."""

import pytest

from content_arena.components.canary_rollout.analysis import gates
from content_arena.components.canary_rollout.analysis.bounds import Bounds
from content_arena.components.canary_rollout.analysis.limits import Limits
from content_arena.components.shared import figures

RELATIVE = Bounds()
GOOD = {"evasion": (0.2, 0.25), "perturbed_benign_fpr": (0.1, 0.1), "clean_f1": (0.9, 0.89)}


def compared(bounds=RELATIVE, **changes):
    return gates.compared(bounds, "3", GOOD | changes)


def test_every_figure_of_the_gates_exists():
    assert set(gates.FIGURES.values()) <= set(figures.by_name())


def test_figures_within_the_bounds_are_one_line():
    assert compared() == [
        "the gates of version 3 measured: evasion 0.2 (wanted at most 0.3), benign flagged 0.1 (wanted at most 0.4), "
        "F1 0.9 (wanted at least 0.6)"
    ]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {"evasion": (0.42, 0.25)},
            "version 3 passed its gates with evasion 0.42, 0.25 of its champion, and the rollout wants at most 0.3: it "
            "may fail there; --limit evasion=VALUE sets another bound",
        ),
        ({"clean_f1": (0.5, None)}, "with clean_f1 0.5, and the rollout wants at least 0.6"),
    ],
)
def test_a_contradiction_is_named(changes, says):
    assert says in compared(**changes)[-1]


def test_a_champion_that_is_no_better_makes_no_contradiction_unless_the_bounds_are_absolute():
    weak = {"evasion": (0.42, 0.45)}
    assert len(compared(**weak)) == 1
    assert "may fail there" in compared(Bounds(Limits(), is_absolute=True), **weak)[-1]


def test_what_is_not_recorded_is_said():
    assert gates.compared(Bounds(), "3", {}) == [
        "the registry has no gates of version 3, so the bounds are not compared with them"
    ]
    assert compared(evasion=(None, 0.2))[-1] == (
        "the gates of version 3 did not measure evasion, so its bound is not compared with it"
    )
