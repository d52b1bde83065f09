import pytest

from tests import llm_server


@pytest.fixture(scope="module")
def running():
    with llm_server.serving() as llm:
        yield llm


@pytest.fixture
def llm(running):
    running.reset()
    return running
