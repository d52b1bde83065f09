"""A rollout is judged by the same, whoever goes on with it."""

from dataclasses import replace

import pytest

from content_arena.components.canary_rollout.analysis.checks import Limits
from content_arena.components.canary_rollout.measuring.config import Instruments, Reach
from content_arena.components.shared.errors import InputError


@pytest.fixture
def corpus(tmp_path):
    path = tmp_path / "corpus.parquet"
    path.touch()
    return path


def test_what_is_as_usual_is_not_noted():
    assert Instruments().noted() == {}
    assert Instruments(reach=Reach.API_SERVER).noted() == {}, "that depends on where a process runs"


def test_what_was_noted_measures_the_same(corpus):
    began = Instruments(
        Limits(p95_seconds=0.8, psi=0.5), "http://prometheus:9090/p", Reach.PODS, corpus, "de", 40, 2, 7
    )
    noted = began.noted()
    assert noted["limits"] == {"p95_seconds": 0.8, "psi": 0.5}
    assert Instruments.of({}, noted) == began


def test_what_is_told_goes_before_what_was_noted_bound_by_bound(corpus):
    began = Instruments(Limits(p95_seconds=0.8, psi=0.5), None, Reach.PODS, corpus, "de", 40)
    told = {"limits": {"psi": 0.3, "f1": 0.7}, "lang": "en", "reach": Reach.API_SERVER}
    resumed = Instruments.of(told, began.noted())
    assert resumed.limits == Limits(p95_seconds=0.8, psi=0.3, f1=0.7)
    assert resumed == replace(began, limits=resumed.limits, lang="en", reach=Reach.API_SERVER)


def test_no_password_is_noted():
    made = Instruments(prometheus="https://alice:secret@prometheus.example:9090/at?token=hidden")
    assert made.has_password
    assert made.noted() == {"prometheus": "https://prometheus.example:9090/at"}
    assert Instruments(prometheus="https://prometheus.example/at?token=hidden").has_password
    assert not Instruments(prometheus="https://prometheus.example").has_password


def test_a_corpus_is_found_from_another_folder(corpus, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    noted = Instruments.of({"corpus": "corpus.parquet"}).noted()
    monkeypatch.chdir("/")
    assert Instruments.of({}, noted).corpus == corpus


def test_a_corpus_that_is_somewhere_else_by_now_has_to_be_told(corpus):
    noted = Instruments(corpus=corpus).noted()
    corpus.unlink()
    with pytest.raises(InputError, match="--probe-corpus"):
        Instruments.of({}, noted)


@pytest.mark.parametrize("noted", [{"limits": {"charm": 1.0}}, {"charm": 1.0}])
def test_what_a_newer_arena_noted_is_refused(noted):
    with pytest.raises(InputError, match="charm"):
        Instruments.of({}, noted)
