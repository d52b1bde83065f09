"""The predictor's image with a bundle from a folder, and with one that came out of object storage."""

import os
import shutil
import subprocess
import sys

import pytest
import requests
import yaml
from docker.types import Mount

from content_arena.components.registry.publish import publish
from content_arena.components.registry.registry import Registry
from content_arena.components.shared.images import COMPONENT_IMAGE
from content_arena.components.shared.mlflow_tracking.tracking import Tracking
from content_arena.components.shared.storage.store import Store
from tests import containers
from tests.containers import ROOT

IMAGE = "dev.local/content-arena/predictor:0.1.0"
RUNTIME = ROOT / "manifests/base/arena/predictor/serving-runtime.yaml"
TEXTS = ["you are a stupid idiot", "a nice day"]


@pytest.fixture(scope="module", autouse=True)
def image():
    return containers.require(IMAGE)


@pytest.fixture
def bundle_folder(tmp_path):
    """What will be /mnt/models: any user may read it."""
    folder = tmp_path / "models"
    folder.mkdir()
    folder.chmod(0o777)
    return folder


@pytest.fixture
def published(s3, tiny_bundle, make_bundle, tmp_path):
    """The address of version 1, as the registry notes it; there is a version 10 beside it."""
    store = Store.from_environment()
    store.make_buckets(["models"])
    root = f"s3://models/{tmp_path.name}"
    registry = Registry(f"sqlite:///{tmp_path / 'mlflow.db'}")
    version = registry.register(tiny_bundle, Tracking(registry.uri, "run").run_id).version
    registry.promote(version, expected_champion=None)
    publish(registry, root)
    store.publish(make_bundle("ten", weights_seed=10), f"{root}/10/")
    return registry.get(version).tags[Registry.STORAGE_URI]


def served(folder, port, *more):
    """The container as the ServingRuntime starts it, but for the port."""
    (container,) = yaml.safe_load(RUNTIME.read_text())["spec"]["containers"]
    arguments = [f"--port={port}" if argument.startswith("--port=") else argument for argument in container["args"]]
    return containers.started(
        IMAGE,
        command=[*arguments, *more],
        mounts=[Mount("/mnt/models", str(folder), type="bind", read_only=True)],
    )


def ask(url):
    """Answers by both protocols, as (score, is_toxic) rows."""
    v1 = requests.post(f"{url}/v1/models/content-filter:predict", json={"instances": TEXTS}, timeout=30).json()
    tensor = {"name": "text", "datatype": "BYTES", "shape": [len(TEXTS)], "data": TEXTS}
    v2 = requests.post(f"{url}/v2/models/content-filter/infer", json={"inputs": [tensor]}, timeout=30).json()
    outputs = {output["name"]: output["data"] for output in v2["outputs"]}
    rows = [(one["toxic_score"], one["is_toxic"], one["model_version"]) for one in v1["predictions"]]
    again = list(zip(outputs["toxic_score"], outputs["is_toxic"], outputs["model_version"], strict=True))
    return rows, again


def check(folder, port, version):
    with served(folder, port, "--model_version", version) as container:
        url = f"http://127.0.0.1:{port}"
        containers.answers(container, f"{url}/v2/health/ready")
        v1, v2 = ask(url)
        assert [(toxic, version) for _, toxic, version in v1] == [(True, version), (False, version)]
        assert [(toxic, version) for _, toxic, version in v2] == [(True, version), (False, version)]
        assert [score for score, *_ in v2] == pytest.approx([score for score, *_ in v1])
        assert "content_arena_model_version" in requests.get(f"{url}/metrics", timeout=10).text
        container.stop(timeout=30)
        container.reload()
        assert container.attrs["State"]["ExitCode"] == 0, container.logs().decode()


def test_it_serves_a_mounted_folder_as_any_user(tiny_bundle, bundle_folder, free_port):
    shutil.copytree(tiny_bundle.path, bundle_folder, dirs_exist_ok=True)
    bundle_folder.chmod(0o755)
    check(bundle_folder, free_port, "7")


def test_an_empty_folder_is_one_line(bundle_folder, free_port):
    with served(bundle_folder, free_port) as container:
        assert container.wait(timeout=120)["StatusCode"] == 2
        log = container.logs().decode()
    assert log.startswith("error: no bundle")
    assert log.count("\n") == 1


def test_it_serves_what_the_component_image_downloads(published, s3, bundle_folder, free_port):
    """As the init container of the plain Deployment does."""
    code, log = containers.finished(
        containers.require(COMPONENT_IMAGE),
        entrypoint=["python", "-m", "content_arena.components.shared.storage.store"],
        command=["download", published, "/mnt/models"],
        environment=s3,
        mounts=[Mount("/mnt/models", str(bundle_folder), type="bind")],
    )
    assert code == 0, log
    check(bundle_folder, free_port, "1")


def test_it_serves_what_kserves_storage_initialiser_downloads(published, s3, bundle_folder, free_port):
    """The initialiser's own code, with the variables that KServe makes of a Secret and its annotations."""
    pytest.importorskip("kserve_storage", reason="needs kserve-storage: pip install --no-deps kserve-storage==0.21.0")
    environment = {**os.environ, **s3, "AWS_ENDPOINT_URL": s3["S3_ENDPOINT_URL"], "S3_USE_HTTPS": "0"}
    code = "import sys; from kserve_storage import Storage; Storage.download(*sys.argv[1:])"
    subprocess.run([sys.executable, "-c", code, published, str(bundle_folder)], env=environment, check=True)
    # It matches keys by their beginning: version 10 begins with 1.
    assert sorted(path.name for path in bundle_folder.iterdir() if path.is_dir()) == ["tokenizer"]
    check(bundle_folder, free_port, "1")
