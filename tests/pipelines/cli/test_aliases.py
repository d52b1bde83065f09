"""``arena status``, ``promote`` and ``rollback``: which version the aliases name."""

import json
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from content_arena.components.canary_rollout import launch
from content_arena.components.registry import gates
from content_arena.components.registry.sync import RegistrySync
from content_arena.components.registry.verdict import RecordedVerdict
from content_arena.pipelines.cli.app import app
from tests.components.canary_rollout.rollouts import at

COMMANDS = ["run", "data check", "battle", "status", "promote", "rollback", "serve", "compile", "submit"]
COMMANDS += ["migrate perspective", "review list", "review export", "review import"]


def arena(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_status_of_every_alias(registry, register):
    registry.promote(register(1), None)
    registry.record_metrics(1, {"clean_f1": 0.75})
    assert "75.0%" in arena("status").stdout
    answer = json.loads(arena("status", "--json").stdout)
    assert set(answer) == {"champion"}
    assert answer["champion"]["version"] == "1"
    assert answer["champion"]["metrics"] == {"clean_f1": 0.75}


def test_nothing_to_roll_back_to_is_a_no(registry, register):
    registry.promote(register(1), None)
    result = arena("rollback")
    assert result.exit_code == 1
    assert "nothing to roll back to" in result.stderr


def test_rollback(registry, register):
    registry.promote(register(1), None)
    registry.promote(register(2), 1)
    assert json.loads(arena("rollback", "--json").stdout) == {"champion_version": "1", "rejected_version": "2"}
    assert registry.version_of("champion") == 1


@pytest.fixture
def serving(registry, register, monkeypatch):
    """A rollout made version 2 serve on arena/filter; the undo moves the aliases, or ends as a test says."""
    registry.promote(register(1), None)
    register(2)
    registry.record_storage(1, "s3://models/content-filter/1")
    RegistrySync(registry, "arena/filter").promote("2", "1")
    calls, ended = [], {"phase": launch.Phase.PROMOTED}

    def undo(where, aliases, request, options):
        calls.append((str(where), where.context, request.previous, request.reason))
        if ended["phase"] is launch.Phase.PROMOTED:
            aliases.undo("1", "2", "r1", request.reason)
        return replace(at(ended["phase"]), reason="its pods did not start")

    monkeypatch.setattr(launch, "undo", undo)
    return calls, ended


def test_a_rollback_moves_the_users_where_a_service_serves_the_champion(registry, serving):
    result = arena("rollback", "--reason", "rude", "--context", "here", "--json")
    assert result.exit_code == 0, result.output
    answer = {"champion_version": "1", "rejected_version": "2", "service": "arena/filter"}
    assert json.loads(result.stdout.splitlines()[-1]) == answer
    ((where, context, previous, reason),) = serving[0]
    assert (where, context) == ("arena/filter", "here")
    assert (previous.version, previous.storage_uri) == ("1", "s3://models/content-filter/1")
    assert reason.startswith("rude (")
    assert registry.version_of("champion") == 1


def test_a_rollback_that_moves_no_users_is_a_no_and_keeps_the_champion(registry, serving):
    serving[1]["phase"] = launch.Phase.WITHDRAWN
    result = arena("rollback")
    assert result.exit_code == 1
    assert "its pods did not start" in result.stderr
    assert registry.version_of("champion") == 2


def test_a_rollback_of_the_registry_alone_leaves_the_users(registry, serving):
    assert arena("rollback", "--registry-only").exit_code == 0
    assert (serving[0], registry.version_of("champion")) == ([], 1)


def test_a_rollback_where_several_services_have_the_champion_names_them(registry, serving):
    RegistrySync(registry, "arena/other").promote("2", "1")
    result = arena("rollback")
    assert result.exit_code == 2
    assert "arena/filter, arena/other serve the champion" in result.stderr
    assert (serving[0], registry.version_of("champion")) == ([], 2)


@pytest.fixture
def challenger(registry, register):
    """A champion, and a challenger with the verdict a test gives it."""
    registry.promote(register(1), None)
    version = register(2)
    registry.set_alias("challenger", version)

    def judged(clean_f1, champion=1):
        rule = [gates.Gate(metric="clean_f1", better="higher")]
        results = gates.judge({"clean_f1": 0.5}, {"clean_f1": clean_f1}, rule)
        registry.record_verdict(version, RecordedVerdict(champion=champion, gates=tuple(results)))

    return judged


def test_a_challenger_whose_gates_passed_is_promoted(registry, challenger):
    challenger(0.9)
    assert arena("promote").exit_code == 0
    assert (registry.version_of("champion"), registry.version_of("previous")) == (2, 1)


def test_a_challenger_whose_gates_failed_is_refused_with_the_reason(registry, challenger):
    challenger(0.1)
    result = arena("promote")
    assert result.exit_code == 1
    assert "clean_f1 0.1000" in result.stderr
    assert registry.version_of("champion") == 1


def test_a_challenger_nobody_judged_is_refused(registry, challenger):
    assert arena("promote").exit_code == 1
    assert registry.version_of("champion") == 1


def test_a_verdict_against_another_champion_does_not_count(registry, challenger):
    challenger(0.9, champion=7)
    assert arena("promote").exit_code == 1
    assert registry.version_of("champion") == 1


def test_overriding_the_gates_needs_a_reason_and_keeps_it(registry, challenger):
    challenger(0.1)
    assert arena("promote", "--force").exit_code == 2
    assert arena("promote", "--force", "--reason", "a person looked").exit_code == 0
    assert registry.version_of("champion") == 2
    assert registry.get(2).tags["override_reason"] == "a person looked"


def test_no_challenger_is_a_no(registry, register):
    registry.promote(register(1), None)
    assert arena("promote").exit_code == 1


def test_a_version_that_was_taken_back_is_seen_and_comes_again_only_by_hand(registry, register):
    registry.promote(register(1), None)
    registry.promote(register(2), 1)
    assert arena("rollback", "--reason", "complaints").exit_code == 0
    assert "2 (rejected: complaints)" in arena("status").stdout
    refused = arena("promote", "2")
    assert refused.exit_code == 1
    assert "complaints" in refused.stderr
    assert arena("promote", "2", "--force", "--reason", "they were wrong").exit_code == 0
    assert registry.version_of("champion") == 2
    assert registry.get(2).rejection is None
    assert "they were wrong" in arena("status").stdout


def test_the_champion_is_not_promoted_again(registry, register):
    registry.promote(register(1), None)
    assert arena("promote", "1").exit_code == 2
