"""Registry and tracking on a real MLflow server: REST checks what a database takes as it is, artifacts are proxied."""

import pytest

from content_arena.components.registry.registry import Registry
from content_arena.components.shared import bundle as bundles
from content_arena.components.shared import records
from content_arena.components.shared.tracking import Tracking
from tests import mlflow_server

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def uri(tmp_path_factory):
    with mlflow_server.serving(tmp_path_factory.mktemp("mlflow")) as url:
        yield url


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
