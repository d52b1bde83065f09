"""The stages of a battle: any number of shards gives the same attacks, figures and hash."""

import json

import pandas as pd
import pytest

from content_arena.components.attack_generation import generate, outcomes, strategies
from content_arena.components.attack_generation.selection import Selection
from content_arena.components.attack_generation.settings import AttackSettings
from content_arena.components.shared import records
from content_arena.components.shared.errors import InputError

WORDS = ["stupid idiot", "trash", "scum", "moron", "nice day", "good book", "warm house", "my friend"]


@pytest.fixture
def corpus_path(tmp_path):
    rows = [
        {
            "sample_id": f"s{i}", "base_id": f"b{i}", "text": f"you are {words} today", "lang": "en", "categories": [],
            "label": "toxic" if i < 4 else "benign", "target_ident": None, "source": "test",
            "split": "validation" if i % 2 else "train",
        }
        for i, words in enumerate(WORDS)
    ]  # fmt: skip
    records.write(records.Sample, pd.DataFrame(rows), tmp_path / "corpus.parquet")
    return tmp_path / "corpus.parquet"


@pytest.fixture
def fight(tmp_path, corpus_path, tiny_bundle):
    def fight(n_shards, run="run", victims=None, search="ladder", warm_start=False, **options):
        folder, uri = tmp_path / f"{run}-{n_shards}", f"sqlite:///{tmp_path / 'mlflow.db'}"
        parts = [folder / str(shard) for shard in range(n_shards)]
        for shard, part in enumerate(parts):
            generate.generate_attacks(
                corpus_path, part / "attacks", part / "held_out", part / "summary",
                victim=str(victims[shard] if victims else tiny_bundle.path), lang="en", pipeline_run=run,
                settings=AttackSettings(budget=2, texts_per_label=8, warm_start=warm_start), seed=3,
                shard=shard, n_shards=n_shards, tracking_uri=uri, search=search, **options,
            )  # fmt: skip
        sha256, metrics = generate.gather_attacks(
            [part / "attacks" for part in parts], [part / "held_out" for part in parts],
            [part / "summary" for part in parts], folder / "attacks", folder / "held_out", pipeline_run=run,
            tracking_uri=uri,
        )  # fmt: skip
        return sha256, metrics, pd.read_parquet(folder / "attacks"), pd.read_parquet(folder / "held_out")

    return fight


def without_pace(metrics):
    return {name: value for name, value in metrics.items() if name != "texts_per_second"}


# Ten strategies speak English: 20 shards leave some with nothing to do.
@pytest.mark.parametrize("n_shards", [2, 3, 20])
def test_shards_make_the_same_battle(fight, n_shards):
    sha256, metrics, attacks, held_out = fight(1)
    again = fight(n_shards)
    assert again[0] == sha256
    pd.testing.assert_frame_equal(again[2], attacks)
    pd.testing.assert_frame_equal(again[3], held_out)
    # Each shard asks about the originals; they count once.
    assert without_pace(again[1]) == without_pace(metrics)
    assert metrics["texts_per_second"] > 0
    assert metrics["n_success"] + metrics["n_failed"] + metrics["n_skipped"] == metrics["n_attacks"]


def test_where_nothing_is_trained_every_query_is_for_a_figure(fight):
    _, _, attacks, held_out = fight(1)
    assert set(attacks["split"]) == {"train", "validation"}
    _, _, seen, unseen = fight(2, run="battle", for_training=False)
    assert set(seen["split"]) == {"validation"}
    columns = ["strategy", "perturbed_text", "status"]
    assert set(seen["base_id"]) == set(unseen["base_id"]) == {"b1", "b3", "b5", "b7"}, "as many as were asked for"
    pd.testing.assert_frame_equal(
        unseen[unseen["base_id"].isin(held_out["base_id"])][columns].reset_index(drop=True), held_out[columns]
    )


@pytest.mark.parametrize("search", ["ladder", "greedy"])
def test_texts_of_all_splits_are_attacked_where_somebody_asks_for_them(fight, corpus_path, search):
    corpus = records.read(records.Sample, corpus_path)
    corpus.loc[corpus["base_id"] == "b2", "split"] = "guard"
    records.write(records.Sample, corpus, corpus_path)
    _, metrics, seen, unseen = fight(2, run="all", for_training=False, split="all", search=search)
    every = pd.concat([seen, unseen])
    # The rows say which texts a version may have memorised.
    splits = dict(zip(corpus["base_id"], corpus["split"], strict=True))
    assert [splits[base_id] for base_id in every["base_id"]] == every["split"].tolist()
    assert set(every["split"]) == {"train", "validation"}
    assert "b2" not in set(every["base_id"]), "the guard set is never attacked"
    rate = outcomes.evasion(seen)
    assert metrics["evasion_seen"] == pytest.approx(rate)


@pytest.mark.parametrize(("split", "for_training"), [("test", False), ("all", True)])
def test_texts_that_no_battle_is_on_are_refused(fight, capsys, split, for_training):
    with pytest.raises(SystemExit):
        fight(1, split=split, for_training=for_training)
    assert f"error: split is {split}" in capsys.readouterr().out


def test_a_search_is_apart_from_training_and_the_same_in_shards(fight):
    sha256, metrics, attacks, held_out = fight(1, search="greedy")
    assert held_out.empty
    assert set(attacks["strategy"]) == {"greedy"}
    assert set(attacks["split"]) == {"validation"}
    again = fight(3, search="greedy")
    assert again[0] == sha256
    pd.testing.assert_frame_equal(
        again[2].sort_values("base_id", ignore_index=True), attacks.sort_values("base_id", ignore_index=True)
    )
    assert without_pace(again[1]) == without_pace(metrics)
    # Four validation texts are scored as they are.
    assert metrics["n_queries"] == 4 + attacks["n_queries"].sum()


def test_a_battle_may_begin_with_what_the_last_one_learnt(fight, make_bundle, capsys):
    sha256, _, attacks, _ = fight(2, search="evolving")
    assert not any("memory" in json.loads(params) for params in attacks["params"])
    anew, *_ = fight(2, run="anew", search="evolving")
    assert anew == sha256, "unasked, a battle begins anew"
    capsys.readouterr()
    warm, _, attacks, _ = fight(2, run="warm", search="evolving", warm_start=True)
    assert capsys.readouterr().out.count("beginning with what earlier battles learnt: ") == 2
    (memory,) = {json.loads(params)["memory"] for params in attacks["params"]}
    assert len(memory) == 64
    assert warm != sha256
    other = make_bundle("other", threshold=0.4).path
    _, _, attacks, _ = fight(1, run="other", search="evolving", warm_start=True, victims=[other])
    assert "this one begins anew" in capsys.readouterr().out, "nothing was learnt about this filter"
    assert not any("memory" in json.loads(params) for params in attacks["params"])


@pytest.mark.parametrize("search", ["ladder", "greedy"])
def test_only_an_attacker_that_learns_takes_it(fight, capsys, search):
    fight(1, search="evolving")
    capsys.readouterr()
    fight(1, run="again", search=search, warm_start=True)
    assert "earlier battles" not in capsys.readouterr().out


def test_a_search_that_there_is_not_is_refused(fight, capsys):
    with pytest.raises(SystemExit):
        fight(1, search="magic")
    assert "there is no search magic; there is: ladder, random, greedy, beam" in capsys.readouterr().out


def test_a_filter_that_is_not_there_is_one_line(fight, capsys):
    with pytest.raises(SystemExit) as refused:
        fight(1, victims=["http://127.0.0.1:9"])
    assert refused.value.code == 2
    assert capsys.readouterr().out.splitlines()[-1].startswith("[generate_attacks] error: no answer from ")
    # What the command line makes of this line is tested there.


def test_shards_that_attacked_different_filters_are_refused(fight, make_bundle, capsys):
    victims = [make_bundle(f"v{seed}", weights_seed=seed).path for seed in (1, 2)]
    with pytest.raises(SystemExit):
        fight(2, victims=victims)
    assert "attacked different filters" in capsys.readouterr().out


def test_a_missing_shard_is_refused(fight, tmp_path, capsys):
    fight(2)
    summary = tmp_path / "run-2" / "1" / "summary"
    assert set(json.loads(summary.read_text())) == {
        "digests", "n_originals", "n_attempts", "seconds", "texts_are_dealt", "victim_version", "held_out", "n_refused",
        "n_not_written", "canonicalises", "n_same_meaning", "n_other_meaning", "n_meaning_not_measured", "split",
        "began_with", "memory",
    }  # fmt: skip
    with pytest.raises(SystemExit):
        generate.gather_attacks([], [], [tmp_path / "none"], tmp_path / "a", tmp_path / "b", pipeline_run="run")
    assert "left no usable summary" in capsys.readouterr().out


def test_a_held_out_strategy_is_attacked_with_beside_the_default():
    seen, unseen = generate.split_strategies("en", ["emoji_words", "leet_sub", "ko_yamin", "gone"])
    assert [strategy.name for strategy in unseen] == ["emoji_words", "leet_sub"]
    assert all(strategy.by_default for strategy in seen)


def test_a_selection_is_attacked_with_alone():
    seen, unseen = generate.split_strategies("en", ["leet_sub", "space_join"], Selection(("leet_sub",), ("emoji",)))
    assert [strategy.name for strategy in seen] == ["emoji_between", "emoji_letters", "emoji_words"]
    assert [strategy.name for strategy in unseen] == ["leet_sub"]
    assert generate.split_strategies("en", ["leet_sub"], Selection(("leet_sub",)))[0] == []


def test_nothing_left_to_train_on_is_refused():
    with pytest.raises(InputError, match="nothing is left to train on"):
        generate.split_strategies("en", [strategy.name for strategy in strategies.select("en")])


@pytest.mark.parametrize("wrong", [{"shard": 2, "n_shards": 2}, {"n_shards": 0}])
def test_numbers_that_cannot_be_are_refused(corpus_path, tmp_path, wrong, capsys):
    paths = (tmp_path / "a", tmp_path / "b", tmp_path / "c")
    with pytest.raises(SystemExit) as refused:
        generate.generate_attacks(corpus_path, *paths, victim="champion", lang="en", pipeline_run="run", **wrong)
    assert refused.value.code == 2
    assert "error" in capsys.readouterr().out
