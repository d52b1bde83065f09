"""The exit handler closes the run in MLflow, whatever becomes of the first service."""

import pytest

from content_arena.components.promotion import close_run as exit_stage


class Registry:
    CHAMPION = "champion"

    def __init__(self, *args):
        pass

    def reconcile(self):
        return []

    def aliases(self):
        return {}


def test_the_run_is_closed_before_a_service_is_created(monkeypatch):
    closed = []

    class Tracking:
        def __init__(self, *args):
            pass

        def finish(self, status):
            closed.append(status)

    def breaks(champion, service):
        raise TypeError("a mistake")

    monkeypatch.setattr(exit_stage, "Tracking", Tracking)
    monkeypatch.setattr(exit_stage, "Registry", Registry)
    monkeypatch.setattr(exit_stage, "publish_after", lambda *args: [])
    monkeypatch.setattr(exit_stage, "serve_first", breaks)
    with pytest.raises(TypeError, match="a mistake"):
        exit_stage.close_run("SUCCEEDED", pipeline_run="run", first_service="content-arena/content-filter")
    assert closed == ["FINISHED"]
