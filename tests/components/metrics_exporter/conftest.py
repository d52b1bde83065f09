"""One history for all tests that only read it."""

import pytest

from . import history as histories


@pytest.fixture(scope="session")
def history(tmp_path_factory):
    return histories.write(tmp_path_factory.mktemp("arena"))
