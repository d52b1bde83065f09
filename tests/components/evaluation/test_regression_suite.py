"""What got past in one comparison is replayed in the next."""

import mlflow
import pandas as pd

from content_arena.components.attack_generation import regressions
from content_arena.components.attack_generation.selection import Selection
from content_arena.components.evaluation.evaluate import evaluate_challenger
from content_arena.components.evaluation.settings import EvaluationSettings
from content_arena.components.registry import gates
from content_arena.components.registry.registry import Registry
from content_arena.components.shared.evaluations import evaluation_record
from content_arena.components.shared.mlflow_tracking.tracking import Tracking
from tests.components.evaluation.test_evaluate import corpus

FEW = Selection(("char_split", "char_typo", "leet_sub", "space_join"))


def test_the_next_comparison_replays_what_got_past_in_this_one(tmp_path, make_bundle):
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    champion, challenger = make_bundle("champion"), make_bundle("challenger", weights_seed=1)
    version = Registry(uri).register(champion, Tracking(uri, "one").run_id, generation=0).version
    found = []
    for run in ("one", "two"):
        path = tmp_path / f"{run}.json"
        evaluate_challenger(
            corpus(tmp_path / "corpus.parquet", n_texts=24), challenger.path, path,
            champion_version=str(version), lang="en",
            pipeline_run=run, budget=1, texts_per_label=6, seed=1, selection=FEW,
            settings=EvaluationSettings(latency_texts=1), tracking_uri=uri,
        )  # fmt: skip
        found.append(evaluation_record.read(path))
    first, second = found
    assert (first.regressions.n_attacks, first.regressions.n_runs) == (0, 0)
    assert first.champion.figures["evasion_regression"].rate is None
    kept = pd.concat([table for _, table in Tracking(uri, "three").earlier_regressions("en")])
    assert 0 < second.regressions.n_attacks <= len(kept)
    assert second.regressions.n_runs == 1
    # The suite is what got past one of the two; they have not changed since.
    evasions = [model.figures["evasion_regression"] for model in (second.champion, second.challenger)]
    assert {rate.n for rate in evasions} == {second.regressions.n_attacks}
    assert max(rate.rate for rate in evasions) > 0.5
    logged = mlflow.MlflowClient(uri).get_run(Tracking(uri, "two").run_id).data.params
    assert logged["evaluate_challenger.regression_suite"] == second.regressions.described
    assert not list(Tracking(uri, "two").earlier_regressions("ko"))
    assert regressions.assemble(Tracking(uri, "two").earlier_regressions("en")).sha256 == second.regressions.sha256


def test_a_setting_makes_a_gate_of_it():
    assert "evasion_regression" not in {gate.metric for gate in gates.DEFAULT_GATES}
    (gate,) = (gate for gate in gates.gates_from({"evasion_regression": 0.05}) if gate.metric == "evasion_regression")
    assert gate.rule == "at most champion + 0.05"
