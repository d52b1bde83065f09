"""The README of the command line agrees with ``--help``."""

import re

import pytest
from typer.testing import CliRunner

from content_arena.pipelines.cli import documentation
from content_arena.pipelines.cli.app import app

TEXT = documentation.README.read_text(encoding="utf-8")
COMMANDS = dict(documentation.commands())


def test_the_readme_is_what_would_be_written():
    assert documentation.markdown() == TEXT, "run python -m content_arena.pipelines.cli.documentation"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_of_help_is_in_the_readme_and_no_other(name):
    words = name.split()[1:]
    shown = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": "200", "TERMINAL_WIDTH": "200"}).stdout
    helped = set(re.findall(r"^│ +\*? *(--[a-z0-9-]+)", shown, re.MULTILINE)) - {"--help"}
    section = TEXT.split(f"## `{name} [")[1].split("\n## ")[0]
    documented = set(re.findall(r"^\| `(--[a-z0-9-]+)`", section, re.MULTILINE))
    assert documented == helped
    assert helped


def test_hidden_options_are_not_documented():
    assert "--rounds" not in TEXT
    assert "--insist" not in TEXT
