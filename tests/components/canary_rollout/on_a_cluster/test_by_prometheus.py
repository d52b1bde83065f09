"""Whole rollouts that are judged by a real Prometheus, which finds the pods by the PodMonitor of our manifests."""

import shutil

import pytest

from content_arena.components.canary_rollout.reporting.history import read
from tests.components.canary_rollout.on_a_cluster import outcomes
from tests.components.canary_rollout.on_a_cluster.api import Api
from tests.manifests.monitoring.conftest import scraping
from tests.manifests.monitoring.pod_monitor import discovered

pytestmark = pytest.mark.slow


@pytest.fixture
def prometheus(installation, tmp_path):
    """Its URL."""
    if shutil.which("prometheus") is None:
        pytest.skip("needs Prometheus: apt-get install prometheus")
    folder = tmp_path / "prometheus"
    folder.mkdir()
    api = Api(installation.namespace)
    with (
        discovered("predictor", lambda: api.list("pods"), namespace=installation.namespace) as configs,
        scraping(folder, discovered=configs) as running,
    ):
        variant = {"Standard": "content-filter-v1-predictor", "Knative": "content-filter-predictor-00001"}
        ups = f'count(up{{variant="{variant[installation.mode]}"}} == 1)'
        installation.wait(lambda: running.values(ups) == [2], "both pods are scraped", 60)
        yield running.url


def test_a_good_challenger_is_promoted(installation, component, prometheus):
    installation.storage.put("2")
    process = component.run(prometheus=prometheus)
    assert process.code == 0, component.said
    outcomes.is_promoted(component)
    assert outcomes.count_answers(component) == {}
    (history,) = (installation.folder / "home/rollouts").glob("*.jsonl")
    reasons = [check.reason for record in read(history) for check in record.checks]
    assert any("counts in Prometheus at 127.0.0.1 are" in reason for reason in reasons)
    assert not any("were watched" in reason for reason in reasons), "the pods were asked all the same"


def test_one_that_answers_5xx_is_taken_back(installation, component, prometheus, tmp_path):
    turn = tmp_path / "turn"
    installation.storage.put("2", fault=f"failing-once={turn}")
    process = component.begin(bake=40, prometheus=prometheus)
    component.reaches("baking", 1, process)
    installation.wait(lambda: installation.users.versions()["2"] > 100, "users have met it", 60)
    turn.touch()
    assert process.wait() == 1, component.said
    outcomes.is_rolled_back(component, "errors, ")
    assert set(outcomes.count_answers(component)) == {500}
