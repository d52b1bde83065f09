"""KServe leaves the autoscaler of every variant that has gone."""

import logging

import pytest

from content_arena.components.canary_rollout.analysis.verdict import Verdict
from content_arena.components.canary_rollout.kube.client import AwayError, ClusterError
from content_arena.components.canary_rollout.log import LOG
from content_arena.components.canary_rollout.traffic.leftovers import remove_autoscalers
from tests.components.canary_rollout.bench import Bench

V1, V2 = "filter-v1-predictor", "filter-v2-predictor"


@pytest.mark.parametrize(("verdict", "gone", "stays"), [(Verdict.PASS, V1, V2), (Verdict.FAIL, V2, V1)])
def test_the_autoscaler_of_the_variant_that_has_gone_is_removed(verdict, gone, stays):
    bench = Bench("Standard", verdicts={25: verdict}).begun()
    bench.end()
    assert bench.world.hpas == {V1, V2}, "KServe removes none"
    assert remove_autoscalers(bench.api, "filter") == [gone]
    assert bench.world.hpas == {stays}
    assert remove_autoscalers(bench.api, "filter") == []


def test_the_autoscalers_of_variants_that_run_stay():
    bench = Bench("Standard").begun()
    bench.end(until=lambda state: state.percent == 25)
    assert remove_autoscalers(bench.api, "filter") == []
    assert bench.world.hpas == {V1, V2}


@pytest.mark.parametrize("error", [ClusterError("cannot delete resource"), AwayError("does not answer")])
def test_an_api_server_that_refuses_is_logged_and_no_error(error, caplog):
    caplog.set_level(logging.WARNING, LOG.name)
    bench = Bench("Standard").begun()
    bench.end()

    def refuses(name):
        raise error

    bench.api.delete_autoscaler = refuses
    assert remove_autoscalers(bench.api, "filter") == []
    assert f"autoscalers that KServe left behind stay: {error}" in caplog.messages
