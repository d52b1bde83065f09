"""A filter behind HTTP for the tests of this folder."""

import pytest

from tests.components.attack_generation.filters import Reply, serving


@pytest.fixture(scope="module")
def server():
    with serving() as reply:
        yield reply


@pytest.fixture
def reply(server):
    """The server of the module, as if it had just started."""
    url = server.url
    server.__dict__.update(Reply().__dict__)
    server.url = url
    return server
