"""Tables of an older schema are upgraded as they are read, so that a new column does not exclude earlier battles.

``fixtures/labelled_attacks_version_0.parquet`` was written before files stated a version. It holds 84 labelled attacks
of a battle on the embedded English corpus, 28 of them waiting for a review.
"""

from pathlib import Path

import pandas as pd
import pandera.pandas as pa
import pyarrow
import pyarrow.parquet as parquet
import pytest
from pandera.typing import Series

from content_arena.components.corpus_preparation.prepare import prepare
from content_arena.components.qlora_training import dataset
from content_arena.components.shared import records
from content_arena.components.shared.errors import InputError
from content_arena.components.shared.mlflow_tracking.tracking import Tracking

VERSION_0 = Path(__file__).parent / "fixtures" / "labelled_attacks_version_0.parquet"


class WithReviewer(records.LabelledAttack):
    """The schema after a column was added."""

    reviewer: Series[str] = pa.Field(nullable=True)

    @classmethod
    def upgrades(cls):
        return (*super().upgrades(), lambda table: table.assign(reviewer="none yet"))


WithReviewer.__name__ = "LabelledAttack"


def stated(path):
    return parquet.read_schema(path).metadata.get(records.SCHEMA_KEY)


@pytest.fixture
def one_column_more(monkeypatch):
    monkeypatch.setattr(records, "LabelledAttack", WithReviewer)


def test_a_file_without_a_version_is_of_version_0():
    assert stated(VERSION_0) is None
    assert len(records.read(records.LabelledAttack, VERSION_0)) == 84


def test_a_file_states_its_schema_and_version(tmp_path):
    records.write(records.LabelledAttack, records.read(records.LabelledAttack, VERSION_0), tmp_path / "now")
    assert stated(tmp_path / "now") == f"LabelledAttack/{records.LabelledAttack.version()}".encode()
    assert stated(tmp_path / "now").startswith(b"LabelledAttack/")


def test_an_older_table_gets_the_column_that_it_lacks(tmp_path):
    old = records.read(records.LabelledAttack, VERSION_0)
    new = records.read(WithReviewer, VERSION_0)
    assert set(new["reviewer"]) == {"none yet"}
    pd.testing.assert_frame_equal(new.drop(columns="reviewer"), old)
    records.write(WithReviewer, new.assign(reviewer="ann"), tmp_path / "new")
    assert set(records.read(WithReviewer, tmp_path / "new")["reviewer"]) == {"ann"}


def test_every_upgrade_from_the_files_version_on_is_made_in_order(tmp_path):
    class Later(WithReviewer):
        verdict: Series[str]

        @classmethod
        def upgrades(cls):
            return (*super().upgrades(), lambda table: table.assign(verdict=table["reviewer"].str.upper()))

    Later.__name__ = "LabelledAttack"
    assert set(records.read(Later, VERSION_0)["verdict"]) == {"NONE YET"}
    records.write(WithReviewer, records.read(WithReviewer, VERSION_0).assign(reviewer="ann"), tmp_path / "between")
    assert set(records.read(Later, tmp_path / "between")["verdict"]) == {"ANN"}


def test_attacks_from_before_a_meaning_was_measured_have_none(tmp_path):
    """Their labels had votes already, or not: version 1 or 0."""
    now = records.read(records.LabelledAttack, VERSION_0)
    assert now["meaning"].isna().all()
    for name, version, votes in (("LabelledAttack", 1, ['{"gold": 1.0}']), ("Attack", 0, [])):
        schema = getattr(records, name)
        lacks = {"meaning"} | (set() if votes else set(now) - set(records.Attack.to_schema().columns))
        old = (now.assign(votes=votes[0]) if votes else now).drop(columns=list(lacks))
        content = pyarrow.Table.from_pandas(old, preserve_index=False)
        stated_before = {records.SCHEMA_KEY: f"{name}/{version}".encode()}
        parquet.write_table(content.replace_schema_metadata(stated_before), tmp_path / name)
        found = records.read(schema, tmp_path / name)
        assert found["meaning"].isna().all()
        assert not votes or set(found["votes"]) == set(votes)


def test_a_corpus_with_one_string_of_categories_gets_lists(tmp_path):
    row = {"sample_id": "a", "base_id": "a", "text": "words", "label": "toxic", "lang": "en", "source": "test"}
    rows = [{**row, "category": "insult+threat"}, {**row, "sample_id": "b", "category": None}]
    old = pd.DataFrame(rows).assign(target_ident=None, split="train")
    old.to_parquet(tmp_path / "old")
    new = records.read(records.Sample, tmp_path / "old")
    assert new["categories"].tolist() == [["insult", "threat"], []]
    assert "category" not in new
    assert records.corpus_digest(new) == records.corpus_digest(old)


def test_a_newer_table_is_refused_with_both_versions(tmp_path):
    records.write(WithReviewer, records.read(WithReviewer, VERSION_0), tmp_path / "newer")
    known = records.LabelledAttack.version()
    with pytest.raises(InputError, match=rf"version {known + 1}, this release reads versions up to {known}"):
        records.read(records.LabelledAttack, tmp_path / "newer")


def test_a_table_of_another_schema_is_refused_by_name(tmp_path):
    records.write(records.LabelledAttack, records.read(records.LabelledAttack, VERSION_0), tmp_path / "labelled")
    with pytest.raises(InputError, match=r"LabelledAttack.*wanted Attack"):
        records.read(records.Attack, tmp_path / "labelled")


def test_a_damaged_file_is_refused(tmp_path):
    (tmp_path / "cut").write_bytes(VERSION_0.read_bytes()[:1000])
    with pytest.raises(InputError, match="no whole Parquet file"):
        records.read(records.LabelledAttack, tmp_path / "cut")


def test_battles_from_before_a_column_was_added_are_trained_on(tmp_path, one_column_more):
    corpus = tmp_path / "corpus.parquet"
    prepare("embedded", "en", corpus)
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    earlier = Tracking(uri, "fought before the column was added")
    earlier.log_labelled("en", records.read(records.LabelledAttack, VERSION_0))
    (folder,) = tmp_path.rglob("labelled_attacks")
    (folder / "labelled.parquet").write_bytes(VERSION_0.read_bytes())
    today = Tracking(uri, "today")
    battles = today.earlier_labelled("en")
    assert [set(battle["reviewer"]) for battle in battles] == [{"none yet"}]
    samples = records.read(records.Sample, corpus)
    alone = dataset.training_table(samples, [], ())
    assert len(dataset.training_table(samples, battles, ())) - len(alone) > 20
