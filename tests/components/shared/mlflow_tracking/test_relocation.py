"""A tracking database in a folder that is moved, copied, or has a name that is awkward in a URL."""

import shutil
import sqlite3

import pandas as pd
import pytest

from content_arena.components.registry.registry import Registry
from content_arena.components.shared.errors import InputError
from content_arena.components.shared.mlflow_tracking import database, relocation
from content_arena.components.shared.mlflow_tracking.tracking import EXPERIMENT, Tracking
from tests.tiny_bundle import make_tiny_bundle

AWKWARD = ["100%", "20%20done", "what?", "a#b", "sp ace", "ü", "a&b=c;d", "q'uote", "file:x", "a?uri=true"]


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A home with a registered champion and a file of a run; not to be changed."""
    home = tmp_path_factory.mktemp("original") / "home"
    uri = database.uri_of(home / "mlflow.db")
    tracking, registry = Tracking(uri, "run"), Registry(uri)
    bundle = make_tiny_bundle(home.parent / "bundle")
    registry.promote(registry.register(bundle, tracking.run_id).version, None)
    (home / "note.txt").write_text("of the first run")
    tracking.client.log_artifact(tracking.run_id, str(home / "note.txt"))
    return home


def copy_of(original, to):
    shutil.copytree(original, to)
    return database.uri_of(to / "mlflow.db")


def addresses(home):
    with sqlite3.connect(home / "mlflow.db") as connection:
        found = connection.execute("SELECT artifact_location FROM experiments WHERE name = ?", (EXPERIMENT,)).fetchall()
        for table, column in relocation._COLUMNS:
            found += connection.execute(f"SELECT {column} FROM {table}").fetchall()
    return [address for (address,) in found]


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_a_copy_stands_alone(original, tmp_path):
    before = files(original), addresses(original)
    copy = tmp_path / "copy"
    uri = copy_of(original, copy)
    tracking, registry = Tracking(uri, "run in the copy"), Registry(uri)
    assert registry.download(1).is_relative_to(copy)
    (tmp_path / "new.txt").write_text("new")
    tracking.client.log_artifact(tracking.run_id, str(tmp_path / "new.txt"))
    second = registry.register(make_tiny_bundle(tmp_path / "second", weights_seed=2), tracking.run_id)
    assert registry.download(second.version).is_relative_to(copy)
    assert (files(original), addresses(original)) == before


def test_a_moved_home_works_as_before(original, tmp_path):
    old, new = tmp_path / "old", tmp_path / "deeper" / "new"
    uri = copy_of(original, old)
    Registry(uri)
    new.parent.mkdir()
    old.rename(new)
    assert relocation.follow(new / "mlflow.db", EXPERIMENT) > 0
    assert not [address for address in addresses(new) if str(old) in address]
    registry = Registry(database.uri_of(new / "mlflow.db"))
    assert registry.download(1).is_relative_to(new)
    assert relocation.follow(new / "mlflow.db", EXPERIMENT) == 0


@pytest.mark.parametrize("name", AWKWARD)
def test_any_name_of_a_folder(original, tmp_path, name):
    parent = tmp_path / "parent"
    parent.mkdir()
    uri = copy_of(original, parent / name)
    registry = Registry(uri)
    registry.set_alias(Registry.CHALLENGER, 1)
    assert registry.download(1).is_relative_to(parent / name)
    assert [path.name for path in parent.iterdir()] == [name], "no second folder with a part of the name"


def test_a_new_database_in_a_folder_with_an_awkward_name(tmp_path):
    home = tmp_path / "50%3F?" / "home"
    uri = database.uri_of(home / "mlflow.db")
    run_id = Tracking(uri, "run").run_id
    assert Tracking(uri, "run").run_id == run_id
    assert [path.name for path in tmp_path.iterdir()] == ["50%3F?"]


def test_options_of_an_address_are_no_part_of_the_path(original, tmp_path):
    uri = copy_of(original, tmp_path / "copy") + "?timeout=30"
    assert database.path_of(uri) == tmp_path / "copy" / "mlflow.db"
    assert Registry(uri).download(1).is_relative_to(tmp_path / "copy")
    Tracking(f"sqlite:///{tmp_path / 'new.db'}?timeout=30", "run")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy", "new.db"]


def test_artifacts_that_were_put_elsewhere_on_purpose_stay_there(original, tmp_path):
    uri = copy_of(original, tmp_path / "copy")
    shutil.rmtree(tmp_path / "copy" / relocation.ARTIFACTS)
    assert Registry(uri).download(1).is_relative_to(original)


def test_a_copy_that_an_earlier_release_ran_in_keeps_what_it_wrote_into_the_original(original, tmp_path):
    first, copy = tmp_path / "first", tmp_path / "copy"
    uri = copy_of(original, first)
    shutil.copytree(first, copy)
    tracking = Tracking(uri, "later")
    (tmp_path / "new.txt").write_text("new")
    tracking.client.log_artifact(tracking.run_id, str(tmp_path / "new.txt"))
    shutil.copyfile(first / "mlflow.db", copy / "mlflow.db")
    relocation.follow(copy / "mlflow.db", EXPERIMENT)
    elsewhere = [address for address in addresses(copy) if str(first) in address]
    assert elsewhere == [f"{(first / relocation.ARTIFACTS).as_uri()}/{tracking.run_id}/artifacts"]


def test_a_copy_that_was_used_before_it_was_complete_stands_alone_once_it_is(original, tmp_path):
    first, copy = tmp_path / "first", tmp_path / "copy"
    Registry(copy_of(original, first))
    uri = copy_of(first, copy)
    (model,) = (copy / relocation.ARTIFACTS / "models").iterdir()
    late = model.rename(tmp_path / "not yet copied")
    assert Registry(uri).download(1).is_relative_to(first)
    assert relocation.follow(copy / "mlflow.db", EXPERIMENT) == 0
    late.rename(model)
    shutil.rmtree(first)
    assert Registry(uri).download(1).is_relative_to(copy)
    assert not [address for address in addresses(copy) if str(first) in address]
    assert relocation.follow(copy / "mlflow.db", EXPERIMENT) == 0


def test_two_names_of_one_folder_are_no_move(original, tmp_path):
    uri = copy_of(original, tmp_path / "home")
    Registry(uri)
    (tmp_path / "link").symlink_to(tmp_path / "home")
    before = addresses(tmp_path / "home")
    assert relocation.follow(tmp_path / "link" / "mlflow.db", EXPERIMENT) == 0
    assert addresses(tmp_path / "home") == before


def test_a_file_that_is_no_database_is_named(tmp_path):
    path = tmp_path / "mlflow.db"
    path.write_bytes(b"no database" * 100)
    with pytest.raises(InputError, match=r"mlflow\.db cannot be used: file is not a database"):
        Registry(database.uri_of(path))


def test_whoever_only_reads_changes_nothing(original, tmp_path):
    uri = copy_of(original, tmp_path / "copy")
    before = addresses(tmp_path / "copy")
    assert Registry(uri, follow_moves=False).version_of("champion") == 1
    assert addresses(tmp_path / "copy") == before


def test_labelled_attacks_of_earlier_runs_are_found_after_a_move(original, tmp_path):
    from tests.components.shared.mlflow_tracking.test_tracking import labelled

    first = tmp_path / "first"
    uri = copy_of(original, first)
    Tracking(uri, "one").log_labelled("en", labelled("a text"))
    first.rename(tmp_path / "second")
    (table,) = Tracking(database.uri_of(tmp_path / "second" / "mlflow.db"), "two").earlier_labelled("en")
    pd.testing.assert_series_equal(table["perturbed_text"], labelled("a text")["perturbed_text"])
