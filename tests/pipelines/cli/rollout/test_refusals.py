"""What ``arena rollout`` refuses: every command, with one line that says why."""

import pytest

from content_arena.components.shared.mlflow_tracking.tracking import Tracking
from tests.components.canary_rollout.stand_in.served import NAMESPACE, SERVICE
from tests.pipelines.cli.rollout.commands import EVERY, START, WHERE, is_refused, rollout


@pytest.mark.parametrize("command", EVERY)
def test_no_cluster_is_configured(command):
    is_refused(rollout(*EVERY[command]), "no cluster is configured", "KUBECONFIG")


@pytest.mark.parametrize("content", [None, "", "no: kubeconfig", "{", "\x00"])
def test_a_kubeconfig_that_can_not_be_read(content, tmp_path, monkeypatch):
    path = tmp_path / "config"
    if content is not None:
        path.write_text(content)
    monkeypatch.setenv("KUBECONFIG", str(path))
    is_refused(rollout(*EVERY["status"]), "no cluster is configured")


def test_a_context_that_does_not_exist(cluster):
    is_refused(rollout(*EVERY["status"], "--context", "nowhere"), "there is no context nowhere in", "there is here")


@pytest.mark.parametrize("command", EVERY)
def test_a_service_that_does_not_exist(command, cluster):
    arguments = ["nothing" if argument == SERVICE else argument for argument in EVERY[command]]
    is_refused(rollout(*arguments), f"namespace {NAMESPACE} has no InferenceService nothing")


@pytest.mark.parametrize("command", EVERY)
def test_a_service_without_the_right_to_read_it(command, cluster):
    cluster.forbidden.add("inferenceservices")
    is_refused(rollout(*EVERY[command]), 'User "me" cannot get resource "inferenceservices"')


def test_a_lease_without_the_right_to_take_it(cluster):
    cluster.forbidden.add("leases")
    is_refused(rollout(*START), 'resource "leases"')
    assert cluster.state is None


@pytest.mark.parametrize("command", EVERY)
def test_a_state_that_can_not_be_read(command, cluster):
    cluster.store_state('{"schema":1,"phase":')
    is_refused(rollout(*EVERY[command]), "the rollout's state can not be read")


@pytest.mark.parametrize("command", sorted(set(EVERY) - {"start", "reconcile", "status", "undo"}))
def test_a_service_without_a_rollout(command, cluster):
    is_refused(rollout(*EVERY[command]), "has had no rollout", "arena rollout start")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--plan", "0,50,20"], ["steps have to rise"]),
        (["--plan", "10,50"], ["steps go from 0"]),
        (["--plan", "0"], ["steps go from 0"]),
        (["--plan", "a bit"], ["--plan is 'a bit'"]),
        (["--approve-before", "30"], ["approvals are set for [30]"]),
        (["--bake", "20000"], ["the deadline is"]),
        (["--limit", "charm=1"], ["no limit 'charm'", "p95_seconds"]),
        (["--limit", "p95_seconds=slow"], ["limit p95_seconds is 'slow'"]),
        (["--limit", "p95_seconds=nan"], ["limit p95_seconds is 'nan'"]),
        (["--prometheus", "prometheus:9090"], ["is not the address of a Prometheus"]),
        (["--prometheus", "http://[prometheus"], ["is not the address of a Prometheus"]),
        (["--probe-corpus", "nowhere.parquet"], ["there is no corpus nowhere.parquet"]),
        (["--storage-uri", "s3://models/content-filter/1"], ["serves already"]),
    ],
)
def test_invalid_options_of_a_start_change_nothing(options, words, cluster):
    is_refused(rollout(*START, *options), *words)
    assert cluster.api.writes == 0


@pytest.mark.parametrize("limit", ["error_rate=-4", "latency=3", "p99_seconds=fast"])
def test_an_invalid_bound_is_refused_by_a_dry_run_too(limit, cluster):
    is_refused(rollout(*START, "--dry-run", "--limit", limit), limit.partition("=")[0])
    is_refused(rollout(*START, "--dry-run", "--probe-corpus", "/nope"), "/nope")


def test_a_second_start_is_refused_and_names_the_command_that_watches_the_first(cluster):
    rollout(*START)
    is_refused(rollout(*START), "a rollout of version 2 is under way", "arena rollout watch")


def test_a_version_that_was_never_published(cluster, registry, make_bundle):
    run_id = Tracking(registry.uri, "run").run_id
    version = registry.register(make_bundle("b1", weights_seed=1), run_id).version
    start = ["start", version, *WHERE]
    is_refused(rollout(*start), f"version {version} was never published", "--storage-uri")
    is_refused(rollout("start", "99", *WHERE), "99")


def test_no_registry_needs_an_address_and_a_missing_registry_is_an_error(cluster):
    is_refused(rollout("start", "2", *WHERE, "--no-registry"), "--no-registry needs --storage-uri")
    is_refused(rollout("start", "2", *WHERE), "there is no registry")
