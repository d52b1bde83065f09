"""``arena rollout`` as a command, against a simulated API server over HTTP."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import fields
from pathlib import Path

import pytest

from content_arena.components.canary_rollout import launch
from content_arena.components.canary_rollout.plan.state import Stable, start
from content_arena.components.canary_rollout.settings import RolloutSettings
from content_arena.components.shared.errors import InputError
from content_arena.pipelines.cli.rollout import settings_option
from tests.components.canary_rollout.stand_in.served import NAMESPACE, SERVICE
from tests.pipelines.cli.rollout.commands import EVERY, RESUME, START, TWO, WHERE, answer, is_refused, rollout

# A rollout.


def test_a_dry_run_prints_the_plan_and_changes_nothing(cluster):
    result = rollout(*START, "--dry-run")
    assert result.exit_code == 0, result.output
    assert "accepts it" in result.stdout
    assert "Nothing was changed." in result.stdout
    assert cluster.api.writes == 0
    code, plan = answer(*START, "--dry-run")
    assert (code, plan["mode"], plan["stable_version"]) == (0, "Standard", "1")
    assert [patch["percent"] for patch in plan["patches"]][-1] == 100


def test_a_challenger_may_need_another_runtime(cluster, tmp_path):
    file = tmp_path / "arena.toml"
    file.write_text('[rollout]\nruntime = "next"\n')
    for given in (["--runtime", "next"], ["--settings", file]):
        code, plan = answer(*START, "--dry-run", *given)
        assert (code, plan["runtime"]) == (0, "next")
        models = [
            entry["predictor"]["model"]
            for patch in plan["patches"]
            for entry in patch["body"]["spec"].get("canary") or []
        ]
        assert {model["runtime"] for model in models} == {"next"}
    there = "content-arena, kserve-sklearnserver, next"
    for option in ([], ["--dry-run"]):
        is_refused(rollout(*START, "--runtime", "nxt", *option), "there is no ServingRuntime", there)
    assert (cluster.api.writes, cluster.state) == (0, None)
    cluster.forbidden.add("clusterservingruntimes")
    result = rollout(*START, "--dry-run", "--runtime", "nxt")
    assert (result.exit_code, "whether there is a runtime nxt can not be told" in result.stderr) == (0, True)
    # That of what serves is no other one.
    assert answer(*START, "--dry-run", "--runtime", "content-arena")[1]["runtime"] is None


@pytest.mark.parametrize("option", [[], ["--dry-run"]])
def test_an_older_kserve_is_refused_in_standard_mode_unless_its_version_is_given(option, cluster):
    cluster.api.storage_initializer = "kserve/storage-initializer:v0.20.0"
    is_refused(rollout(*START, *option), "KServe 0.20", "before 0.21", "Knative")
    assert (cluster.api.writes, cluster.state) == (0, None)
    cluster.api.storage_initializer = None
    is_refused(rollout(*START, *option), "of unknown version", "--kserve-version")
    assert rollout(*START, "--dry-run", "--kserve-version", "0.21").exit_code == 0


def test_a_challenger_that_crashes_is_rolled_back_and_the_page_names_the_cause(broken):
    result = rollout(*START)
    assert result.exit_code == 1, result.output
    assert "Version 2 is rolled back at 0 %: the challenger does not start" in result.stdout
    (line,) = [line for line in result.output.splitlines() if line.startswith("timeline: ")]
    page = Path(line.removeprefix("timeline: "))
    assert "the bundle is torn" in page.read_text()
    assert page.with_suffix(".jsonl").is_file()
    assert broken.api.world.hpas == {"filter-v1-predictor"}, "KServe would leave the autoscaler of version 2"
    code, shown = answer(*RESUME)
    assert (code, shown["phase"], shown["timeline"]) == (1, "rolled_back", str(page))


def test_a_rollout_that_waits_can_be_read_approved_aborted_and_resumed(cluster):
    code, left = answer(*START)
    assert (code, left["phase"], left["gate"]) == (3, "waiting", "measure-1")
    assert Path(left["timeline"]).is_file()

    code, seen = answer(*EVERY["status"])
    assert (code, seen["gate"], seen["share"], seen["holder"]) == (0, "measure-1", 0, None)
    shown = rollout(*EVERY["status"]).stdout
    assert f"arena rollout approve measure-1 --service {SERVICE} --namespace {NAMESPACE}" in " ".join(shown.split())
    assert "arena rollout resume" in shown

    is_refused(rollout("approve", "step-50", *WHERE), "no gate step-50", "measure-1")
    code, approved = answer(*EVERY["approve"], "--by", "alice")
    assert (code, approved) == (0, {"version": "2", "gate": "measure-1", "by": "alice"})
    assert cluster.requests["content-arena/approve"] == "2/measure-1 by alice"

    code, aborted = answer("abort", *WHERE, "--by", "bob", "--reason", "complaints")
    assert (code, aborted["reason"], aborted["rejects"]) == (0, "complaints", False)
    shown = " ".join(rollout(*EVERY["status"]).stdout.split())
    assert "abort: complaints (bob), the version is withdrawn" in shown
    assert "measure-1 approved by alice, not used yet" in shown
    code, end = answer(*RESUME)
    assert (code, end["phase"], end["reason"]) == (1, "withdrawn", "aborted: complaints (bob)")

    assert "No rollout is under way" in rollout(*EVERY["watch"]).stderr
    result = rollout(*EVERY["watch"], "--json")
    assert (result.exit_code, json.loads(result.stdout)["phase"]) == (1, "withdrawn")
    for command in ("approve", "abort"):
        is_refused(rollout(*EVERY[command]), "is over", "withdrawn")


def test_an_abort_may_reject_the_version(cluster):
    rollout(*START)
    code, aborted = answer("abort", *WHERE, "--reject", "--by", "bob", "--reason", "rude")
    assert (code, aborted["rejects"]) == (0, True)
    assert cluster.requests["content-arena/abort"] == "2 rejected by bob: rude"
    code, end = answer(*RESUME)
    assert (code, end["phase"], end["reason"]) == (1, "rolled_back", "aborted: rude (bob)")


def test_reconcile_ends_a_rollout_without_a_process_and_then_has_nothing_to_do(cluster):
    rollout(*START)
    rollout("abort", *WHERE)
    rollout(*EVERY["approve"])
    state = json.loads(cluster.state)
    state |= {"phase": "shifting", "gate": "", "then": None}
    cluster.store_state(json.dumps(state))
    code, first = answer(*EVERY["reconcile"], "--settle", "0.1", "--interval", "0.05")
    assert code == 0
    assert "it is withdrawn" in first["done"][0]
    result = rollout(*EVERY["reconcile"])
    assert (result.exit_code, result.stdout.strip()) == (0, "Everything agrees.")


def test_an_undo_brings_back_what_served_before(cluster):
    before = Stable("0", "s3://models/content-filter/0", {"name": "v0"})
    now = time.time()
    promoted = start("r1", launch.Challenger("1", "s3://models/content-filter/1"), before, launch.Parameters(), now)
    cluster.store_state(promoted.enter(launch.Phase.PROMOTED, now, "it serves").dump())
    code, end = answer(*EVERY["undo"], "--by", "alice")
    assert (code, end["version"], end["phase"]) == (0, "0", "promoted")
    predictor = cluster.api.service(SERVICE)["spec"]["predictor"]
    assert (predictor["name"], predictor["model"]["storageUri"]) == ("v0", "s3://models/content-filter/0")
    assert cluster.api.world.lost == 0
    is_refused(rollout(*EVERY["undo"]), "what served before it is not known", "arena rollout undo VERSION")


def test_an_undo_to_a_version_whose_runtime_is_not_recorded_says_which_one_it_takes(cluster):
    uri = "s3://models/content-filter/0"
    undo = ["undo", "0", "--storage-uri", uri, *EVERY["undo"][1:]]
    result = rollout(*undo)
    assert result.exit_code == 0, result.output
    assert "version 0 will run by the runtime of what serves, content-arena: none is recorded for it" in result.stderr
    assert cluster.api.service(SERVICE)["spec"]["predictor"]["model"]["storageUri"] == uri


def test_an_undo_needs_a_reason_and_a_version_where_none_is_recorded(cluster):
    assert rollout("undo", *WHERE, "--no-registry").exit_code == 2
    is_refused(rollout("undo", *WHERE, "--no-registry", "--reason", " ", "--by", ""), "what served before it")
    is_refused(rollout("undo", "0", *WHERE, "--no-registry", "--reason", "x"), "--no-registry needs --storage-uri")
    rollout(*START)
    is_refused(rollout(*EVERY["undo"]), "a rollout of version 2 is under way", "arena rollout abort")


def test_a_resumed_rollout_is_judged_as_it_began(cluster, tmp_path):
    corpus = tmp_path / "probes.parquet"
    corpus.touch()
    given = ["--probe-corpus", corpus, "--probe-texts", "40", "--limit", "p95_seconds=0.8"]
    rollout(*START, *given, "--prometheus", "http://alice:secret@prometheus.example:9090")
    _, seen = answer(*EVERY["status"])
    began = {
        "corpus": str(corpus), "limits": {"p95_seconds": 0.8}, "prometheus": "http://prometheus.example:9090",
        "texts_per_label": 40,
    }  # fmt: skip
    assert seen["measuring"] == began
    corpus.unlink()
    is_refused(rollout(*RESUME), f"no corpus {corpus}", "--probe-corpus")
    other = tmp_path / "others.parquet"
    other.touch()
    code, _ = answer(*RESUME, "--probe-corpus", other, "--limit", "f1=0.7")
    assert code == 3
    _, seen = answer(*EVERY["status"])
    assert seen["measuring"] == began, "options of a resume are not recorded"


def test_a_process_that_is_stopped_leaves_the_page_and_names_it(cluster, tmp_path):
    arena = Path(sys.executable).with_name("arena")
    line = [arena, "rollout", *START, "--plan", "0,100", "--bake", "300", "--json"]
    environment = os.environ | {"PYTHONFAULTHANDLER": "1"}
    process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        while "RolloutMeasuring" not in [event["reason"] for event in cluster.api.events] and process.poll() is None:
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        stdout, stderr = process.communicate(timeout=240)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGABRT)
        raise AssertionError(process.communicate()) from None
    assert process.returncode == 130, stderr
    stopped = json.loads(stdout)
    assert stopped["phase"] == "baking"
    assert "Under way at 0 %" in Path(stopped["timeline"]).read_text()
    assert f"timeline: {stopped['timeline']}" in stderr.splitlines()
    assert "`arena rollout resume` goes on" in stderr.splitlines()[-1]
    assert answer(*EVERY["status"])[1]["holder"] is None, "the lease was released"


def test_the_status_of_a_service_without_a_rollout_shows_what_serves(cluster):
    result = rollout(*EVERY["status"])
    assert result.exit_code == 0, result.output
    assert "Version 1 serves" in result.stdout
    assert "arena rollout start" in result.stdout
    code, shown = answer(*EVERY["status"])
    assert (code, shown["rollout"], shown["mode"], shown["serving"]["version"]) == (0, None, "Standard", "1")


def test_an_approval_names_what_it_replaces_and_that_no_process_runs_the_rollout(cluster):
    rollout(*START, "--approve-before", "100")
    rollout("approve", "step-100", *WHERE, "--by", "carol")
    output = rollout(*EVERY["approve"], "--by", "dave").stdout
    assert "step-100 by carol is gone" in output
    assert "No process runs the rollout: arena rollout resume" in output


# Options.


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], (None, 3)),
        (["--reason", "fixed since", "--probe-budget", "5"], ("fixed since", 5)),
        (["--insist", "fixed since", "--probe-rounds", "5"], ("fixed since", 5)),
    ],
)
def test_former_names_of_options_are_still_read(options, expected, monkeypatch):
    given = []

    def start(where, registry, request, options):
        given.append((request.override, options.overrides["budget"]))
        raise InputError("enough")

    monkeypatch.setattr(launch, "start", start)
    is_refused(rollout(*START, *options), "enough")
    assert given == [expected]


def test_former_names_of_options_are_not_in_the_help():
    help_text = rollout("start", "--help").stdout
    assert "--reason" in help_text
    assert "--insist" not in help_text
    assert "--probe-rounds" not in help_text


# Settings file.


@pytest.fixture
def settings(tmp_path):
    path = tmp_path / "settings.toml"
    path.write_text(
        "[training]\nepochs = 2\n[rollout]\nsteps = [0, 10, 100]\napprovals = [100]\nfailure_limit = 2\n"
        "bake_seconds = 7\nprobe_texts = 40\nlimits = { p95_seconds = 0.8, f1 = 0.7 }\n"
    )
    return path


def test_a_start_takes_its_plan_and_measuring_from_a_settings_file_and_options_win(settings, monkeypatch):
    given = []

    def start(where, registry, request, options):
        given.append((request.parameters, options.overrides))
        raise InputError("enough")

    monkeypatch.setattr(launch, "start", start)
    options = ["--settings", settings, "--bake", "9", "--limit", "f1=0.5", "--limit", "psi=0.3"]
    is_refused(rollout("start", "2", "--storage-uri", TWO, *WHERE, "--no-registry", *options), "enough")
    ((parameters, overrides),) = given
    assert parameters == launch.Parameters(
        steps=(0, 10, 100), approvals=(100,), failure_limit=2, bake_seconds=9.0, inconclusive_limit=3
    )
    assert overrides["limits"] == {"p95_seconds": 0.8, "f1": 0.5, "psi": 0.3}
    assert (overrides["texts_per_label"], overrides["budget"]) == (40, 3)


def test_every_setting_of_a_rollout_has_an_option():
    assert {field.name for field in fields(RolloutSettings)} == {*settings_option.OPTIONS, "limits"}
