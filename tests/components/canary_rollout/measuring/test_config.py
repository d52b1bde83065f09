"""A rollout is judged by the same, whoever goes on with it."""

from dataclasses import replace

import pytest

from content_arena.components.canary_rollout.analysis.checks import Limits
from content_arena.components.canary_rollout.measuring.config import MeasuringConfig, PodAccess
from content_arena.components.shared.errors import InputError


@pytest.fixture
def corpus(tmp_path):
    path = tmp_path / "corpus.parquet"
    path.touch()
    return path


def test_what_is_as_usual_is_not_noted():
    assert MeasuringConfig().recorded_config() == {}
    assert MeasuringConfig(pod_access=PodAccess.PROXY).recorded_config() == {}, "that depends on where a process runs"


def test_what_was_noted_measures_the_same(corpus):
    began = MeasuringConfig(
        Limits(p95_seconds=0.8, psi=0.5), "http://prometheus:9090/p", PodAccess.DIRECT, corpus, "de", 40, 2, 7
    )
    recorded_config = began.recorded_config()
    assert recorded_config["limits"] == {"p95_seconds": 0.8, "psi": 0.5}
    assert MeasuringConfig.of({}, recorded_config) == began


def test_what_is_told_goes_before_what_was_noted_bound_by_bound(corpus):
    began = MeasuringConfig(Limits(p95_seconds=0.8, psi=0.5), None, PodAccess.DIRECT, corpus, "de", 40)
    overrides = {"limits": {"psi": 0.3, "f1": 0.7}, "lang": "en", "reach": PodAccess.PROXY}
    resumed = MeasuringConfig.of(overrides, began.recorded_config())
    assert resumed.limits == Limits(p95_seconds=0.8, psi=0.3, f1=0.7)
    assert resumed == replace(began, limits=resumed.limits, lang="en", pod_access=PodAccess.PROXY)


def test_no_password_is_noted():
    made = MeasuringConfig(prometheus="https://alice:secret@prometheus.example:9090/at?token=hidden")
    assert made.has_password
    assert made.recorded_config() == {"prometheus": "https://prometheus.example:9090/at"}
    assert MeasuringConfig(prometheus="https://prometheus.example/at?token=hidden").has_password
    assert not MeasuringConfig(prometheus="https://prometheus.example").has_password


def test_a_corpus_is_found_from_another_folder(corpus, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    recorded_config = MeasuringConfig.of({"corpus": "corpus.parquet"}).recorded_config()
    monkeypatch.chdir("/")
    assert MeasuringConfig.of({}, recorded_config).corpus == corpus


def test_a_corpus_that_is_somewhere_else_by_now_has_to_be_told(corpus):
    recorded_config = MeasuringConfig(corpus=corpus).recorded_config()
    corpus.unlink()
    with pytest.raises(InputError, match="--probe-corpus"):
        MeasuringConfig.of({}, recorded_config)


@pytest.mark.parametrize("noted", [{"limits": {"charm": 1.0}}, {"charm": 1.0}])
def test_what_a_newer_arena_noted_is_refused(recorded_config):
    with pytest.raises(InputError, match="charm"):
        MeasuringConfig.of({}, recorded_config)
