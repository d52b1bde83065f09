"""``arena battle`` and ``arena compare`` for real, against a filter that reads texts as they are: a list of words."""

import csv
import json

import pytest

from tests.components.attack_generation.filters import serving
from tests.pipelines.command import arena

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("arena") / "home"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """64 toxic texts with one word that the filter knows, and 64 benign ones."""
    jobs = ("teacher", "doctor", "farmer", "plumber", "sailor", "baker", "tailor", "writer")
    people = [f"{kind} {job}" for kind in ("old", "new") for job in jobs]
    ways = ("{} who called is an idiot", "what an idiot that {} was", "my {} is an idiot again", "idiot of a {} came")
    kind = ("{} who called is my friend", "what a singer that {} was", "my {} is at home again", "good old {} came")
    path = tmp_path_factory.mktemp("data") / "texts.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["text", "label"])
        for label, sentences in (("toxic", ways), ("benign", kind)):
            rows.writerows([sentence.format(person), label] for sentence in sentences for person in people)
    return str(path)


@pytest.fixture
def word_list():
    with serving() as reply:
        reply.make = lambda body: {"predictions": [0.9 if "idiot" in text else 0.1 for text in body["instances"]]}
        yield reply


def test_what_our_canonicaliser_would_undo_counts_against_a_filter_without_one(home, data, word_list, tmp_path):
    page, out = tmp_path / "page.html", tmp_path / "attacks.jsonl"
    options = ("--data", data, "--strategies", "invisible_insert,benign_append", "--texts", "20", "--json")
    fought = arena(
        home,
        "battle",
        "--victim",
        word_list.url,
        *options,
        "--report",
        str(page),
        "--out",
        str(out),
        "--fail-over",
        "evasion=0.2",
    )
    assert fought.returncode == 1, fought.stderr
    answer = json.loads(fought.stdout)
    by_name = {row["strategy"]: row for row in answer["strategies"]}
    hidden, friendly = (by_name[name]["evasion"] for name in ("invisible_insert", "benign_append"))
    assert (hidden["rate"], friendly["rate"]) == (1.0, 0.0)
    assert hidden["n"] == friendly["n"]
    assert {json.loads(line)["split"] for line in out.read_text(encoding="utf-8").splitlines()} == {"validation"}
    assert answer["canonicalises"] is False
    assert answer["evasion"]["rate"] == 0.5, "both strategies count"
    assert {row["family"] for row in answer["families"]} == {"unicode", "sentence"}
    assert answer["evasion_by_budget"][-1]["evasion"] == 0.5
    assert '<p class="big">50.0%</p>' in page.read_text(encoding="utf-8")
    shown = " ".join(arena(home, "battles", answer["battle"]).stdout.split())
    assert "this filter may have none" in shown
    assert "all that reach it" not in shown


def test_the_same_strategy_stays_out_of_the_figures_of_a_bundle(home, data, tiny_bundle):
    options = ("--data", data, "--strategies", "invisible_insert,benign_append", "--texts", "20", "--json")
    fought = arena(home, "battle", "--victim", str(tiny_bundle.path), *options)
    assert fought.returncode == 0, fought.stderr
    answer = json.loads(fought.stdout)
    assert answer["canonicalises"] is True
    assert [row["family"] for row in answer["families"]] == ["sentence"]
    by_name = {row["strategy"]: row for row in answer["strategies"]}
    assert answer["evasion"]["n"] == by_name["benign_append"]["evasion"]["n"] > 0
    assert by_name["invisible_insert"]["undone"]["rate"] == 1.0


def test_a_comparison_with_such_a_filter_counts_every_strategy_for_both(home, data, word_list, tiny_bundle):
    options = ("--data", data, "--strategies", "invisible_insert,benign_append", "--texts", "10", "--split", "all")
    compared = arena(home, "compare", str(tiny_bundle.path), word_list.url, *options, "--json")
    assert compared.returncode == 0, compared.stderr
    answer = json.loads(compared.stdout)
    assert answer["left_out"] == []
    ours, theirs = answer["sides"]
    assert ours["evasion"]["n"] == theirs["evasion"]["n"] == 20
    assert theirs["evasion"]["rate"] == 0.5
