"""Bundles as victims: in a battle their answers are kept, as those of a filter behind a URL are."""

import numpy as np
import pytest

from content_arena.components.attack_generation.settings import ANSWERS_VARIABLE
from content_arena.components.attack_generation.victims import open_victim
from content_arena.components.attack_generation.victims.local import LocalVictim, canonicaliser_of
from content_arena.components.shared.scoring.filter import ContentFilter
from content_arena.components.shared.text.canonical import canonicalise, canonicaliser
from tests.tiny_bundle import make_tiny_bundle

TEXTS = [f"you stupid idiot {number}" for number in range(700)]


@pytest.fixture
def asked(monkeypatch):
    """The texts that models score, and ``asked.fails``: whether the next call after the first ends in Ctrl-C."""

    class Asked(list):
        fails = False

    texts, score = Asked(), ContentFilter.score

    def counted(self, batch):
        if texts.fails and texts:
            raise KeyboardInterrupt
        texts.extend(batch)
        return score(self, batch)

    monkeypatch.setattr(ContentFilter, "score", counted)
    return texts


def test_what_a_bundle_answered_before_ctrl_c_is_kept(tiny_bundle, tmp_path, monkeypatch, asked):
    expected = open_victim(str(tiny_bundle.path)).score(TEXTS)
    monkeypatch.setenv(ANSWERS_VARIABLE, str(tmp_path / "answers.jsonl"))
    asked.clear()
    asked.fails = True
    with pytest.raises(KeyboardInterrupt):
        open_victim(str(tiny_bundle.path)).score(TEXTS)
    n_kept = len(asked)
    assert 0 < n_kept < len(TEXTS)
    asked.clear()
    asked.fails = False
    victim = open_victim(str(tiny_bundle.path))
    np.testing.assert_allclose(victim.score(TEXTS), expected, atol=1e-6)
    # Some of the known answers are asked for again.
    assert len(asked) <= len(TEXTS) - n_kept + 4
    local = ContentFilter(tiny_bundle)
    assert (victim.threshold, victim.version) == (local.threshold, local.version)


def test_only_a_filter_of_our_own_is_known_to_canonicalise(tiny_bundle, tmp_path, monkeypatch):
    hidden = "id\u200biot"
    assert canonicaliser_of(open_victim(str(tiny_bundle.path)))(hidden) == "idiot"
    monkeypatch.setenv(ANSWERS_VARIABLE, str(tmp_path / "answers.jsonl"))
    kept = open_victim(str(tiny_bundle.path))
    assert isinstance(kept, LocalVictim)
    assert canonicaliser_of(kept)(hidden) == "idiot"
    assert canonicaliser_of(open_victim("http://127.0.0.1:9")) is None


def test_an_older_filter_undoes_what_its_own_canonicaliser_does(make_bundle, tmp_path, monkeypatch):
    monkeypatch.setenv(ANSWERS_VARIABLE, str(tmp_path / "answers.jsonl"))
    older = open_victim(str(make_bundle("older", canonical_version="1").path))
    assert canonicaliser_of(older)("y0u 1diot") == canonicaliser("1")("y0u 1diot") != canonicalise("y0u 1diot")


def test_answers_of_another_model_are_not_taken(tiny_bundle, tmp_path, monkeypatch, asked):
    monkeypatch.setenv(ANSWERS_VARIABLE, str(tmp_path / "answers.jsonl"))
    open_victim(str(tiny_bundle.path)).score(TEXTS[:5])
    other = make_tiny_bundle(tmp_path / "other", bias=3.0)
    asked.clear()
    open_victim(str(other.path)).score(TEXTS[:5])
    assert list(asked) == TEXTS[:5]
