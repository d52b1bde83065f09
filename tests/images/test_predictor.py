"""The predictor's image with a bundle from a folder, and with one that came out of object storage."""

import gzip
import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

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


def served(folder, port, *more, **options):
    """The container as the ServingRuntime starts it, but for the port; with options of Docker."""
    (container,) = yaml.safe_load(RUNTIME.read_text())["spec"]["containers"]
    arguments = [f"--port={port}" if argument.startswith("--port=") else argument for argument in container["args"]]
    return containers.started(
        IMAGE,
        command=[*arguments, *more],
        mounts=[Mount("/mnt/models", str(folder), type="bind", read_only=True)],
        **options,
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


def test_with_one_cpu_and_512_mib_it_outlives_clients_that_want_more(tiny_bundle, bundle_folder, free_port):
    """Docker kills what takes more memory. Of these bodies one alone is 400 MiB if it is parsed."""
    shutil.copytree(tiny_bundle.path, bundle_folder, dirs_exist_ok=True)
    bundle_folder.chmod(0o755)
    limits = {"nano_cpus": 10**9, "mem_limit": "512m", "memswap_limit": "512m"}
    text = json.dumps({"instances": TEXTS}).encode()
    wanted = [
        (text, {}, {200, 429}),
        (b"[" + b"[]," * (5 << 20) + b"[]]", {}, {400, 429}),
        (json.dumps({"instances": ["you are an idiot " * 290] * 256}).encode(), {}, {413, 429}),
        (gzip.compress(b" " * (15 << 20) + text), {"content-encoding": "gzip"}, {200, 429}),
        (gzip.compress(b" " * (200 << 20)), {"content-encoding": "gzip"}, {413, 429}),
    ]

    def answers(number):
        body, headers, statuses = wanted[number % len(wanted)]
        url = f"http://127.0.0.1:{free_port}/v1/models/content-filter:predict"
        return requests.post(url, data=body, headers=headers, timeout=120).status_code, statuses

    with served(bundle_folder, free_port, **limits) as container:
        containers.answers(container, f"http://127.0.0.1:{free_port}/v2/health/ready")
        assert "with --threads 1\n" in container.logs().decode()
        with ThreadPoolExecutor(20) as pool:
            given = list(pool.map(answers, range(60)))
        container.reload()
        assert container.status == "running", container.logs().decode()
        assert not container.attrs["State"]["OOMKilled"]
        assert all(status in statuses for status, statuses in given), given
        v1, _ = ask(f"http://127.0.0.1:{free_port}")
        assert [toxic for _, toxic, _ in v1] == [True, False]
        container.stop(timeout=30)
        container.reload()
        assert container.attrs["State"]["ExitCode"] == 0, container.logs().decode()


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
