"""The registry on a real MLflow database with real bundles."""

import contextlib
import shutil

import mlflow
import pytest

from content_arena.components.registry import bundles_kept, gates
from content_arena.components.registry.registry import MODEL_NAME, Registry
from content_arena.components.registry.verdict import RecordedVerdict
from content_arena.components.shared.errors import RefusedError, RegistryError
from content_arena.components.shared.mlflow_tracking.tracking import Tracking
from content_arena.components.shared.scoring import bundle as bundles


def test_versions_and_generations_count_up_and_a_bundle_is_registered_once(registry, register, tiny_bundle, uri):
    assert [register(1), register(2)] == [1, 2]
    assert registry.get(2).generation == 1
    run_id = Tracking(uri, "run").run_id
    first = registry.register(tiny_bundle, run_id)
    assert registry.register(tiny_bundle, run_id) == first


@pytest.mark.parametrize("left", ["nothing", "no tag", "a part"])
def test_a_bundle_whose_files_were_removed_is_stored_again(registry, tiny_bundle, uri, left):
    run_id = Tracking(uri, "run").run_id
    first = registry.register(tiny_bundle, run_id)
    folder = registry.download(first.version)
    if left != "no tag":
        bundles_kept.mark_removed(registry, first.version)
    if left == "a part":
        next(path for path in folder.iterdir() if path.is_file()).unlink()
    else:
        shutil.rmtree(folder.parents[1])
    again = registry.register(tiny_bundle, run_id)
    assert again.version != first.version
    assert bundles.load(registry.download(again.version)).spec.digest == first.digest
    assert registry.register(tiny_bundle, run_id) == again


def test_a_registered_bundle_comes_back_whole(registry, register):
    version = register(1)
    assert bundles.load(registry.download(version)).spec.digest == registry.get(version).digest


def test_it_is_an_mlflow_model_without_pickle(registry, register):
    registry.promote(register(1), None)
    model = mlflow.pyfunc.load_model(f"models:/{MODEL_NAME}@champion")
    assert [row["is_toxic"] for row in model.predict(["you stupid idiot", "a nice day"])] == [True, False]
    folder = registry.download(1).parents[1]
    assert not [path for path in folder.rglob("*") if path.suffix in (".pkl", ".pickle", ".joblib")]


def test_promotion_moves_champion_and_previous_and_clears_challenger(registry, register):
    first, second = register(1), register(2)
    registry.promote(first, expected_champion=None)
    registry.set_alias(Registry.CHALLENGER, second)
    registry.promote(second, expected_champion=first)
    assert {alias: version.version for alias, version in registry.aliases().items()} == {"champion": 2, "previous": 1}


@pytest.mark.parametrize("expected", [None, 2])
def test_a_decision_against_another_champion_moves_nothing(registry, register, expected):
    first, second = register(1), register(2)
    registry.promote(first, None)
    with pytest.raises(RegistryError, match="run again"):
        registry.promote(second, expected_champion=expected)
    assert registry.version_of("champion") == first


def test_rollback_walks_back_through_history_and_then_says_no(registry, register):
    one, two, three = register(1), register(2), register(3)
    registry.promote(one, None)
    registry.promote(two, one)
    registry.promote(three, two)
    assert registry.rollback("too many complaints") == (three, two)
    assert registry.get(three).tags["rejected"] == "too many complaints"
    assert registry.version_of("previous") == one
    assert registry.rollback("still") == (two, one)
    with pytest.raises(RefusedError, match="nothing to roll back to"):
        registry.rollback("once more")
    assert registry.version_of("champion") == one


class Killed(BaseException):
    """Stands for the death of the process."""


@pytest.mark.parametrize("survived", range(8))
def test_a_process_killed_between_any_two_calls_leaves_one_champion(uri, registry, register, monkeypatch, survived):
    first, second = register(1), register(2)
    registry.promote(first, None)
    registry.set_alias(Registry.CHALLENGER, second)
    dying = Registry(uri)
    left = [survived]

    def mortal(call):
        def run(*args, **kwargs):
            if left[0] == 0:
                raise Killed
            left[0] -= 1
            return call(*args, **kwargs)

        return run

    for name in ("set_registered_model_alias", "delete_registered_model_alias", "set_model_version_tag"):
        monkeypatch.setattr(dying.client, name, mortal(getattr(dying.client, name)))
    with contextlib.suppress(Killed):
        dying.promote(second, first)
    champion = registry.version_of("champion")
    assert champion in (first, second)
    registry.promote(second, first)
    assert registry.version_of("champion") == second
    assert registry.rollback("after all that") == (second, first)


def test_verdicts_and_figures_are_kept(registry, register):
    version = register(1)
    results = gates.judge({"clean_f1": 0.8}, {"clean_f1": 0.9})
    registry.record_verdict(version, RecordedVerdict(champion=7, gates=tuple(results)))
    registry.record_metrics(version, {"clean_f1": 0.9, "evasion_seen": None})
    assert registry.verdict(version) == RecordedVerdict(champion=7, gates=tuple(results), margins={})
    margins = {gate.metric: gate.margin for gate in gates.gates_from({"clean_f1": 0.01})}
    registry.record_verdict(version, RecordedVerdict(champion=8, gates=tuple(results), margins=margins))
    margins = {gate.metric: gate.margin for gate in gates.DEFAULT_GATES} | {"clean_f1": 0.01}
    assert registry.verdict(version).margins == margins
    assert registry.get(version).metrics == {"clean_f1": 0.9}


@pytest.mark.parametrize("spec", ["champion", "17"])
def test_what_is_not_there_is_said(registry, spec):
    with pytest.raises(RegistryError, match=spec):
        registry.resolve(spec)
