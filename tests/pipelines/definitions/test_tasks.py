"""Every task of the compiled pipelines in its own container: the command, arguments, user and limits of a pod.

Driver and launcher of Kubeflow Pipelines are played by hand (``backend/``); image, MLflow and object storage are real.
"""

import uuid
from dataclasses import dataclass
from typing import Any

import pytest

from content_arena.components.registry.registry import Registry
from content_arena.components.shared.images import COMPONENT_IMAGE
from content_arena.components.shared.mlflow_tracking.tracking import Tracking
from content_arena.components.shared.storage.store import Store
from tests import containers, mlflow_server
from tests.pipelines.backend.driver import Driver, TaskFailedError, TerminatedError
from tests.pipelines.backend.launcher import Launcher

pytestmark = pytest.mark.slow

#: Floors that a loop so small can reach.
NO_FLOORS = {"floors": {"clean_f1": 0.0, "clean_auroc": 0.0}}
SMALL = {"max_texts": 240, "texts_per_label": 16, "budget": 2, "seed": 5, "settings": NO_FLOORS}
MODELS_URI = "s3://models/content-filter"


@dataclass(frozen=True)
class Cluster:
    """What tasks find there, and what is there before the first run."""

    packages: dict[str, Any]
    launcher: Launcher
    store: Store
    tracking_uri: str

    def run(self, name, launch=None, **given):
        """Runs a pipeline; its run id."""
        run_id = str(uuid.uuid4())
        given = SMALL | {"tracking_uri": self.tracking_uri} | given
        driver = Driver(self.packages[name], run_id, launch or self.launcher)
        try:
            driver.run(given)
        except Exception as error:
            error.run_id = run_id
            raise
        return run_id

    def status(self, run_id):
        """What MLflow calls the state of a run."""
        tracking = Tracking(self.tracking_uri, run_id)
        return tracking.client.get_run(tracking.run_id).info.status


@pytest.fixture(scope="module")
def cluster(compile_to, s3_server, tmp_path_factory):
    containers.require(COMPONENT_IMAGE)
    packages = compile_to(
        "--shards", "2", "--checkpoint-claim", "arena-checkpoints", "--s3-endpoint", s3_server["S3_ENDPOINT_URL"]
    )
    keys = {key: value for key, value in s3_server.items() if key.startswith("AWS_")}
    folder = tmp_path_factory.mktemp("cluster")
    store = Store.from_environment(s3_server)
    store.make_buckets(["models"])
    with mlflow_server.serving(folder) as url:
        yield Cluster(packages, Launcher(folder, {"arena-s3": keys}), store, url)


@pytest.fixture(scope="module")
def retrained(cluster):
    """A whole run of ``retrain``, which finds its reason: no evasion at all is allowed."""
    return cluster.run("retrain", epochs=1, device="cpu", max_evasion=0.0)


def test_every_task_of_every_pipeline_has_run(cluster, retrained):
    ran = {task.name: (task.container, task.settings) for task in cluster.launcher.launched}
    assert set(ran) == set(Driver(cluster.packages["retrain"], "", cluster.launcher).executors)
    for name in ("arena", "battle"):
        for task, made_of in Driver(cluster.packages[name], "", cluster.launcher).executors.items():
            assert made_of == ran[task], f"{task} of {name} is another container than in retrain"


def test_it_ends_in_a_verdict_and_a_published_champion(cluster, retrained):
    assert cluster.status(retrained) == "FINISHED"
    aliases = Registry(cluster.tracking_uri).aliases()
    champion = aliases[Registry.CHAMPION].version
    assert cluster.store.resolve(f"{MODELS_URI}/champion") == f"{MODELS_URI}/{champion}"
    (seconds,) = [Tracking(cluster.tracking_uri, retrained).seconds()]
    assert {"prepare_corpus", "train_qlora", "evaluate_challenger", "decide_retraining"} <= set(seconds)


def test_a_battle_needs_no_more_than_the_champion(cluster, retrained):
    run = cluster.run("battle")
    assert cluster.status(run) == "FINISHED"
    assert "run finished" in cluster.launcher.logs["close-run"]


def test_a_task_that_refuses_leaves_a_failed_run_and_a_line(cluster):
    with pytest.raises(TaskFailedError, match=r"prepare-corpus ended with exit code 2") as caught:
        cluster.run("arena", data="/data/nowhere.csv")
    assert "[prepare_corpus] error: " in str(caught.value)
    assert cluster.status(caught.value.run_id) == "FAILED"


def test_a_terminated_run_is_closed_as_killed(cluster):
    def launch(task):
        if task.name == "generate-attacks":
            raise TerminatedError
        return cluster.launcher(task)

    with pytest.raises(TerminatedError) as caught:
        cluster.run("battle", launch)
    assert cluster.status(caught.value.run_id) == "KILLED"
