"""The stage with a real registry, a real battle and a real corpus."""

import pandas as pd
import pytest

from content_arena.components.attack_generation import battle, strategies
from content_arena.components.registry import tags
from content_arena.components.registry.registry import Registry
from content_arena.components.retraining_policy.decide import decide_retraining
from content_arena.components.retraining_policy.policy import Policy
from content_arena.components.shared import records
from content_arena.components.shared.mlflow_tracking.tracking import Tracking
from content_arena.components.shared.scoring.filter import ContentFilter

RUN = "run"


@pytest.fixture
def uri(tmp_path):
    return f"sqlite:///{tmp_path / 'mlflow.db'}"


@pytest.fixture
def corpus(tmp_path):
    texts = [("you are a stupid idiot", "toxic"), ("have a nice day", "benign")]
    table = pd.DataFrame([
        {
            "sample_id": f"s{i}", "base_id": f"b{i}", "text": text, "label": label, "lang": "en", "categories": [],
            "target_ident": None, "source": "test", "split": "validation",
        }
        for i, (text, label) in enumerate(texts)
    ])  # fmt: skip
    records.write(records.Sample, table, tmp_path / "corpus.parquet")
    return table


@pytest.fixture
def decide(uri, tmp_path, corpus, tiny_bundle):
    fought = battle.fight(corpus, ContentFilter(tiny_bundle), strategies.select("en", ["homoglyph_swap"]))
    records.write(records.Attack, fought.attacks, tmp_path / "attacks.parquet")

    def decide(**policy):
        return decide_retraining(
            tmp_path / "corpus.parquet", tmp_path / "attacks.parquet", policy=Policy(**policy), pipeline_run=RUN,
            tracking_uri=uri,
        )  # fmt: skip

    return decide


def test_a_young_champion_of_this_corpus_with_low_evasion_stays(uri, corpus, decide, make_bundle):
    bundle = make_bundle("trained")
    registry, tracking = Registry(uri), Tracking(uri, RUN)
    registry.promote(registry.register(bundle, tracking.run_id).version, None)
    digest = records.corpus_digest(records.validate(records.Sample, corpus))
    registry.client.set_model_version_tag("content-filter", "1", tags.CORPUS_SHA256, digest)
    assert not decide().retrain
    registry.client.set_model_version_tag("content-filter", "1", tags.CORPUS_SHA256, "another")
    assert decide().reasons == ("the corpus has changed",)
    registry.client.set_model_version_tag("content-filter", "1", "promoted_at", "0")
    assert len(decide().reasons) == 2


def test_without_a_champion_everything_is_unknown(decide):
    assert len(decide().reasons) == 2
