"""Registry and tracking on a real MLflow server: REST checks what a database takes as it is, artifacts are proxied."""

import subprocess
import sys
import time

import pytest
import requests

from content_arena.components.registry_promotion.registry import Registry
from content_arena.components.shared import bundle as bundles
from content_arena.components.shared import records
from content_arena.components.shared.tracking import Tracking

pytestmark = pytest.mark.slow
PORT = 18_571


@pytest.fixture(scope="module")
def uri(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mlflow")
    command = [
        sys.executable, "-m", "mlflow", "server", "--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}",
        "--artifacts-destination", str(folder / "artifacts"), "--serve-artifacts", "--port", str(PORT),
        "--workers", "1",
    ]  # fmt: skip
    url = f"http://127.0.0.1:{PORT}"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
    try:
        deadline = time.monotonic() + 60
        while not _is_healthy(url):
            assert process.poll() is None, (folder / "log").read_text()[-2000:]
            assert time.monotonic() < deadline, "the MLflow server did not start"
            time.sleep(0.2)
        yield url
    finally:
        process.terminate()
        process.wait(30)


def _is_healthy(url):
    try:
        return requests.get(f"{url}/health", timeout=2).ok
    except requests.RequestException:
        return False


def test_a_version_is_registered_promoted_downloaded_and_rolled_back(uri, make_bundle):
    registry, tracking = Registry(uri), Tracking(uri, "run")
    first = registry.register(make_bundle("first", weights_seed=1), tracking.run_id)
    registry.promote(first.version, None)
    second = registry.register(make_bundle("second", weights_seed=2), tracking.run_id)
    registry.promote(second.version, first.version)
    assert bundles.load(registry.download(second.version)).spec.digest == second.digest
    assert registry.rollback("a test") == (second.version, first.version)
    assert registry.reconcile() == []


def test_labelled_attacks_are_remembered(uri):
    tracking = Tracking(uri, "battle")
    tracking.log_labelled("en", records.LabelledAttack.empty())
    (found,) = Tracking(uri, "later").earlier_labelled("en")
    assert list(found.columns) == list(records.LabelledAttack.empty().columns)
