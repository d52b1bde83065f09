"""Battles against real predictors: throttled, not counted as users' traffic, the same for both; and when they run."""

import threading
import time
from dataclasses import replace

import pytest

from content_arena.components.canary_rollout.measuring.endpoints import PodAddresses, variants
from content_arena.components.canary_rollout.measuring.prober import Prober, ProbeTiming
from content_arena.components.canary_rollout.measuring.probes import PodsVictim, ProbeSet, draw_probe_set, probe
from content_arena.components.shared import records
from content_arena.components.shared.errors import InputError, VictimError
from tests.components.canary_rollout.variants_under_test import (
    CHALLENGER,
    MODE,
    STABLE,
    Pods,
    corpus,
    pod,
    texts,
    view,
)
from tests.components.predictor.conftest import KNOWS_PROBES, PROBE_TOKEN, running

OURS, THEIRS = variants(view(), MODE, STABLE, CHALLENGER)


@pytest.fixture(scope="module")
def corpus_path(tmp_path_factory):
    path = tmp_path_factory.mktemp("corpus") / "corpus.parquet"
    records.write(records.Sample, corpus(40), path)
    return path


@pytest.fixture(scope="module")
def small(corpus_path):
    return draw_probe_set(corpus_path, texts_per_label=30, clean_per_label=40, budget=1)


@pytest.fixture(scope="module")
def predictor(tiny_bundle):
    with running(tiny_bundle.path, "--model_version", "2", environment=KNOWS_PROBES) as server:
        yield server


def victim(server, **options):
    return PodsVictim([server.url], PodAddresses().session(), **({"share": 1.0, "token": PROBE_TOKEN} | options))


def test_the_path_of_the_api_servers_proxy_is_kept():
    proxy = "https://10.0.0.1:6443/api/v1/namespaces/arena/pods/content-filter-v2-predictor-7c6b-fghij:8080/proxy"
    asked = PodsVictim([proxy], PodAddresses().session())
    assert next(asked._urls) == f"{proxy}/v1/models/content-filter:predict"


def users(server):
    """Users' traffic as the predictor counts it."""
    samples = server.metrics()
    names = ("content_arena_api_requests", "content_arena_model_flagged", "content_arena_model_score")
    return {name: value for name, value in samples.items() if name.startswith(names) and "/metrics" not in name}


def test_one_battle_gives_every_figure_and_is_not_counted_as_users_traffic(predictor, small):
    before = users(predictor)
    asked = victim(predictor)
    found = probe(small, asked)
    assert found.versions == {"2"}
    assert len(found.evasion.numerators) > 100
    assert 0 < sum(found.evasion.numerators) < len(found.evasion.numerators)
    assert len(found.benign_flagged.numerators) > 100
    assert sum(found.f1.numerators) / sum(found.f1.denominators) > 0.9
    assert asked.answers > 10
    assert asked.errors == 0
    assert users(predictor) == before


@pytest.mark.parametrize("token", [None, "of another predictor"])
def test_probes_that_would_be_counted_as_users_traffic_are_stopped(predictor, token):
    asked = victim(predictor, token=token)
    with pytest.raises(VictimError, match="set CONTENT_ARENA_PROBE_TOKEN"):
        asked.score(texts(64))
    assert asked.answers == 0


@pytest.mark.parametrize("token", [None, PROBE_TOKEN])
def test_a_predictor_without_a_token_is_not_measured(tiny_bundle, token):
    with running(tiny_bundle.path) as without, pytest.raises(VictimError, match="make the Secret arena-probe"):
        victim(without, token=token).score(texts(64))


def test_the_same_seed_gives_the_same_probes_and_the_same_figures(predictor, small, corpus_path):
    again = draw_probe_set(corpus_path, texts_per_label=30, clean_per_label=40, budget=1)
    assert probe(small, victim(predictor)) == probe(again, victim(predictor))
    assert probe(small, victim(predictor)) != probe(
        draw_probe_set(corpus_path, texts_per_label=30, clean_per_label=40, budget=1, seed=1), victim(predictor)
    )


def test_strategies_seen_and_held_out_are_both_sent(small):
    names = {strategy.name for strategy in small.strategies}
    assert {"leet_sub", "wild_respell"} <= names


def test_a_corpus_without_test_texts_of_both_labels_is_refused(tmp_path):
    path = tmp_path / "corpus.parquet"
    records.write(records.Sample, corpus().assign(split="train"), path)
    with pytest.raises(InputError, match="toxic and benign en texts in the test split"):
        draw_probe_set(path)


def test_without_a_corpus_the_embedded_ones_test_texts_are_used():
    made = draw_probe_set(None, "en", texts_per_label=5, clean_per_label=10)
    assert set(made.clean["split"]) == {"test"}
    assert made.clean["label"].value_counts().to_dict() == {"toxic": 10, "benign": 10}
    assert set(made.attacked["base_id"]) <= set(made.clean["base_id"])


def test_every_pod_is_probed(tiny_bundle, predictor):
    """One of them answers with another version, which shows whichever answers first."""
    with running(tiny_bundle.path, "--model_version", "9", environment=KNOWS_PROBES) as other:
        both = PodsVictim([predictor.url, other.url], PodAddresses().session(), share=1.0, token=PROBE_TOKEN)
        both.score(texts(40))
    assert both.versions == {"2", "9"}


def test_probes_leave_most_of_the_time_to_users(predictor):
    """Measured by the requested pauses and not by the clock."""
    waited, stop = [], threading.Event()
    stop.wait = lambda seconds: waited.append(seconds) or False
    slow = victim(predictor, share=0.25, stop=stop)
    took = []
    slow._connection.session.hooks["response"].append(
        lambda response, **_: took.append(response.elapsed.total_seconds())
    )
    slow.score(texts(64))
    assert waited == pytest.approx([3 * seconds for seconds in took])
    assert len(waited) == 4


def test_a_stopped_battle_sends_no_more_requests(predictor):
    stop = threading.Event()
    stop.set()
    stopped = victim(predictor, stop=stop)
    with pytest.raises(VictimError, match="stopped"):
        stopped.score(texts(64))
    assert stopped.answers == 1


class Fought:
    """A prober whose battles run only when a test runs them."""

    def __init__(self, pods=None, probe_set=lambda draw: pytest.fail("not fought")):
        self.pending = []
        self.pods = pods or Pods()
        if pods is None:
            self.pods.by_labels = {OURS.labels: [pod("a", 9)], THEIRS.labels: [pod("b", 9)]}
        self.prober = Prober(
            probe_set, self.pods, timing=ProbeTiming(stale_seconds=100, retry_seconds=10), start=self.pending.append
        )

    def latest(self, now, since=0.0, draw=0):
        return self.prober.latest(since, now, OURS, THEIRS, draw)


def end(probing, result=None, failure=""):
    probing.result, probing.failure = result, failure
    probing.done.set()


def test_probes_are_sent_once_a_window_and_not_in_every_iteration():
    fought = Fought()
    first = fought.latest(0.0)
    assert [probing.result for probing in first] == [None, None]
    assert fought.latest(1.0) == first
    assert len(fought.pending) == 2
    for probing in first:
        end(probing, result="figures")
    assert fought.latest(2.0) == first
    assert fought.latest(99.0) == first
    assert len(fought.pending) == 2
    anew = fought.latest(99.0, since=99.0)
    assert [probing.result for probing in anew] == [None, None]
    assert len(fought.pending) == 4


def test_stale_figures_count_until_there_are_fresh_ones():
    fought = Fought()
    old = fought.latest(0.0)
    for probing in old:
        end(probing, result="old")
    assert fought.latest(100.0) == old
    assert fought.latest(101.0) == old
    assert len(fought.pending) == 4
    end(fought.prober._under_way["challenger"], result="new")
    assert [probing.result for probing in fought.latest(102.0)] == ["old", "new"]


def test_a_battle_that_failed_is_reported_and_fought_again_soon():
    fought = Fought()
    for probing in fought.latest(0.0):
        end(probing, failure="no answer")
    assert [probing.failure for probing in fought.latest(1.0)] == ["no answer"] * 2
    assert len(fought.pending) == 2
    fought.latest(10.0)
    assert len(fought.pending) == 4


def test_a_battle_that_takes_longer_than_a_window_is_fought_to_its_end():
    fought = Fought()
    under_way = fought.latest(0.0)
    assert fought.latest(50.0, since=50.0) == under_way
    for probing in under_way:
        end(probing, result="figures")
    assert [probing.result for probing in fought.latest(60.0, since=50.0)] == ["figures", "figures"]
    assert len(fought.pending) == 2


def test_new_pods_stop_the_battle_against_the_pods_before():
    fought = Fought()
    under_way = fought.latest(0.0)[0]
    fought.prober.latest(0.0, 1.0, OURS, replace(THEIRS, labels="app=another"))
    assert under_way.victim._stop.is_set()


def test_another_draw_stops_the_battle_and_sends_other_texts(small):
    asked = []

    def drawn(draw):
        asked.append(draw)
        return small

    fought = Fought(probe_set=drawn)
    before = fought.latest(0.0)
    anew = fought.latest(1.0, draw=1)
    assert all(probing.victim._stop.is_set() for probing in before)
    assert not any(probing in before for probing in anew)
    for work in fought.pending:
        work()
    assert asked == [0, 1], "each draw is made once"
    assert fought.latest(2.0, draw=1) == anew


def test_a_variant_without_a_ready_pod_is_named():
    fought = Fought(Pods())
    assert fought.latest(0.0)[1].failure == "no pod of the challenger is ready"


def test_a_battle_against_an_unreachable_server_fails_with_the_reason(small):
    fought = Fought(probe_set=lambda draw: small)
    theirs = fought.latest(0.0)[1]
    for work in fought.pending:
        work()
    assert theirs.done.is_set()
    assert "no answer from http://127.0.0.1:9/" in theirs.failure


def test_a_corpus_that_can_not_be_read_is_the_reason(tmp_path):
    fought = Fought(probe_set=lambda draw: draw_probe_set(tmp_path / "none.parquet"))
    theirs = fought.latest(0.0)[1]
    for work in fought.pending:
        work()
    assert "no Sample table" in theirs.failure


def test_a_battle_that_fails_by_a_defect_logs_the_traceback(caplog):
    fought = Fought(probe_set=lambda draw: 1 / 0)
    theirs = fought.latest(0.0)[1]
    for work in fought.pending:
        work()
    assert theirs.done.is_set()
    assert theirs.failure == "division by zero"
    assert "ZeroDivisionError" in caplog.text


def test_battles_run_beside_the_control_loop(predictor, small):
    pods = Pods(predictor, predictor)
    prober = Prober(
        lambda draw: ProbeSet(small.clean, small.attacked, small.strategies[:1], 1),
        pods,
        timing=ProbeTiming(share=1.0),
        token=PROBE_TOKEN,
    )
    assert prober.latest(0, 0.0, OURS, THEIRS)[1].result is None
    for probing in prober.latest(0, 0.0, OURS, THEIRS):
        assert probing.done.wait(240)
    assert all(probing.result for probing in prober.latest(0, time.time(), OURS, THEIRS))
