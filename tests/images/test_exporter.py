"""The metrics exporter in the component image, as its Deployment starts it, against a real MLflow server."""

import re

import pytest
import requests
import yaml

from tests import containers, mlflow_server
from tests.components.metrics_exporter import history as histories
from tests.containers import ROOT

DEPLOYMENT = ROOT / "manifests/components/monitoring/exporter.yaml"
pytestmark = pytest.mark.slow


def test_its_pod_shows_what_mlflow_holds(tmp_path, free_port):
    objects = yaml.safe_load_all(DEPLOYMENT.read_text())
    (deployment,) = [item for item in objects if item["kind"] == "Deployment"]
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    image = containers.require(container["image"])
    history = histories.write(tmp_path)
    environment = {one["name"]: one["value"] for one in container["env"] if "value" in one}
    # No cluster is configured in a container: the figures of the service are missing, those of MLflow are not.
    changed = {"--port": str(free_port), "--interval": "1", "--namespace": "content-arena"}
    given = (argument.partition("=") for argument in container["args"])
    arguments = [f"{name}={changed.get(name, value)}" for name, _, value in given]
    with (
        mlflow_server.serving(tmp_path) as tracking_uri,
        containers.started(
            image,
            entrypoint=container["command"],
            command=arguments,
            environment=environment | {"MLFLOW_TRACKING_URI": tracking_uri},
            user=f"{pod['securityContext']['runAsUser']}:{pod['securityContext']['runAsGroup']}",
            mem_limit=container["resources"]["limits"]["memory"].removesuffix("i").lower(),
        ) as exporter,
    ):
        url = f"http://127.0.0.1:{free_port}"
        containers.answers(exporter, f"{url}{container['readinessProbe']['httpGet']['path']}")
        text = requests.get(f"{url}/metrics", timeout=30).text
        exporter.stop(timeout=10)
        exporter.reload()
        assert exporter.attrs["State"]["ExitCode"] == 0, exporter.logs().decode()
    assert re.search(r"^content_arena_exporter_up 1\.0$", text, re.MULTILINE), text
    champion = rf'alias="champion",.*model_version="{history.champion}"'
    assert re.search(rf"^content_arena_model_version{{{champion}.*}} 1\.0$", text, re.MULTILINE), text
