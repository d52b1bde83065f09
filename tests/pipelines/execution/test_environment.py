import os

from content_arena.pipelines.execution.environment import environment


def test_variables_are_set_and_everything_is_as_it_was_afterwards(monkeypatch):
    monkeypatch.setenv("SET", "before")
    monkeypatch.delenv("UNSET", raising=False)
    before = dict(os.environ)
    with environment({"SET": "forced", "FORCED": "1"}, {"SET": "default", "UNSET": "default"}):
        found = {name: os.environ[name] for name in ("SET", "FORCED", "UNSET")}
    assert found == {"SET": "forced", "FORCED": "1", "UNSET": "default"}
    assert dict(os.environ) == before


def test_a_default_does_not_replace_what_is_set(monkeypatch):
    monkeypatch.setenv("SET", "before")
    with environment({}, {"SET": "default"}):
        assert os.environ["SET"] == "before"
