"""The README: its table of strategies is up to date, and its example of a strategy works unchanged."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from content_arena.components.attack_generation.victims import open_victim

README = Path(__file__).parents[3] / "components" / "attack_generation" / "README.md"
#: What a newcomer does after installing, in a process that finds the package.
FIGHT = """
import random
from content_arena.components.attack_generation import strategies
from content_arena.components.shared.text.canonical import canonicalise

assert [strategy.name for strategy in strategies.select("en", ["cut"])] == ["cut"]
cut = strategies.installed()["cut"]
text = "you stupid idiot, nobody likes you"
for intensity in (0.3, 1.0):
    changed = cut.perturb(text, random.Random(0), intensity)
    assert canonicalise(changed) not in (text, ""), changed
    assert changed == cut.perturb(text, random.Random(0), intensity)
assert cut.perturb(text, random.Random(0), 0.0) == text
assert cut.perturb(text, random.Random(0), 1.0, (0, 10)).endswith(text[10:])
"""


def block(language, holds=""):
    blocks = re.findall(rf"```{language}\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    (found,) = [block for block in blocks if holds in block]
    return found


def test_the_example_of_a_function_is_a_victim(tmp_path):
    path = tmp_path / "my_filter.py"
    path.write_text(block("python", "def score"), encoding="utf-8")
    assert open_victim(f"python:{path}:score").score(["you idiot", "hello"]).round(1).tolist() == pytest.approx(
        [0.9, 0.1]
    )


@pytest.fixture
def installed(tmp_path):
    """Where pip put the README's package."""
    source, target = tmp_path / "my-strategies", tmp_path / "site"
    source.mkdir()
    (source / "my_strategies.py").write_text(block("python", "Strategy"), encoding="utf-8")
    (source / "pyproject.toml").write_text(block("toml"), encoding="utf-8")
    # What it is built with is here: no package index is asked.
    options = ["--quiet", "--no-index", "--no-build-isolation", "--disable-pip-version-check", "--target", target]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, source], check=True)
    return target


def test_the_example_is_found_and_changes_what_the_filter_reads(installed):
    environment = os.environ | {"PYTHONPATH": str(installed)}
    result = subprocess.run([sys.executable, "-c", FIGHT], env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_every_family_there_is_is_named():
    from content_arena.components.attack_generation.strategies import FAMILIES

    assert ", ".join(f"`{name}`" for name in FAMILIES[:-1]) + f" or `{FAMILIES[-1]}`" in README.read_text("utf-8")


def test_the_table_of_strategies_is_up_to_date():
    from content_arena.components.attack_generation import strategy_table

    text = README.read_text(encoding="utf-8")
    assert text == strategy_table.readme_with_table(text), f"run python -m {strategy_table.__name__}"
