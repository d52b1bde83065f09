"""The stage evaluate_challenger on real bundles and a real registry: what it holds out, and which figures it leaves."""

import json

import mlflow
import pandas as pd
import pytest

from content_arena.components.attack_generation import held_out
from content_arena.components.attack_generation.selection import Selection
from content_arena.components.evaluation.evaluate import evaluate_challenger
from content_arena.components.registry import tags
from content_arena.components.registry.registry import Registry
from content_arena.components.shared import records
from content_arena.components.shared.evaluations import evaluation_record
from content_arena.components.shared.mlflow_tracking.tracking import Tracking
from tests import llm_server

WORDS = ["stupid idiot", "trash", "scum", "moron", "nice day", "good book", "warm house", "my friend"]


def corpus(path, n_texts):
    """Writes a corpus of test texts, half of them toxic."""
    rows = [
        {
            "sample_id": f"s{i}", "base_id": f"b{i}", "text": f"number {i}, you are {WORDS[i % 8]} today", "lang": "en",
            "categories": [], "label": "toxic" if i % 8 < 4 else "benign", "target_ident": None, "source": "test",
            "split": "test",
        }
        for i in range(n_texts)
    ]  # fmt: skip
    records.write(records.Sample, pd.DataFrame(rows), path)
    return path


@pytest.fixture
def corpus_path(tmp_path):
    return corpus(tmp_path / "corpus.parquet", n_texts=32)


@pytest.fixture
def evaluate(tmp_path, corpus_path, make_bundle):
    """Compares two bundles; the champion has a generation and facts of its training."""
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"

    def evaluate(generation=0, training=None, **options):
        champion = make_bundle("champion", training=training)
        challenger = make_bundle("challenger", weights_seed=1)
        run_id = Tracking(uri, "run").run_id
        version = Registry(uri).register(champion, run_id, generation=generation).version
        evaluate_challenger(
            corpus_path, challenger.path, tmp_path / "evaluation.json", champion_version=str(version), lang="en",
            pipeline_run="run", budget=3, texts_per_label=16, seed=1, tracking_uri=uri, **options,
        )  # fmt: skip
        logged = mlflow.MlflowClient(uri).get_run(run_id).data.params
        return evaluation_record.read(tmp_path / "evaluation.json"), logged

    return evaluate


def test_the_seed_chooses_and_undone_strategies_are_listed_and_not_counted(evaluate, tmp_path):
    found, logged = evaluate()
    assert found.held_out == held_out.resolve("en", 1, (), None).names
    assert found.held_out_reason == "chosen by seed 1"
    assert logged["evaluate_challenger.held_out_strategies"] == f"{', '.join(found.held_out)} (chosen by seed 1)"
    assert json.loads((tmp_path / "evaluation.json").read_text())["held_out_strategies"] == list(found.held_out)
    assert found.undone == ("compat_form", "invisible_insert")
    rows = {row.strategy: row for row in found.strategies}
    assert len(rows) == 10
    assert rows["invisible_insert"].undone.rate == 1.0
    assert {name for name, row in rows.items() if row.held_out} == set(found.held_out)
    reach = [row for row in found.strategies if not row.is_undone]
    for role, model in found.models.items():
        assert model.figures["evasion"].n == sum(getattr(row, role).n for row in reach)
        for name in ("evasion_matched", "perturbed_auroc"):
            assert 0 <= model.figures[name].low <= model.figures[name].rate <= model.figures[name].high <= 1
        assert model.figures["perturbed_auroc"].rate > 0.5


def test_what_an_llm_writes_is_written_once_for_both_models_and_twins_are_the_benign_texts(evaluate, monkeypatch):
    monkeypatch.setenv("CONTENT_ARENA_LLM_MODEL", "stand-in")
    monkeypatch.delenv("ARENA_HOME", raising=False)
    with llm_server.serving() as llm:
        monkeypatch.setenv("CONTENT_ARENA_LLM_BASE_URL", llm.url)
        found, _ = evaluate(selection=Selection(names=("char_typo", "llm_implicit")))
        # Three strengths of each toxic text.
        assert len(llm.bodies) == 3 * found.n_toxic
    rows = {row.strategy: row for row in found.strategies}
    assert rows["llm_implicit"].champion_fpr.n == rows["llm_implicit"].challenger_fpr.n == found.n_toxic
    assert rows["char_typo"].champion_fpr.n <= found.n_benign
    assert rows["llm_implicit"].restored.rate == 0


def test_a_later_generation_keeps_the_champions_choice(evaluate):
    found, _ = evaluate(3, {tags.HELD_OUT: "char_split,leet_sub", tags.TRAINED_ON: "space_join"})
    assert found.held_out == ("char_split", "leet_sub")
    assert found.held_out_reason == "as for version 1"


def test_a_champion_of_an_earlier_release_keeps_what_that_held_out(evaluate):
    found, _ = evaluate(2)
    assert found.held_out == ("diacritic_zalgo", "space_join", "wild_respell")


def test_what_the_champion_was_trained_on_is_refused(evaluate, capsys):
    with pytest.raises(SystemExit) as refused:
        evaluate(1, {tags.HELD_OUT: "space_join", tags.TRAINED_ON: "leet_sub"}, held_out=["leet_sub"])
    assert refused.value.code == 2
    assert "was trained on leet_sub" in capsys.readouterr().out


def test_what_the_user_names_is_held_out(evaluate):
    found, _ = evaluate(held_out=["leet_sub"])
    assert (found.held_out, found.held_out_reason) == (("leet_sub",), "named by the user")


def test_both_models_meet_what_was_selected_and_nothing_else(evaluate):
    found, _ = evaluate(selection=Selection(("leet_sub",), ("emoji", "slang")))
    rows = {row.strategy for row in found.strategies}
    assert rows == {"leet_sub", "emoji_between", "emoji_letters", "emoji_words", "slang_respell"}
    assert len(found.held_out) >= 2
    assert set(found.held_out) < rows
