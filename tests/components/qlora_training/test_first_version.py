"""The first version becomes champion if it reaches the floors. If not, nothing serves. The next run starts anew."""

import itertools

import pandas as pd
import pytest

from content_arena.components.qlora_training import first_version
from content_arena.components.registry.floors import DEFAULT_FLOORS, floors_from
from content_arena.components.registry.registry import Registry
from content_arena.components.shared.errors import RegistryError
from content_arena.components.shared.mlflow_tracking.tracking import Tracking

TOXIC = ["you are an idiot", "they are scum", "i hate you", "the moron", "my stupid friend", "trash"]
BENIGN = ["have a nice day", "the weather is warm", "read the book", "thank you", "good music today", "my garden"]


def corpus(toxic=TOXIC, benign=BENIGN, guard=()):
    texts = [(text, "toxic", "test") for text in toxic] + [(text, "benign", "test") for text in benign]
    rows = [*texts, ("never looked at", "toxic", "train"), *((text, label, "guard") for text, label in guard)]
    table = pd.DataFrame(rows, columns=["text", "label", "split"])
    ids = [str(index) for index in table.index]
    table["categories"] = [[] for _ in ids]
    return table.assign(sample_id=ids, base_id=ids, lang="en", target_ident=None, source="elsewhere.csv")


@pytest.fixture
def registry(tmp_path):
    return Registry(f"sqlite:///{tmp_path / 'mlflow.db'}")


@pytest.fixture
def admitted(registry, make_bundle):
    """Judges a bundle on a corpus and registers it, as the stage does; returns version and verdict."""
    names = itertools.count()

    def admitted(texts, floors=DEFAULT_FLOORS, seed=0):
        bundle = make_bundle(f"bundle{next(names)}", weights_seed=seed)
        judged = first_version.judge(bundle, texts, floors)
        version = registry.register(bundle, Tracking(registry.uri, "run").run_id, generation=0).version
        first_version.admit(registry, version, judged)
        return version, judged.verdict(version)

    return admitted


def test_a_good_first_version_is_champion_and_its_figures_and_floors_are_kept(registry, admitted):
    version, verdict = admitted(corpus())
    assert (verdict.passed, verdict.promoted, verdict.champion_version) == (True, True, None)
    assert registry.version_of("champion") == version
    kept = registry.get(version)
    assert kept.metrics["clean_f1"] > 0.9
    assert kept.metrics["clean_auroc"] > 0.9
    assert "guard_auroc" not in kept.metrics
    recorded = registry.verdict(version)
    assert (recorded.champion, recorded.gates, recorded.guard) == (None, (), None)
    assert recorded.floors == verdict.floors
    assert all(floor.passed for floor in recorded.floors)


def test_one_below_a_floor_gets_no_alias_and_says_why(registry, admitted):
    """Its labels have nothing to do with its texts, and most of them are toxic: F1 is high, AUROC is not."""
    version, verdict = admitted(corpus(toxic=[*TOXIC, *BENIGN[:4]], benign=["idiot", *BENIGN[4:]]), seed=1)
    assert (verdict.passed, verdict.promoted) == (False, False)
    assert "clean_auroc" in {floor.metric for floor in verdict.floors if not floor.passed}
    assert registry.aliases() == {}
    assert "below the floor" in registry.get(version).rejection
    assert "check that the labels are right" in registry.get(version).rejection
    assert registry.verdict(version).failures == list(verdict.reasons)
    with pytest.raises(RegistryError, match=r"the registry has no champion \(version 1 was refused: clean_"):
        registry.resolve("champion")


def test_after_a_refusal_a_better_one_becomes_champion(registry, admitted):
    refused, _ = admitted(corpus(toxic=BENIGN, benign=TOXIC), seed=1)
    version, verdict = admitted(corpus(), seed=2)
    assert verdict.promoted
    assert registry.version_of("champion") == version != refused
    assert registry.predecessor(version) is None


def test_the_same_version_passes_once_the_floors_are_lower(registry, admitted):
    wrong = corpus(toxic=BENIGN, benign=TOXIC)
    refused, _ = admitted(wrong)
    version, verdict = admitted(wrong, floors_from({"clean_f1": 0, "clean_auroc": 0}))
    assert version == refused
    assert verdict.promoted
    assert registry.get(version).rejection is None


def test_a_test_split_of_one_class_is_below_a_floor(admitted):
    _, verdict = admitted(corpus(benign=[]))
    (auroc,) = (floor for floor in verdict.floors if floor.metric == "clean_auroc")
    assert (auroc.passed, auroc.value) == (False, None)


def test_it_is_measured_on_the_guard_set_too(registry, admitted):
    version, verdict = admitted(corpus(guard=[("you scum", "toxic"), ("nice bread", "benign")]))
    assert (verdict.guard.name, verdict.guard.n_texts, verdict.guard.n_toxic) == ("elsewhere.csv", 2, 1)
    assert registry.get(version).metrics["guard_auroc"] == 1.0
