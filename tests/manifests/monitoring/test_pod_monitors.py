"""What our PodMonitors find among pods, by a real Prometheus."""

import shutil
import time

import pytest

from content_arena.components.canary_rollout.plan.state import Phase
from content_arena.components.canary_rollout.reporting.metrics import RolloutMetrics
from tests.components.canary_rollout.rollouts import at
from tests.components.predictor.conftest import running

from .conftest import scraping
from .pod_monitor import discovered

pytestmark = pytest.mark.slow
VARIANTS = ("content-filter-v2-predictor", "content-filter-predictor-00003")
#: A loopback address of its own, as a pod has: its port is always the same.
_STAGE_IP, _STAGE_PORT = "127.0.91.2", 9102


def pod(name, namespace, ip, labels, *containers):
    found = [{"name": container, "ports": ports} for container, ports in containers]
    metadata = {"name": name, "namespace": namespace, "labels": labels}
    return {"metadata": metadata, "spec": {"containers": found}, "status": {"podIP": ip, "phase": "Running"}}


@pytest.fixture(scope="module")
def prometheus(tiny_bundle, tmp_path_factory):
    if shutil.which("prometheus") is None:
        pytest.skip("needs Prometheus: apt-get install prometheus")
    metrics = RolloutMetrics("content-filter", "content-arena")
    metrics.observe(at(Phase.BAKING, step=1))
    metrics.serve(_STAGE_PORT, _STAGE_IP)
    with running(tiny_bundle.path, "--model_version", "2") as server:
        serving = [{"name": "http", "containerPort": server.port}]
        by_knative = [{"name": "user-port", "containerPort": server.port}]
        queue = [{"name": "http-usermetric", "containerPort": server.port}]
        stage = {"content-arena/stage": "roll_out"}
        pods = [
            pod("content-filter-v2-predictor-5d4f-abcde", "content-arena", "127.0.0.1",
                {"app.kubernetes.io/name": "predictor", "app": "isvc.content-filter-v2-predictor"},
                ("kserve-container", serving)),
            pod("content-filter-v1-predictor-5d4f-abcde", "elsewhere", "127.0.0.1",
                {"app.kubernetes.io/name": "predictor", "app": "isvc.content-filter-v1-predictor"},
                ("kserve-container", serving)),
            pod("content-filter-predictor-00003-deployment-7c6b-fghij", "content-arena", "127.0.0.1",
                {"app.kubernetes.io/name": "predictor", "app": "content-filter-predictor-00003",
                 "serving.knative.dev/revision": "content-filter-predictor-00003"},
                ("kserve-container", by_knative), ("queue-proxy", queue)),
            pod("arena-x7k2-system-container-impl-1", "kubeflow", _STAGE_IP, stage, ("wait", []), ("main", [])),
            pod("arena-x7k2-system-container-impl-2", "kubeflow", _STAGE_IP,
                {"content-arena/stage": "train_qlora"}, ("main", [])),
        ]  # fmt: skip
        with (
            discovered("predictor", lambda: pods) as predictors,
            discovered("rollout", lambda: pods) as rollouts,
            scraping(tmp_path_factory.mktemp("prometheus"), discovered=[*predictors, *rollouts]) as found,
        ):
            yield found


def labels_of(prometheus, expression, seconds=30):
    """Of everything it finds, once it finds something."""
    end = time.monotonic() + seconds
    while not (found := prometheus.labels(expression)):
        assert time.monotonic() < end, f"nothing for {expression}"
        time.sleep(0.5)
    return found


def test_a_pipelines_rollout_is_scraped_once_and_is_about_the_services_namespace(prometheus):
    (found,) = labels_of(prometheus, "content_arena_rollout_step")
    assert (found["namespace"], found["service"]) == ("content-arena", "content-filter")
    assert (found["pod"], found["container"]) == ("arena-x7k2-system-container-impl-1", "main")
    assert found["instance"] == f"{_STAGE_IP}:{_STAGE_PORT}"


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_predictor_is_scraped_at_its_own_port_with_its_variant(prometheus, variant):
    """The Deployment's in Standard mode, the revision in Knative mode."""
    (found,) = labels_of(prometheus, f'content_arena_model_version{{variant="{variant}"}}')
    assert found["namespace"] == "content-arena"
    assert found["container"] == "kserve-container"


def test_nothing_else_is_scraped(prometheus):
    """Neither the queue-proxy, nor other stages, nor predictors of other namespaces."""
    for found in (
        "content_arena_rollout_step",
        *(f'content_arena_model_version{{variant="{name}"}}' for name in VARIANTS),
    ):
        labels_of(prometheus, found)
    assert len(prometheus.labels("up")) == 3
    assert prometheus.values("sum(up)") == [3]
