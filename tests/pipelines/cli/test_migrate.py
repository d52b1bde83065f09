"""`arena migrate perspective`, and which APIs `arena serve` may be told to serve."""

import csv
import json
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from content_arena.components.shared.scoring.filter import ContentFilter
from content_arena.pipelines.cli import migrate
from content_arena.pipelines.cli.app import app
from tests.tiny_bundle import make_tiny_bundle

WORDS = ("idiot", "moron", "stupid", "hate", "nice", "day", "book", "river", "music", "coffee", "bread")
TEXTS = [f"{first} {second}" for first in WORDS for second in WORDS]


@pytest.fixture
def serve(monkeypatch):
    """Makes a bundle the champion of the registry."""

    def serve(bundle):
        stub = SimpleNamespace(resolve=lambda alias: 7, download=lambda version: bundle.path)
        monkeypatch.setattr(migrate, "registry_here", lambda: stub)

    return serve


@pytest.fixture
def champion(tiny_bundle, serve):
    """A registry whose champion is the tiny bundle."""
    serve(tiny_bundle)


@pytest.fixture(scope="session")
def with_attributes(tmp_path_factory):
    """A bundle that scores two attributes beside toxicity; see tiny_bundle.py."""
    path = tmp_path_factory.mktemp("attributes") / "bundle"
    return make_tiny_bundle(path, attributes={"IDENTITY_ATTACK": 0.25, "INSULT": 0.5})


@pytest.fixture(scope="session")
def export(tiny_bundle, tmp_path_factory):
    """Old scores that are the square of the new ones."""
    content_filter = ContentFilter(tiny_bundle)
    scores = content_filter.score(TEXTS).astype(float) ** 2
    content_filter.close()
    path = tmp_path_factory.mktemp("export") / "export.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "attribute", "score"])
        writer.writerows([text, "TOXICITY", score] for text, score in zip(TEXTS, scores, strict=True))
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
    assert (document["version"], document["not_scored"]) == ("7", {"INSULT": 1})
    toxicity = document["attributes"]["TOXICITY"]
    assert toxicity["n"] == 121
    assert toxicity["rank_correlation"] == pytest.approx(1)
    first, second = toxicity["cutoffs"]
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
    assert "version 7 has no score for them: INSULT (1 texts)" in result.stdout


@pytest.fixture
def several(with_attributes, tmp_path):
    """Old scores of a column each that are the square of the new ones, and one that no bundle has a score for."""
    content_filter = ContentFilter(with_attributes)
    scores = content_filter.score_all(TEXTS).astype(float) ** 2
    content_filter.close()
    path = tmp_path / "several.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "TOXICITY", "IDENTITY_ATTACK", "FLIRTATION"])
        writer.writerows([text, *row[:2], 0.5] for text, row in zip(TEXTS, scores, strict=True))
    return path


def test_each_attribute_that_the_version_scores_is_moved(serve, with_attributes, several):
    serve(with_attributes)
    given = ("--cutoff", 0.49, "--cutoff", "identity_attack=0.36")
    result = arena("migrate", "perspective", "--scores", several, *given, "--json")
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    assert document["not_scored"] == {"FLIRTATION": 121}
    found = document["attributes"]
    assert {name: one["threshold"] for name, one in found.items()} == {"TOXICITY": 0.5, "IDENTITY_ATTACK": 0.25}
    for name, old in (("TOXICITY", 0.49), ("IDENTITY_ATTACK", 0.36)):
        one = found[name]
        assert one["rank_correlation"] == pytest.approx(1)
        (moved,) = one["cutoffs"]
        assert moved["old"] == old
        # What is flagged is the same, although the scores that it is flagged by are not.
        assert moved["new"] > old
        assert moved["at_cutoff"]["agreement"]["rate"] > 0.95


def test_each_attribute_has_a_table(serve, with_attributes, several):
    serve(with_attributes)
    result = arena("migrate", "perspective", "--scores", several)
    assert result.exit_code == 0, result.stderr
    assert "old score of TOXICITY" in result.stdout
    assert "old score of IDENTITY_ATTACK" in result.stdout
    assert "0.250 (own)" in result.stdout
    assert "no score for them: FLIRTATION (121 texts)" in result.stdout


def test_an_attribute_of_too_few_texts_is_named(serve, with_attributes, export):
    serve(with_attributes)
    result = arena("migrate", "perspective", "--scores", export)
    assert result.exit_code == 0, result.stderr
    assert "fewer than 100 texts have an old score of them: INSULT (1 texts)" in result.stdout
    assert "no score" not in result.stdout


@pytest.mark.usefixtures("champion")
@pytest.mark.parametrize(
    ("cutoff", "words"),
    [("1.5", "from 0 to 1"), ("high", "from 0 to 1"), ("=0.5", "INSULT=0.8"), ("THREAT=0.5", "names THREAT")],
)
def test_a_cutoff_that_cannot_be_used_is_refused(export, cutoff, words):
    result = arena("migrate", "perspective", "--scores", export, "--cutoff", cutoff, "--json")
    assert result.exit_code == 2
    assert words in json.loads(result.stdout)["error"]


@pytest.mark.usefixtures("champion")
def test_scores_of_nothing_that_the_version_scores_are_refused(tmp_path):
    path = tmp_path / "export.csv"
    path.write_text("text,FLIRTATION\nnice day,.1\n")
    result = arena("migrate", "perspective", "--scores", path, "--json")
    assert result.exit_code == 2
    assert "no score for FLIRTATION" in json.loads(result.stdout)["error"]


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
