"""A new figure with a gate is a row in the table and a function: everything else reads these two."""

import io
import json

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from content_arena.components.evaluation import metrics, report
from content_arena.components.metrics_exporter.collector import families
from content_arena.components.metrics_exporter.snapshot import Snapshot
from content_arena.components.registry import gates
from content_arena.components.registry.verdict import PromotionVerdict
from content_arena.components.registry.version import RegisteredVersion
from content_arena.components.shared import figures
from content_arena.components.shared.errors import InputError
from content_arena.components.shared.evaluations.evaluation_record import Evaluation
from content_arena.components.shared.figures import Exported, Figure, GateRule
from content_arena.pipelines.cli import tables
from tests.evaluations import evaluation

BRIER = Figure(
    name="clean_brier", label="Clean Brier score", unit="score", better="lower", basis="texts", in_headline=True,
    gate=GateRule(margin=0.01), exported=Exported("model_brier_score", "Brier score on clean texts."),
)  # fmt: skip


@pytest.fixture(autouse=True)
def new_figure(monkeypatch):
    monkeypatch.setattr(figures, "FIGURES", (*figures.FIGURES, BRIER))
    monkeypatch.setitem(
        metrics.COMPUTE, "clean_brier", lambda measured: float(np.mean((measured.scores - measured.is_toxic) ** 2))
    )


def judged():
    """A challenger that is worse by more than the margin, and the gates' results."""
    read = Evaluation.from_json(evaluation({"clean_brier": 0.1}, {"clean_brier": 0.2}))
    results = gates.judge(read.champion.figures, read.challenger.figures, gates.gates_from())
    return read, results


def test_it_is_computed():
    nothing = pd.DataFrame(columns=["label_gold", "status", "readable", "base_id", "strategy", "original_text",
                                    "perturbed_text", "score_after", "threshold"])  # fmt: skip
    nothing = nothing.astype({"readable": bool, "score_after": float, "threshold": float})
    columns = ["base_id", "strategy", "label", "readable", "score_before", "score_after"]
    no_attempts = pd.DataFrame(columns=columns).astype({"readable": bool, "score_after": float})
    scores, is_toxic = np.array([1.0, 0.5], np.float32), np.array([True, False])
    found = metrics.compute(
        metrics.Measurements(
            scores=scores, is_toxic=is_toxic, threshold=0.5, attacks=nothing, attempts=no_attempts, latencies_ms=[1.0]
        )
    )
    assert found["clean_brier"] == pytest.approx(0.125)


def test_it_is_in_the_document_and_the_headline():
    read, _ = judged()
    assert read.as_json()["challenger"]["clean_brier"] == 0.2
    assert read.challenger.headline()["clean_brier"] == 0.2
    without = evaluation()
    del without["challenger"]["clean_brier"]
    with pytest.raises(InputError, match="clean_brier"):
        Evaluation.from_json(without)


def test_it_is_gated_and_its_margin_is_a_setting():
    _, results = judged()
    assert [result.gate for result in results if not result.passed] == ["clean_brier"]
    (gate,) = (gate for gate in gates.gates_from({"clean_brier": 0.2}) if gate.metric == "clean_brier")
    assert gate.rule == "at most champion + 0.2"


def test_it_is_in_the_report_with_its_gate():
    read, results = judged()
    verdict = PromotionVerdict(
        passed=False, promoted=False, champion_version="1", challenger_version="2", generation=1, reasons=(),
        gates=tuple(results), margins={}, seconds={},
    )  # fmt: skip
    page = report.render(read, verdict)
    assert page.count("Clean Brier score") >= 2
    assert "has to be <bdi>at most champion + 0.01</bdi>" in page
    assert "+0.100, worse" in page


def test_it_is_exported_and_so_is_its_gate():
    _, results = judged()
    version = RegisteredVersion(2, "ab" * 32, 1, {"clean_brier": 0.2})
    found = {
        (sample.name, *sample.labels.values()): sample.value
        for family in families(Snapshot(aliases={"champion": version}, verdict=tuple(results)))
        for sample in family.samples
    }
    assert found["content_arena_model_brier_score", "champion", "2"] == 0.2
    assert found["content_arena_gate_passed", "clean_brier"] == 0


def test_it_is_in_the_tables_of_the_command_line():
    read, _ = judged()
    out = io.StringIO()
    console = Console(file=out, width=200)
    headlines = {name: model.headline() for name, model in read.models.items()}
    result = {"generation": 1, "champion_version": "1", "challenger_version": "2", "metrics": headlines,
              "held_out_strategies": [], "held_out_reason": "chosen by seed 0", "undone_strategies": [],
              "promoted": False, "reasons": [], "report": "r.html"}  # fmt: skip
    tables.print_run(console, json.loads(json.dumps(result)))
    console.print(tables.status_table({"champion": RegisteredVersion(2, "ab" * 32, 1, {"clean_brier": 0.2})}))
    assert out.getvalue().count("clean brier") == 2
    assert out.getvalue().count("20.0%") >= 2
