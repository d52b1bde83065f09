"""``arena serve``: what it serves, and settings that cannot be used."""

import socket

import pytest
import typer
from typer.testing import CliRunner

from content_arena.components.predictor.arguments import parser
from content_arena.pipelines.cli.app import app

COMMANDS = ["run", "data check", "battle", "status", "promote", "rollback", "serve", "compile", "submit"]
COMMANDS += ["migrate perspective", "review list", "review export", "review import"]


def arena(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_no_champion_to_serve(registry):
    result = arena("serve")
    assert result.exit_code == 2
    assert "no champion" in result.stderr


def test_a_port_in_use(registry, register):
    registry.promote(register(1), None)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = arena("serve", "--port", port)
    assert result.exit_code == 2
    assert str(port) in result.stderr


def test_a_version_is_served_with_another_as_its_shadow(registry, register, monkeypatch):
    from content_arena.components.predictor.rest import server as rest

    registry.promote(register(1), None)
    register(2)
    served = {}

    def run(server, listener):
        model = server._model
        served.update(version=model.version, alias=model.serving.alias, shadow=model._shadow.version)
        served["again"] = server.reloader._load(model.serving)

    monkeypatch.setattr(rest.FilterServer, "run", run)
    result = arena("serve", "--port", free_port(), "--shadow", "2")
    assert result.exit_code == 0, result.stderr
    assert served == {"version": "1", "alias": "champion", "shadow": "2", "again": None}
    assert "serving version 1, the champion, on http://127.0.0.1:" in result.stderr
    assert arena("serve", "--port", free_port(), "--shadow", "s3://models/x").exit_code == 2


def test_the_server_has_the_same_settings_wherever_it_is_started():
    options = {parameter.name: parameter for parameter in typer.main.get_command(app).commands["serve"].params}
    arguments = {action.dest: action for action in parser()._actions}
    alone = {"model_dir", "model_version", "model_alias", "help"}
    assert options.keys() - {"alias"} == arguments.keys() - alone
    shared = options.keys() - {"alias", "host"}
    assert {name: options[name].default for name in shared} == {name: arguments[name].default for name in shared}


@pytest.fixture
def served(registry, register, monkeypatch):
    """What a server would serve, version 1 being the champion."""
    from content_arena.components.predictor.rest import server as rest

    registry.promote(register(1), None)
    register(2)
    seen = {}

    def run(server, listener):
        shadow = server._model._shadow
        seen.update(engine=server._model.serving, shadow=shadow and shadow.version, limits=server._model.limits)
        seen.update(door=server.door, grpc=server.grpc_socket and server.grpc_socket.getsockname())

    monkeypatch.setattr(rest.FilterServer, "run", run)
    return seen


@pytest.mark.parametrize("way", ["options", "environment"])
def test_what_only_the_containers_command_line_took(served, registry, monkeypatch, way):
    digest = registry.get(1).digest
    options = {"cache": "4096", "shadow": "2", "log-format": "json", "expected-sha256": digest}
    given = []
    for name, value in options.items():
        if way == "options":
            given += [f"--{name}", value]
        else:
            monkeypatch.setenv(f"CONTENT_ARENA_{name.replace('-', '_').upper()}", value)
    result = arena("serve", "--port", free_port(), "--threads", 1, *given)
    assert result.exit_code == 0, result.stderr
    assert (served["limits"].cached_windows, served["shadow"], served["door"].logs_json) == (4096, "2", True)
    assert served["engine"].digest == digest


def test_grpc_is_off_until_it_has_a_port(served):
    assert arena("serve", "--port", free_port()).exit_code == 0
    assert served["grpc"] is None
    port = free_port()
    result = arena("serve", "--port", free_port(), "--grpc-port", port)
    assert result.exit_code == 0, result.stderr
    assert served["grpc"] == ("127.0.0.1", port)
    assert f"V2 over gRPC on 127.0.0.1:{port}" in result.stderr
    assert arena("serve", "--port", port, "--grpc-port", port).exit_code == 2


def test_another_bundle_than_was_expected_is_not_served(served, monkeypatch):
    monkeypatch.setenv("CONTENT_ARENA_EXPECTED_SHA256", "0" * 64)
    result = arena("serve", "--port", free_port())
    assert result.exit_code == 2
    assert f"expected is {'0' * 64}" in result.stderr
    assert not served


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--threads", "0", "at least 1"),
        ("--cache", "many", "whole number"),
        ("--grpc-port", "65536", "a port is 0 to 65535"),
        ("--deadline", "0", "more than 0 seconds"),
        ("--deadline", "soon", "wanted a number"),
        ("--expected-sha256", "abc", "64 hexadecimal digits"),
        ("--log-format", "xml", "text or json"),
    ],
)
def test_a_setting_of_the_server_that_cannot_be_used(home, option, value, words):
    result = arena("serve", option, value)
    assert result.exit_code == 2
    assert words in " ".join(result.stderr.replace("│", " ").split())


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]
