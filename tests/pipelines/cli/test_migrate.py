"""`arena migrate perspective`, and which APIs `arena serve` may be told to serve."""

import csv
import json
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from content_arena.components.shared.scoring.filter import ContentFilter
from content_arena.pipelines.cli import migrate
from content_arena.pipelines.cli.app import app

WORDS = ("idiot", "moron", "stupid", "hate", "nice", "day", "book", "river", "music", "coffee", "bread")


@pytest.fixture
def champion(tiny_bundle, monkeypatch):
    """A registry whose champion is the tiny bundle."""
    stub = SimpleNamespace(resolve=lambda alias: 7, download=lambda version: tiny_bundle.path)
    monkeypatch.setattr(migrate, "registry_here", lambda: stub)


@pytest.fixture(scope="session")
def export(tiny_bundle, tmp_path_factory):
    """Old scores that are the square of the new ones."""
    texts = [f"{first} {second}" for first in WORDS for second in WORDS]
    content_filter = ContentFilter(tiny_bundle)
    scores = content_filter.score(texts).astype(float) ** 2
    content_filter.close()
    path = tmp_path_factory.mktemp("export") / "export.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "attribute", "score"])
        writer.writerows([text, "TOXICITY", score] for text, score in zip(texts, scores, strict=True))
        writer.writerow(["you idiot", "INSULT", 0.9])
    return path


def arena(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.mark.usefixtures("champion")
def test_cutoffs_are_moved_and_counted_as_comments(export):
    given = ("--cutoff", 0.49, "--cutoff", 0.64, "--comments-per-day", 10_000)
    result = arena("migrate", "perspective", "--scores", export, *given, "--json")
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    assert (document["version"], document["n"], document["other_attributes"]) == ("7", 121, {"INSULT": 1})
    assert document["rank_correlation"] == pytest.approx(1)
    first, second = document["cutoffs"]
    assert 0.6 < first["new"] <= second["new"] < 0.9
    counts = first["at_cutoff"]["comments_per_day"]
    assert counts["flagged_before"] == round(10_000 * first["at_cutoff"]["flagged_before"]["rate"])
    assert counts["flagged_after"] - counts["flagged_before"] == pytest.approx(counts["gained"] - counts["lost"], abs=2)


@pytest.mark.usefixtures("champion")
def test_the_table_says_it_for_people(export):
    result = arena("migrate", "perspective", "--scores", export, "--comments-per-day", 10_000)
    assert result.exit_code == 0, result.stderr
    assert "121 texts" in result.stdout
    assert "0.500 (own)" in result.stdout
    assert "INSULT (1 rows)" in result.stdout


@pytest.mark.usefixtures("champion")
def test_too_few_scores_are_refused(tmp_path):
    path = tmp_path / "export.csv"
    path.write_text("text,score\nnice day,.1\n")
    result = arena("migrate", "perspective", "--scores", path, "--json")
    assert result.exit_code == 2
    assert "at least 100" in json.loads(result.stdout)["error"]


def test_an_unknown_api_is_refused_before_a_version_is_looked_for(monkeypatch, tmp_path):
    monkeypatch.setenv("ARENA_HOME", str(tmp_path / "none"))
    result = arena("serve", "--api-adapters", "perspective,google")
    assert result.exit_code == 2
    assert "no API adapter google" in result.stderr
