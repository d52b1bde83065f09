"""The users of a real MLflow server that asks for a login, with the settings of the manifests."""

from __future__ import annotations

import contextlib
import re
import sqlite3

import pytest
import requests

from content_arena.components.metrics_exporter import snapshot
from content_arena.components.registry import users
from content_arena.components.registry.registry import Registry
from content_arena.components.shared import records, tracking_login
from content_arena.components.shared.errors import ArenaError, InputError
from content_arena.components.shared.mlflow_tracking import database, tracking
from content_arena.components.shared.mlflow_tracking.metric_names import PIPELINE_RUN_TAG
from content_arena.components.shared.mlflow_tracking.tracking import Tracking
from content_arena.components.shared.scoring import bundle as bundles
from tests import mlflow_server
from tests.manifests.rendering import MANIFESTS

pytestmark = pytest.mark.slow
ENVIRONMENT = {
    "STAGES_USERNAME": "stages",
    "STAGES_PASSWORD": "what-the-stages-have",
    "READER_USERNAME": "reader",
    "READER_PASSWORD": "what-the-reader-has",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the server keeps its database ``mlflow.db``."""
    return tmp_path_factory.mktemp("mlflow")


@pytest.fixture(scope="module")
def server(folder):
    """A server whose database is older than its users, as after an upgrade; yields its URL."""
    older = tracking.connect(database.uri_of(folder / "mlflow.db"))
    of_arena = older.create_experiment(tracking.EXPERIMENT, artifact_location="mlflow-artifacts:/1")
    older.create_run(of_arena, tags={PIPELINE_RUN_TAG: "before"})
    with mlflow_server.with_users(folder, MANIFESTS / "base/arena/mlflow/basic_auth.ini") as url:
        with pytest.MonkeyPatch.context() as patch:
            log_in(patch, "admin", mlflow_server.ADMIN_PASSWORD)
            users.ensure(url, users.from_environment(ENVIRONMENT))
        yield url


def log_in(patch: pytest.MonkeyPatch, name: str | None, password: str = "") -> None:
    for variable, value in ((tracking_login.USERNAME, name), (tracking_login.PASSWORD, password)):
        if name is None:
            patch.delenv(variable, raising=False)
        else:
            patch.setenv(variable, value)


@pytest.fixture
def as_user(monkeypatch):
    """Has the client log in as one of the users, or not at all."""

    def log_in_as(role: str | None) -> None:
        log_in(monkeypatch, role, ENVIRONMENT[f"{role.upper()}_PASSWORD"] if role else "")

    return log_in_as


@pytest.mark.parametrize("path", ["/", "/api/2.0/mlflow/experiments/search", "/ajax-api/2.0/mlflow/runs/search",
                                  "/graphql", "/signup", "/get-artifact", "/version", "/metrics",
                                  "/api/2.0/mlflow-artifacts/artifacts", "/api/3.0/mlflow/roles/list"])  # fmt: skip
def test_without_a_login_nothing_is_answered_but_the_probes(server, path: str):
    assert requests.get(server + path, timeout=30).status_code in (401, 403, 404, 405)
    assert requests.get(f"{server}/health", timeout=30).ok


def test_without_a_login_a_stage_says_what_is_missing(server, as_user):
    as_user(None)
    with pytest.raises(ArenaError, match=r"_USERNAME and MLFLOW_TRACKING_PASSWORD are not set.*arena-mlflow"):
        Tracking(server, "run")


def test_a_wrong_password_is_named_and_not_shown(server, monkeypatch):
    log_in(monkeypatch, "stages", "guessed-by-somebody")
    with pytest.raises(ArenaError, match=r"does not know the user stages .* the password in MLFLOW_TR") as caught:
        Registry(server).versions()
    assert "guessed" not in str(caught.value)


def test_the_stages_write(server, as_user, make_bundle):
    """REST checks what a database takes as it is, and artifacts are proxied."""
    as_user("stages")
    run, registry = Tracking(server, "run"), Registry(server)
    run.log("train", {"loss": 0.5})
    run.log_page("page.html", "a page")
    first = registry.register(make_bundle("first", weights_seed=1), run.run_id)
    registry.promote(first.version, None)
    second = registry.register(make_bundle("second", weights_seed=2), run.run_id)
    registry.promote(second.version, first.version)
    assert bundles.load(registry.download(second.version)).spec.digest == second.digest
    assert registry.rollback("a test") == (second.version, first.version)
    assert registry.reconcile() == []
    run.finish("FINISHED")


def test_labelled_attacks_are_remembered(server, as_user):
    as_user("stages")
    Tracking(server, "battle").log_labelled("en", records.LabelledAttack.empty())
    (found,) = Tracking(server, "later").earlier_labelled("en")
    assert list(found.columns) == list(records.LabelledAttack.empty().columns)


def test_they_go_on_with_what_was_there_before_the_users(server, as_user):
    as_user("stages")
    before = Tracking(server, "before")
    before.log_page("more.html", "later")
    assert [each.path for each in before.client.list_artifacts(before.run_id)] == ["more.html"]


def test_the_exporter_reads_all_it_shows(server, as_user):
    as_user("reader")
    assert Tracking(server, "before").run_id in {run.run_id for run in snapshot.Reader(server).read().runs}


def test_the_reader_changes_nothing(server, as_user):
    as_user("reader")
    with pytest.raises(ArenaError, match=r"allow this to the user reader .* of arena-mlflow-reader only read"):
        Tracking(server, "a-new-run")
    before = Tracking(server, "before")
    for attempt in (lambda: before.log("train", {"loss": 0.0}), lambda: before.log_page("evil.html", "evil")):
        with pytest.raises(ArenaError, match="does not allow this to the user reader"):
            attempt()


def test_the_administrators_password_is_changed_as_the_readme_says(server):
    url, old = f"{server}/api/2.0/mlflow/users/update-password", mlflow_server.ADMIN_PASSWORD
    for given, new in ((old, "another-for-a-moment"), ("another-for-a-moment", old)):
        body = {"username": "admin", "password": new, "current_password": given}
        assert requests.patch(url, json=body, auth=("admin", given), timeout=30).ok


@pytest.mark.parametrize("role", ["stages", "reader"])
def test_nobody_but_the_administrator_makes_users(server, as_user, role: str):
    as_user(role)
    with pytest.raises(ArenaError, match=f"does not allow this to the user {role}"):
        users.ensure(server, [users.User("evil", "another-password", "MANAGE")])


def test_again_it_changes_passwords_and_permissions_and_nothing_else(server, monkeypatch):
    log_in(monkeypatch, "admin", mlflow_server.ADMIN_PASSWORD)
    first = [users.User("temporary", "the-first-password", "MANAGE")]
    users.ensure(server, first)
    users.ensure(server, first)
    users.ensure(server, [users.User("temporary", "the-second-password", "READ")])
    log_in(monkeypatch, "temporary", "the-second-password")
    with pytest.raises(ArenaError, match="does not allow this to the user temporary"):
        Tracking(server, "another-run")


def test_the_command_makes_them(server, monkeypatch, capsys):
    log_in(monkeypatch, "admin", mlflow_server.ADMIN_PASSWORD)
    for name, value in (ENVIRONMENT | {"MLFLOW_TRACKING_URI": server}).items():
        monkeypatch.setenv(name, value)
    assert users.main() == 0
    assert "reader: READ on every experiment" in capsys.readouterr().out


@pytest.mark.parametrize("missing", ["MLFLOW_TRACKING_URI", "STAGES_USERNAME", "READER_PASSWORD"])
def test_the_command_names_what_is_not_set(monkeypatch, capsys, missing: str):
    for name, value in (ENVIRONMENT | {"MLFLOW_TRACKING_URI": "http://127.0.0.1:1", missing: ""}).items():
        monkeypatch.setenv(name, value)
    assert users.main(patience=0) == 2
    assert f"{missing} not set" in capsys.readouterr().err


def test_the_command_gives_up_on_a_server_that_does_not_answer(monkeypatch, capsys):
    for name, value in (ENVIRONMENT | {"MLFLOW_TRACKING_URI": "http://127.0.0.1:1"}).items():
        monkeypatch.setenv(name, value)
    assert users.main(patience=0) == 2
    assert "does not answer" in capsys.readouterr().err


def test_a_password_is_not_in_what_is_printed_of_a_user():
    assert "what-the" not in repr(users.from_environment(ENVIRONMENT))
    with pytest.raises(InputError, match="STAGES_USERNAME and STAGES_PASSWORD"):
        users.from_environment({})


def test_users_whose_secrets_are_lost_are_made_anew_by_the_steps_of_the_readme(
    server, folder, tmp_path, monkeypatch, as_user
):
    """Their passwords come back with a database that is restored, here a copy of the server's."""
    as_user("stages")
    Tracking(server, "restored").log("train", {"loss": 0.5})
    (statements,) = re.findall(r"'(delete from user_role_assignments;[^']*)'", (MANIFESTS / "README.md").read_text())
    with (
        contextlib.closing(sqlite3.connect(folder / "mlflow.db")) as original,
        contextlib.closing(sqlite3.connect(tmp_path / "mlflow.db")) as restored,
    ):
        original.backup(restored)
        restored.executescript(statements)
    new = {name: f"new-{value}" if name.endswith("PASSWORD") else value for name, value in ENVIRONMENT.items()}
    settings, administrator = MANIFESTS / "base/arena/mlflow/basic_auth.ini", "the-new-administrators-own"
    with mlflow_server.with_users(tmp_path, settings, administrator) as url:
        log_in(monkeypatch, "admin", administrator)
        users.ensure(url, users.from_environment(new))
        log_in(monkeypatch, "stages", new["STAGES_PASSWORD"])
        again = Tracking(url, "restored")
        again.log("train", {"loss": 0.25})
        assert again.client.get_run(again.run_id).data.metrics["train.loss"] == 0.25
        as_user("stages")
        with pytest.raises(ArenaError, match="does not know the user stages"):
            Registry(url).versions()
