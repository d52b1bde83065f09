"""A resumed rollout is measured and judged as it began."""

from dataclasses import replace

import pytest

from content_arena.components.canary_rollout.analysis.limits import Limits
from content_arena.components.canary_rollout.measuring.config import MeasuringConfig, PodAccess
from content_arena.components.shared.errors import InputError


@pytest.fixture
def corpus(tmp_path):
    path = tmp_path / "corpus.parquet"
    path.touch()
    return path


def test_defaults_are_not_recorded():
    assert MeasuringConfig().as_record() == {}
    assert MeasuringConfig(pod_access=PodAccess.PROXY).as_record() == {}, "that depends on where a process runs"


def test_a_resumed_rollout_measures_the_same(corpus):
    began = MeasuringConfig(
        Limits(p95_seconds=0.8, psi=0.5), "http://prometheus:9090/p", PodAccess.DIRECT, corpus, "de", 40, 2, 7
    )
    record = began.as_record()
    assert record["limits"] == {"p95_seconds": 0.8, "psi": 0.5}
    assert MeasuringConfig.of({}, record) == began


def test_overrides_win_over_the_record_for_each_bound(corpus):
    began = MeasuringConfig(Limits(p95_seconds=0.8, psi=0.5), None, PodAccess.DIRECT, corpus, "de", 40)
    overrides = {"limits": {"psi": 0.3, "f1": 0.7}, "lang": "en", "pod_access": PodAccess.PROXY}
    resumed = MeasuringConfig.of(overrides, began.as_record())
    assert resumed.limits == Limits(p95_seconds=0.8, psi=0.3, f1=0.7)
    assert resumed == replace(began, limits=resumed.limits, lang="en", pod_access=PodAccess.PROXY)


def test_no_password_is_recorded():
    made = MeasuringConfig(prometheus="https://alice:secret@prometheus.example:9090/at?token=hidden")
    assert made.has_password
    assert made.as_record() == {"prometheus": "https://prometheus.example:9090/at"}
    assert MeasuringConfig(prometheus="https://prometheus.example/at?token=hidden").has_password
    assert not MeasuringConfig(prometheus="https://prometheus.example").has_password


def test_a_corpus_is_found_from_another_folder(corpus, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    record = MeasuringConfig.of({"corpus": "corpus.parquet"}).as_record()
    monkeypatch.chdir("/")
    assert MeasuringConfig.of({}, record).corpus == corpus


def test_a_recorded_corpus_that_does_not_exist_has_to_be_replaced(corpus):
    record = MeasuringConfig(corpus=corpus).as_record()
    corpus.unlink()
    with pytest.raises(InputError, match="--probe-corpus"):
        MeasuringConfig.of({}, record)


@pytest.mark.parametrize("recorded", [{"limits": {"charm": 1.0}}, {"charm": 1.0}])
def test_a_record_of_a_newer_arena_is_refused(recorded):
    with pytest.raises(InputError, match="charm"):
        MeasuringConfig.of({}, recorded)
