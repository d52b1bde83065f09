"""Where texts are found that a person asks to forget."""

import pytest

from content_arena.components.corpus_versions import search
from content_arena.components.corpus_versions.places import FileCopy
from content_arena.components.shared import records
from content_arena.components.shared.mlflow_tracking.tracking import REGRESSIONS
from tests.components.attack_generation.test_regressions import attacks


@pytest.mark.parametrize(("folder", "is_trained_on"), [(REGRESSIONS, False), ("labelled_attacks", True)])
def test_attacks_of_a_regression_suite_are_found_and_not_taken_for_training_texts(tmp_path, folder, is_trained_on):
    path = tmp_path / "artifacts" / folder / "gather_attacks.parquet"
    records.write(records.Attack, attacks(3), path)
    (tmp_path / "elsewhere").mkdir()
    fetched = list(search.fetch([FileCopy("artifacts in MLflow", path, run_id="run")], tmp_path / "elsewhere"))
    hits = search.find("b1", fetched, {}, is_text=False)
    assert hits.forms == {"you idiot number 1"}
    assert hits.in_battles == ({"run": "en"} if is_trained_on else {})
