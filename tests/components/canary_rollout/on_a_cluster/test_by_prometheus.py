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


def test_a_good_challenger_is_promoted(installation, cli, prometheus):
    installation.storage.put("2")
    process = cli.run(prometheus=prometheus)
    assert process.code == 0, cli.output
    outcomes.is_promoted(cli)
    assert outcomes.count_answers(cli) == {}
    (history,) = (installation.folder / "home/rollouts").glob("*.jsonl")
    reasons = [check.reason for record in read(history) for check in record.checks]
    assert any("counts in Prometheus at 127.0.0.1 are" in reason for reason in reasons)
    assert not any("were observed" in reason for reason in reasons), "the pods were scraped too"


def test_a_challenger_that_answers_5xx_is_rolled_back(installation, cli, prometheus, tmp_path):
    switch = tmp_path / "switch"
    installation.storage.put("2", fault=f"failing-once={switch}")
    process = cli.begin(bake=40, prometheus=prometheus)
    cli.wait_for_phase("baking", 1, process)
    installation.wait(lambda: installation.users.versions()["2"] > 100, "users get its answers", 60)
    switch.touch()
    assert process.wait() == 1, cli.output
    outcomes.is_rolled_back(cli, "errors, ")
    assert set(outcomes.count_answers(cli)) == {500}
