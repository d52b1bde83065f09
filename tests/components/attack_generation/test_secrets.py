"""A battle with a filter that wants a login: the filter gets it, and nothing else does."""

import pandas as pd
import pytest

from content_arena.components.attack_generation import generate
from content_arena.components.attack_generation.settings import AttackSettings
from content_arena.components.attack_generation.victims import logins
from content_arena.components.shared import records
from tests.components.attack_generation.filters import serving

SECRET = "geheim-4711"
HEADER = f"X-Key: {SECRET}"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    path = tmp_path_factory.mktemp("corpus") / "corpus.parquet"
    rows = [
        {
            "sample_id": f"s{i}", "base_id": f"b{i}", "text": f"you are {'stupid' if i % 2 else 'nice'} number {i}",
            "lang": "en", "categories": [], "label": "toxic" if i % 2 else "benign", "target_ident": None,
            "source": "test", "split": "validation" if i > 20 else "train",
        }
        for i in range(40)
    ]  # fmt: skip
    records.write(records.Sample, pd.DataFrame(rows), path)
    return path


@pytest.fixture(scope="module")
def server():
    with serving() as reply:
        yield reply


def answers(body):
    """Scores near each other, and verdicts as 1 and 0."""
    is_flagged = [int("stupid" in text) for text in body["instances"]]
    return {"predictions": [{"toxic_score": 0.8 + flagged / 10, "is_toxic": flagged} for flagged in is_flagged]}


def fight(corpus, folder, url, **settings):
    folder.mkdir()
    generate.generate_attacks(
        corpus, folder / "attacks", folder / "held_out", folder / "summary", victim=url, lang="en", pipeline_run="run",
        settings=AttackSettings(budget=2, texts_per_label=20, strategies=("char_typo", "leet_sub"), **settings), seed=3,
        tracking_uri=f"sqlite:///{folder / 'mlflow.db'}",
    )  # fmt: skip
    return generate.gather_attacks(
        [folder / "attacks"], [folder / "held_out"], [folder / "summary"], folder / "all", folder / "all_held_out",
        pipeline_run="run", tracking_uri=f"sqlite:///{folder / 'mlflow.db'}",
    )  # fmt: skip


def test_a_login_stands_in_no_table_log_or_record(corpus, server, tmp_path, monkeypatch, capsys):
    server.make = answers
    url, login = logins.split(f"{server.url.replace('http://', f'http://user:{SECRET}@')}?api_key={SECRET}", [HEADER])
    for name, value in login.as_environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("CONTENT_ARENA_VICTIM_ANSWERS", str(tmp_path / "battle" / "answers.jsonl"))
    sha256, figures = fight(corpus, tmp_path / "battle", url)
    assert all(asked["X-Key"] == SECRET for asked in server.asked)
    assert all("Basic " in asked["Authorization"] for asked in server.asked)
    assert all(path.endswith(f"?api_key={SECRET}") for path in server.paths)
    # The verdicts are 1 and 0: with the scores alone, at a threshold of one half, everything would be flagged.
    assert figures["n_toxic_success"] > 0
    attacks = pd.concat([pd.read_parquet(tmp_path / "battle" / name) for name in ("all", "all_held_out")])
    assert set(attacks["threshold"].round(2)) == {0.85}
    written = capsys.readouterr()
    for text in (written.out, written.err, sha256, attacks.to_csv()):
        assert SECRET not in text
    for path in filter(lambda path: path.is_file(), tmp_path.rglob("*")):
        assert SECRET.encode() not in path.read_bytes(), path


def test_a_filter_read_the_wrong_way_round_ends_the_battle(corpus, server, tmp_path, capsys):
    server.make = lambda body: {"predictions": [0.1 if "stupid" in text else 0.6 for text in body["instances"]]}
    with pytest.raises(SystemExit) as refused:
        fight(corpus, tmp_path / "battle", server.url)
    assert refused.value.code == 2
    assert "read the wrong way round" in capsys.readouterr().out


def test_a_filter_that_flags_nothing_is_noted(corpus, server, tmp_path, capsys):
    server.make = lambda body: {"predictions": [0] * len(body["instances"])}
    fight(corpus, tmp_path / "battle", server.url)
    said = capsys.readouterr().out
    assert "note: the filter flags none of the " in said
    assert "note: the filter answers verdicts and no scores" in said
