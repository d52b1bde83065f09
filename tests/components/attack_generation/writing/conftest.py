import pytest

from content_arena.components.attack_generation import strategies
from content_arena.components.attack_generation.writing import Writer
from content_arena.components.attack_generation.writing.kept import KeptAnswers
from content_arena.components.shared.chat import ChatSettings, open_chat
from tests import llm_server


@pytest.fixture(scope="module")
def running():
    with llm_server.serving() as llm:
        yield llm


@pytest.fixture
def llm(running, monkeypatch):
    """The stand-in for a real LLM, which the environment names."""
    running.reset()
    monkeypatch.setenv("CONTENT_ARENA_LLM_BASE_URL", running.url)
    monkeypatch.setenv("CONTENT_ARENA_LLM_MODEL", "stand-in")
    monkeypatch.setenv("CONTENT_ARENA_LLM_API_KEY", llm_server.KEY)
    return running


@pytest.fixture
def write_with(llm):
    """Makes a writer that asks the stand-in."""

    def make(path=None, **settings):
        chosen = ChatSettings(**settings)
        return Writer(open_chat(chosen), chosen, KeptAnswers(path))

    return make


@pytest.fixture
def bound():
    """The strategies of the family llm, by name, with a writer."""

    def bind(writer):
        return {name: s.bound(writer) for name, s in strategies.installed().items() if s.rewrites}

    return bind
