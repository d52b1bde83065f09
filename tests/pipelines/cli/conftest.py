"""Fixtures of several modules: an arena's home with its registry."""

from __future__ import annotations

import pytest

from content_arena.components.registry.registry import Registry
from content_arena.components.shared.mlflow_tracking.tracking import Tracking


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("ARENA_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path / "home"


@pytest.fixture
def registry(home):
    """A registry in the arena's home."""
    home.mkdir()
    return Registry(f"sqlite:///{home / 'mlflow.db'}")


@pytest.fixture
def register(registry, make_bundle):
    def register(seed):
        run_id = Tracking(registry.uri, "run").run_id
        return registry.register(make_bundle(f"b{seed}", weights_seed=seed), run_id).version

    return register
