"""A second bundle beside the one that serves: what is counted of it, and that it is in nobody's way."""

import logging
import threading
import time

import numpy as np
import pytest
from prometheus_client import REGISTRY

from content_arena.components.predictor import startup
from content_arena.components.predictor.scoring.judgement import Judgement
from content_arena.components.predictor.scoring.shadow import Shadow, ShadowLimits
from content_arena.components.predictor.server import main
from content_arena.components.predictor.sources import FolderSource
from content_arena.components.predictor.startup import ShadowRenewal
from content_arena.components.shared.scoring.filter import ContentFilter

from .conftest import KNOWS_PROBES, PROBE_TOKEN, running
from .test_limits import wait_for
from .test_model import BrokenFilter, HeldFilter

SECRET = "hunter2 is an idiot"


def judgement(scores, version):
    scores = np.array(scores, dtype=np.float32)
    return Judgement(scores, scores >= 0.5, scores, version)


def sample(name, **labels):
    return REGISTRY.get_sample_value(name, labels)


def dropped(version, reason):
    return sample("content_arena_shadow_dropped_total", shadow_version=version, reason=reason)


def verdicts(served, version, is_toxic, shadow_is_toxic):
    labels = {"model_version": served, "shadow_version": version}
    labels |= {"is_toxic": str(is_toxic).lower(), "shadow_is_toxic": str(shadow_is_toxic).lower()}
    return sample("content_arena_shadow_verdicts_total", **labels) or 0


@pytest.fixture
def shadow(request, tiny_bundle):
    """Makes shadows that are stopped; their version is the test's name."""
    made = []

    def make(kind=ContentFilter, limits=None):
        made.append(Shadow(kind(tiny_bundle, version=request.node.name, threads=1), limits))
        return made[-1]

    yield make
    for each in made:
        each._filter.__dict__.get("let_go", threading.Event()).set()
        each.stop()


def test_agreement_and_difference_are_counted(shadow, tiny_bundle):
    content_filter = ContentFilter(tiny_bundle, threads=1)
    texts = ["you idiot", "nice day", "idiot " * 500, "nice weather"]
    scores = content_filter.score(texts)
    content_filter.close()
    one = shadow()
    # What serves says the same of the first two, and the opposite of the others.
    one.offer(texts, judgement([*scores[:2], 1 - scores[2], 1 - scores[3]], "agreement"))
    wait_for(lambda: verdicts("agreement", one.version, False, True) == 1)
    assert [verdicts("agreement", one.version, a, b) for a in (True, False) for b in (True, False)] == [1, 1, 1, 1]
    labels = {"model_version": "agreement", "shadow_version": one.version}
    assert sample("content_arena_shadow_score_difference_count", **labels) == 4
    assert sample("content_arena_shadow_score_difference_bucket", **labels, le="0.005") == 2


@pytest.mark.parametrize("limits", [ShadowLimits(requests=2), ShadowLimits(characters=20)], ids=["requests", "texts"])
def test_what_finds_no_room_is_dropped_and_nobody_waits(shadow, limits):
    one = shadow(HeldFilter, limits)
    one.offer(["you idiot"], judgement([0.9], "room"))
    assert one._filter.at_work.wait(20)
    # Two of ten characters wait beside the one that is at work.
    for _ in range(5):
        one.offer(["nice days!"], judgement([0.1], "room"))
    assert dropped(one.version, "full") == 3
    one._filter.let_go.set()
    wait_for(lambda: verdicts("room", one.version, False, False) == 2)
    one.offer(["nice days!"], judgement([0.1], "room"))
    wait_for(lambda: verdicts("room", one.version, False, False) == 3)


def test_a_shadow_that_fails_is_counted_and_logged_once_without_texts(shadow, caplog, monkeypatch):
    def fail(texts):
        raise RuntimeError(SECRET)

    # kserve's logging configuration may have cut its loggers off from the root, where caplog listens.
    monkeypatch.setattr(logging.getLogger("kserve"), "propagate", True)
    failing, broken = shadow(), shadow(BrokenFilter)
    monkeypatch.setattr(failing._filter, "windows", fail)
    for n, one in enumerate((failing, failing, broken, broken), 1):
        one.offer([SECRET], judgement([0.9], "failing"))
        wait_for(lambda n=n: dropped(failing.version, "failed") == n)
    # What fails is counted before it is logged.
    wait_for(lambda: "are no probabilities" in caplog.text)
    assert caplog.text.count("RuntimeError") == caplog.text.count("are no probabilities") == 1
    assert SECRET not in caplog.text


def test_while_requests_wait_it_works_a_tenth_of_the_time(shadow, monkeypatch):
    pauses = []
    one = shadow()
    monkeypatch.setattr(one._stopped, "wait", pauses.append)
    one.offer(["you idiot"], judgement([0.9], "idle"))
    wait_for(lambda: verdicts("idle", one.version, True, True) == 1)
    assert pauses == []
    one.yield_to(lambda: True)
    start = time.perf_counter()
    one.offer(["you idiot " * 200], judgement([0.9], "busy"))
    wait_for(lambda: verdicts("busy", one.version, True, True) == 1)
    worked = time.perf_counter() - start
    assert 0 < sum(pauses) <= 9 * worked
    assert len(pauses) > 2


def test_users_texts_are_scored_twice_and_probes_once(tiny_bundle, make_bundle):
    shadow = make_bundle("shadow", bias=9.0)  # It calls everything toxic.
    with running(
        tiny_bundle.path, "--model_version", "7", "--shadow", str(shadow.path), environment=KNOWS_PROBES
    ) as server:
        assert server.predict(json={"instances": ["you idiot", "nice day"]}).ok
        assert server.predict(json={"instances": [SECRET]}, headers={"x-content-arena-probe": PROBE_TOKEN}).ok
        version = f"sha-{shadow.spec.digest[:12]}"
        labels = f'model_version="7",shadow_is_toxic="true",shadow_version="{version}"'
        name = 'content_arena_shadow_verdicts_total{is_toxic="%s",%s}'
        wait_for(lambda: server.metrics().get(name % ("false", labels)) == 1)
        samples = server.metrics()
        assert samples[name % ("true", labels)] == 1
        assert samples[f'content_arena_shadow_dropped_total{{reason="full",shadow_version="{version}"}}'] == 0
        assert samples['content_arena_model_flagged_total{is_toxic="true",model_version="7"}'] == 1
        assert "hunter2" not in server.log
        server.process.terminate()
        assert server.process.wait(10) == 0


def test_a_shadow_that_cannot_be_loaded_is_an_error_at_the_start(tiny_bundle, tmp_path, capsys):
    assert main(["--model_dir", str(tiny_bundle.path), "--port", "0", "--shadow", str(tmp_path)]) == 2
    assert "no bundle" in capsys.readouterr().err


def test_a_reload_renews_the_shadow_but_not_with_a_broken_bundle(
    tmp_path, tiny_bundle, make_bundle, caplog, monkeypatch
):
    # kserve's logging configuration may have cut its loggers off from the root, where caplog listens.
    monkeypatch.setattr(logging.getLogger("kserve"), "propagate", True)
    folder = tmp_path / "shadow"
    folder.symlink_to(tiny_bundle.path)
    one = Shadow(ContentFilter(tiny_bundle, threads=1))
    before, renewal = one.version, ShadowRenewal(one, FolderSource(folder))
    with monkeypatch.context() as patch:
        # Another model in memory for nothing.
        patch.setattr(startup, "ContentFilter", lambda *_, **__: pytest.fail("the model was loaded again"))
        renewal.renew()
    assert one.version == before
    other, broken = make_bundle("other", bias=1.5), make_bundle("changed", bias=0.5)
    broken.model_path.write_bytes(b"")
    for bundle, errors in ((broken, 1), (other, 1)):
        folder.unlink()
        folder.symlink_to(bundle.path)
        renewal.renew()
        assert caplog.text.count("was not loaded") == errors
    wait_for(lambda: one.version == f"sha-{other.spec.digest[:12]}")
    one.offer(["you idiot"], judgement([0.9], "renewed"))
    labels = {"model_version": "renewed", "shadow_version": one.version}
    wait_for(lambda: sample("content_arena_shadow_score_difference_count", **labels) == 1)
    one.stop()
    late = ContentFilter(tiny_bundle, threads=1)
    one.replace(late)
    with pytest.raises(RuntimeError):  # It is closed.
        late.score(["you idiot"])
