"""A registry on a real MLflow database, and a way to put real bundles into it."""

import pytest

from content_arena.components.registry.registry import Registry
from content_arena.components.shared.mlflow_tracking.tracking import Tracking


@pytest.fixture
def uri(tmp_path):
    return f"sqlite:///{tmp_path / 'mlflow.db'}"


@pytest.fixture
def registry(uri):
    return Registry(uri)


@pytest.fixture
def register(uri, registry, make_bundle):
    run_id = Tracking(uri, "run").run_id

    def register(seed):
        return registry.register(make_bundle(f"bundle-{seed}", weights_seed=seed), run_id).version

    return register
