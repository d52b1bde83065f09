"""The registry follows the traffic, on a real MLflow database."""

import pytest

from content_arena.components.registry import gates
from content_arena.components.registry.registry import Registry
from content_arena.components.registry.sync import RegistrySync
from content_arena.components.registry.verdict import RecordedVerdict
from content_arena.components.shared.errors import InputError, RegistryError

CHAMPION, PREVIOUS, CHALLENGER = Registry.CHAMPION, Registry.PREVIOUS, Registry.CHALLENGER


@pytest.fixture
def sync(registry, register):
    """Three versions: the first serves, the second is the challenger."""
    for seed in range(3):
        register(seed)
    registry.promote(1, None)
    registry.set_alias(CHALLENGER, 2)
    return RegistrySync(registry, "arena/filter")


def aliases(registry):
    return {alias: registry.version_of(alias) for alias in Registry.ALIASES if registry.version_of(alias)}


def test_what_serves_is_the_champion_and_what_served_the_previous(registry, sync):
    assert not sync.is_champion("2")
    for _ in range(2):
        sync.promote("2", "1")
        assert aliases(registry) == {CHAMPION: 2, PREVIOUS: 1}
        assert sync.is_champion("2")


def test_what_the_gates_measured_is_read(registry, sync):
    assert sync.gate_figures("2") == {}
    judged = gates.judge({"evasion": 0.3}, {"evasion": 0.2}, gates.gates_from())
    registry.record_verdict(2, RecordedVerdict(champion=1, gates=tuple(judged)))
    assert sync.gate_figures("2")["evasion"] == (0.2, 0.3)
    assert sync.gate_figures("2")["clean_f1"] == (None, None)


@pytest.mark.parametrize("call", range(7))
def test_a_promotion_that_was_killed_is_finished_by_the_next(registry, sync, monkeypatch, call):
    """Killed at each call that writes."""
    calls = []

    class Dead(BaseException):
        pass

    def dying(name):
        function = getattr(registry.client, name)

        def run(*arguments, **options):
            calls.append(name)
            if len(calls) == call + 1:
                raise Dead
            return function(*arguments, **options)

        return run

    with monkeypatch.context() as patched:
        for name in ("set_model_version_tag", "set_registered_model_alias", "delete_registered_model_alias"):
            patched.setattr(registry.client, name, dying(name))
        try:
            sync.promote("2", "1")
        except Dead:
            assert registry.version_of(CHAMPION) in (1, 2)
    sync.promote("2", "1")
    assert aliases(registry) == {CHAMPION: 2, PREVIOUS: 1}
    assert sync.is_champion("2")


def test_a_champion_that_somebody_made_meanwhile_is_not_overwritten(registry, sync):
    registry.promote(3, 1)
    with pytest.raises(RegistryError, match="the champion is version 3"):
        sync.promote("2", "1")
    assert registry.version_of(CHAMPION) == 3


def test_a_rejected_version_is_refused_unless_a_person_overrides(registry, sync):
    sync.check("2", "1")
    sync.reject("2", "1", "r1", "failed at 25 %: p95")
    assert sync.is_rejected("2", "r1")
    assert registry.get(2).tags["rejected"] == "failed at 25 %: p95"
    with pytest.raises(InputError, match=r"was rejected \(failed at 25 %: p95\): --reason REASON"):
        sync.check("2", "1")
    sync.check("2", "1", override="the node was sick", dry_run=True)
    assert "override_reason" not in registry.get(2).tags
    sync.check("2", "1", override="the node was sick")
    assert registry.get(2).tags["override_reason"] == "the node was sick"
    assert not sync.is_rejected("2", "r2"), "the second rollout has not rejected it yet"
    sync.promote("2", "1")
    assert not {"rejected", "rejected_by_rollout"} & set(registry.get(2).tags)


def test_failed_gates_are_refused_unless_a_person_overrides(registry, sync):
    registry.record_verdict(2, RecordedVerdict(champion=1, gates=tuple(gates.judge({}, {}))))
    with pytest.raises(InputError, match="failed its gates"):
        sync.check("2", "1")
    sync.check("2", "1", override="the gates are wrong")


def test_a_registry_ahead_of_a_rollback_steps_back(registry, sync):
    registry.promote(2, 1)
    for _ in range(2):
        sync.reject("2", "1", "r1", "slow")
        assert aliases(registry) == {CHAMPION: 1}
        assert sync.is_rejected("2", "r1")


def test_a_registry_that_disagrees_about_what_serves_is_refused(registry, sync):
    registry.promote(3, 1)
    with pytest.raises(InputError, match="version 1 serves, and the registry's champion is 3: roll out 3 first"):
        sync.check("2", "1")


@pytest.mark.parametrize("champion", [2, 3, None])
def test_aliases_are_reconciled_with_what_serves(registry, sync, champion):
    if champion:
        registry.promote(champion, 1)
        before = aliases(registry)
        (line,) = sync.reconcile("1")
        assert f"version 1 serves, and the champion is {champion}, which stays so" in line
        assert aliases(registry) == before, "another service may serve it, or a person made it the champion"
    else:
        registry.client.delete_registered_model_alias("content-filter", CHAMPION)
    done = sync.reconcile("1", adopts=True)
    assert f"alias champion was {champion or 'not set'}, is 1, which serves" in done
    assert registry.version_of(CHAMPION) == 1
    assert sync.is_champion("1")
    assert sync.reconcile("1") == []


def test_an_undo_makes_the_version_before_the_champion_and_rejects_the_other(registry, sync):
    sync.promote("2", "1")
    registry.reject(1, "old")
    assert not sync.is_undone("2", "r3")
    for _ in range(2):
        sync.undo("1", "2", "r3", "complaints")
        assert aliases(registry) == {CHAMPION: 1}
        assert sync.is_undone("2", "r3")
    assert (registry.get(2).tags["rejected"], registry.get(1).rejection) == ("complaints", None)


def test_two_services_on_one_registry_do_not_demote_each_other(registry, sync):
    other = RegistrySync(registry, "arena/other")
    sync.promote("2", "1")
    assert "version 1 serves, and the champion is 2" in other.reconcile("1")[0]
    other.check("2", "1")
    other.reject("2", "1", "r2", "slow there")
    assert other.is_rejected("2", "r2")
    assert aliases(registry) == {CHAMPION: 2, PREVIOUS: 1}
    with pytest.raises(RegistryError, match="the champion is version 2"):
        other.promote("3", "1")
    assert sync.reconcile("2") == []


def test_an_undo_of_one_service_does_not_demote_the_champion_of_another(registry, sync):
    """Both rolled out version 2, and one of them takes it back."""
    other = RegistrySync(registry, "arena/other")
    sync.promote("2", "1")
    for _ in range(2):
        other.promote("2", "1")
    for _ in range(2):
        sync.undo("1", "2", "r3", "complaints")
        assert sync.is_undone("2", "r3")
    assert aliases(registry) == {CHAMPION: 2, PREVIOUS: 1}
    other.undo("1", "2", "r4", "complaints here too")
    assert aliases(registry) == {CHAMPION: 1}


def test_a_version_that_the_registry_does_not_have_is_said(sync):
    with pytest.raises(RegistryError, match="no version 9"):
        sync.reconcile("9")
    with pytest.raises(RegistryError, match="called 'latest'"):
        sync.is_champion("latest")
