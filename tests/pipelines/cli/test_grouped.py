"""A command that takes groups of options is the command that takes each option."""

from dataclasses import dataclass, field
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from content_arena.pipelines.cli.grouped import grouped


@dataclass(frozen=True)
class Group:
    size: Annotated[int, typer.Option(min=1, help="How large.")] = 3
    names: Annotated[list[str], typer.Option("--name")] = field(default_factory=list)


@grouped
def command(group: Group, word: Annotated[str, typer.Argument()] = "one", loud: bool = False) -> None:
    """Prints what it was given."""
    print(group, word, loud)


@pytest.fixture
def run():
    app = typer.Typer()
    app.command()(command)
    return lambda *arguments: CliRunner().invoke(app, list(arguments))


def test_defaults_are_those_of_the_fields(run):
    assert run().stdout.strip() == f"{Group()} one False"


def test_options_reach_their_group(run):
    result = run("two", "--size", "5", "--name", "a", "--name", "b", "--loud")
    assert result.stdout.strip() == f"{Group(5, ['a', 'b'])} two True"


def test_an_option_is_checked_and_described(run):
    assert run("--size", "0").exit_code == 2
    shown = run("--help").stdout
    assert "How large." in shown
    assert "--group" not in shown
