"""The stage of a battle with an LLM: settings and environment reach it, the key stands nowhere, the hash repeats."""

import pandas as pd
import pytest

from content_arena.components.attack_generation import generate
from content_arena.components.attack_generation.settings import AttackSettings
from content_arena.components.shared import records
from content_arena.components.shared.chat import ChatSettings
from tests.llm_server import KEY, data_of, rewritten


@pytest.fixture
def fight(tmp_path, tiny_bundle, llm, monkeypatch):
    monkeypatch.setenv("ARENA_HOME", str(tmp_path / "home"))
    rows = [
        {
            "sample_id": f"s{i}", "base_id": f"b{i}", "text": f"you are {words} today", "lang": "en", "categories": [],
            "label": "toxic" if "stupid" in words else "benign", "target_ident": None, "source": "test",
            "split": "validation" if i % 2 else "train",
        }
        for i, words in enumerate(["stupid idiot", "stupid trash", "stupid scum", "nice", "good", "my friend"])
    ]  # fmt: skip
    records.write(records.Sample, pd.DataFrame(rows), tmp_path / "corpus.parquet")

    def fight(n_shards=1):
        parts = [tmp_path / f"{n_shards}-{shard}" for shard in range(n_shards)]
        for shard, part in enumerate(parts):
            generate.generate_attacks(
                tmp_path / "corpus.parquet", part / "attacks", part / "held_out", part / "summary",
                victim=str(tiny_bundle.path), lang="en", pipeline_run="run", shard=shard, n_shards=n_shards,
                settings=AttackSettings(budget=2, texts_per_label=8, families=("llm",)), seed=3,
                chat=ChatSettings(temperature=0.125), tracking_uri=f"sqlite:///{tmp_path / 'mlflow.db'}",
            )  # fmt: skip
        return generate.gather_attacks(
            [part / "attacks" for part in parts], [part / "held_out" for part in parts],
            [part / "summary" for part in parts], tmp_path / "attacks", tmp_path / "held_out", pipeline_run="run",
            tracking_uri=f"sqlite:///{tmp_path / 'mlflow.db'}",
        )  # fmt: skip

    return fight


def test_a_battle_is_the_same_for_what_is_kept_and_the_key_is_nowhere(fight, llm, tmp_path, capsys):
    llm.answer = lambda body: "No, I won't." if "trash" in data_of(body)["text"] else rewritten(body)
    sha256, figures = fight()
    n_asked = len(llm.bodies)
    assert {body["temperature"] for body in llm.bodies} == {0.125}
    assert set(llm.authorisations) == {f"Bearer {KEY}"}
    # Two strengths; the text with trash is a toxic one of three, and is asked about by each of the three strategies.
    assert figures["n_not_written"] == 6
    again, figures_again = fight(n_shards=2)
    assert (again, len(llm.bodies)) == (sha256, n_asked)
    # The stand-in writes the same for two strategies: a text is asked about once in a shard.
    differ = {name: figures_again[name] for name in ("n_queries", "texts_per_second")}
    assert figures_again == figures | differ
    assert figures_again["n_queries"] > figures["n_queries"]
    said = capsys.readouterr()
    assert "note: stand-in wrote " in said.out
    assert "6 were not written, and are no attacks: refused 6" in said.out
    assert KEY not in said.out + said.err
    for path in filter(lambda path: path.is_file(), tmp_path.rglob("*")):
        assert KEY.encode() not in path.read_bytes(), path


def test_no_llm_ends_the_stage_with_what_to_set(fight, monkeypatch, capsys):
    monkeypatch.delenv("CONTENT_ARENA_LLM_BASE_URL")
    monkeypatch.setattr("content_arena.components.shared.chat.packaged.is_installed", lambda: False)
    with pytest.raises(SystemExit) as end:
        fight()
    assert end.value.code == 2
    assert "error: there is no LLM to ask: set CONTENT_ARENA_LLM_BASE_URL" in capsys.readouterr().out
