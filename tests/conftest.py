"""Fixtures for every test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tiny_bundle import make_tiny_bundle


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory):
    """A real bundle, not to be changed by any test."""
    return make_tiny_bundle(tmp_path_factory.mktemp("tiny") / "bundle")


@pytest.fixture
def make_bundle(tmp_path: Path):
    """Makes bundles that the test may break: ``make_bundle("name", threshold=0.7)``."""

    def make(name: str = "bundle", **options):
        return make_tiny_bundle(tmp_path / name, **options)

    return make
