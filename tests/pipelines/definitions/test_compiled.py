"""What matters in the compiled pipelines: images, resources, nodes, secrets, cache, dependencies."""

import pytest
import yaml
from kfp import compiler

from content_arena.components.canary_rollout.kube.kubeconfig import TOKEN_VARIABLE
from content_arena.components.corpus_preparation.tables.databases import PASSWORD, USER
from content_arena.components.shared import tracking_login
from content_arena.components.shared.images import COMPONENT_IMAGE
from content_arena.pipelines.definitions import arena, battle, retrain
from content_arena.pipelines.definitions.placement import Placement, RolloutPlacement
from content_arena.pipelines.definitions.stage_table import GPU_STAGES, STAGES
from tests.import_graph import ROOT

GPU = Placement(shards=3, gpu_stages=GPU_STAGES, checkpoint_claim="arena-checkpoints", labels={"team": "trust"})
ROLLOUT = Placement(
    rollout=RolloutPlacement(service="content-filter", steps=(0, 100), approvals=(100,), limits={"psi": 0.4})
)
#: Built by the fixture: a worker that runs other tests imports this module too.
BUILDS = {
    "arena-rollout-cpu": (arena, ROLLOUT), "retrain-rollout-cpu": (retrain, ROLLOUT),
    "arena": (arena, GPU), "retrain": (retrain, GPU), "battle": (battle, GPU),
    "arena-cpu": (arena, Placement()), "retrain-cpu": (retrain, Placement()), "battle-cpu": (battle, Placement()),
}  # fmt: skip
#: Every stage by the name that KFP gives its task; a new stage of a generation needs no change here.
STAGE_OF = {stage.name.replace("_", "-"): stage for stage in STAGES}
GENERATION = {task for task, stage in STAGE_OF.items() if stage.in_generation} | {"close-run"}
BATTLE = {"prepare-corpus", "generate-attacks", "gather-attacks", "close-run"}


class Compiled:
    """A compiled pipeline, by task."""

    def __init__(self, spec, platform):
        self.spec = spec
        self.containers = {
            name.removeprefix("exec-"): executor["container"]
            for name, executor in spec["deploymentSpec"]["executors"].items()
        }
        executors = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
        self.settings = {name.removeprefix("exec-"): setting for name, setting in executors.items()}
        self.dags = [spec["root"], *(part for part in spec["components"].values() if "dag" in part)]
        self.tasks = {name: task for part in self.dags for name, task in part["dag"]["tasks"].items()}


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compiled")
    found = {}
    for name, (pipeline, placement) in BUILDS.items():
        compiler.Compiler().compile(pipeline.build(placement), str(folder / f"{name}.yaml"))
        found[name] = Compiled(*yaml.load_all((folder / f"{name}.yaml").read_text(), Loader=yaml.CSafeLoader))
    return found


every_pipeline = pytest.mark.parametrize("name", BUILDS)


def test_the_tasks_are_the_stages(compiled):
    assert set(compiled["arena"].containers) == GENERATION
    assert set(compiled["retrain"].containers) == GENERATION | {"decide-retraining"}
    assert set(compiled["arena-rollout-cpu"].containers) == GENERATION | {"roll-out"}
    assert set(compiled["battle"].containers) == BATTLE


@every_pipeline
def test_one_image_and_nothing_is_installed_when_a_pod_starts(compiled, name):
    for container in compiled[name].containers.values():
        assert container["image"] == COMPONENT_IMAGE
        assert "pip install" not in str(container["command"])


@every_pipeline
def test_every_task_has_requests_limits_a_timeout_labels_and_is_not_root(compiled, name):
    for task, container in compiled[name].containers.items():
        resources = container["resources"]
        assert {"resourceCpuRequest", "resourceCpuLimit"} <= set(resources), task
        assert {"resourceMemoryRequest", "resourceMemoryLimit"} <= set(resources), task
        setting = compiled[name].settings[task]
        assert int(setting["activeDeadlineSeconds"]) > 0
        assert setting["securityContext"] == {"runAsUser": "10001", "runAsGroup": "10001", "runAsNonRoot": True}
        labels = setting["podMetadata"]["labels"]
        assert labels["app.kubernetes.io/part-of"] == "content-arena"
        assert labels["content-arena/stage"] == task.replace("-", "_")
        assert name.endswith("-cpu") or labels["team"] == "trust"


@every_pipeline
def test_gpus_are_asked_for_where_told_and_nowhere_else(compiled, name):
    for task, container in compiled[name].containers.items():
        on_gpu = not name.endswith("-cpu") and task.replace("-", "_") in GPU_STAGES
        assert ("accelerator" in container["resources"]) == on_gpu, task
        setting = compiled[name].settings[task]
        assert ("nodeSelector" in setting) == ("tolerations" in setting) == on_gpu, task
        if on_gpu:
            accelerator = container["resources"]["accelerator"]
            assert (accelerator["resourceType"], accelerator["resourceCount"]) == ("nvidia.com/gpu", "1")
            assert setting["nodeSelector"]["labels"] == {"nvidia.com/gpu.present": "true"}
            assert setting["tolerations"][0]["key"] == "nvidia.com/gpu"


@every_pipeline
def test_secrets_come_by_reference_to_the_stages_that_need_them(compiled, name):
    for task, setting in compiled[name].settings.items():
        names = {secret["secretNameParameter"]["runtimeValue"]["constant"] for secret in setting.get("secretAsEnv", [])}
        wanted = {"arena-mlflow"}
        if task in ("bootstrap-champion", "promote-challenger", "roll-out", "close-run"):
            wanted.add("arena-s3")
        if task == "prepare-corpus":
            wanted.add("arena-data")
        if task in ("prepare-corpus", "bootstrap-champion", "train-qlora"):
            wanted.add("arena-hub")
        if task.startswith(("generate-attacks", "evaluate-challenger", "label-attacks")):
            wanted.add("arena-llm")
        if task == "roll-out":
            wanted.add("arena-probe")
        if task in ("roll-out", "close-run"):
            wanted.add("arena-rollout")
        if task in ("prepare-corpus", "bootstrap-champion"):
            wanted.add("arena-forget")
        assert names == wanted, task


@every_pipeline
def test_every_task_has_mlflows_login_by_reference_and_under_the_names_that_its_client_reads(compiled, name):
    example = (ROOT / "manifests/secrets/arena-mlflow.example.env").read_text()
    given = {line.split()[0] for line in example.splitlines() if not line.startswith("#")}
    assert compiled[name].settings.keys() == compiled[name].containers.keys()
    for task, setting in compiled[name].settings.items():
        (secret,) = [
            each
            for each in setting["secretAsEnv"]
            if each["secretNameParameter"]["runtimeValue"]["constant"] == "arena-mlflow"
        ]
        login = {tracking_login.USERNAME, tracking_login.PASSWORD}
        assert {pair["envVar"]: pair["secretKey"] for pair in secret["keyToEnv"]} == {each: each for each in login}
        assert login <= given
        # An MLflow without a login needs no Secret; one with it refuses, and says that both variables are not set.
        assert secret["optional"] is True
        assert not login & {each["name"] for each in compiled[name].containers[task].get("env", [])}, task


@pytest.mark.parametrize("task", ["roll-out", "close-run"])
def test_a_rollout_finds_its_token_where_it_looks(compiled, task):
    (secret,) = [
        each
        for settings in (pipeline.settings.get(task, {}) for pipeline in compiled.values())
        for each in settings.get("secretAsEnv", [])
        if each["secretNameParameter"]["runtimeValue"]["constant"] == "arena-rollout"
    ][:1]
    assert secret["keyToEnv"] == [{"secretKey": "token", "envVar": TOKEN_VARIABLE}]
    assert secret["optional"] is True


@every_pipeline
def test_the_keys_of_the_data_come_from_a_secret_and_are_no_parameters(compiled, name):
    secrets = {
        secret["secretNameParameter"]["runtimeValue"]["constant"]: secret
        for secret in compiled[name].settings["prepare-corpus"]["secretAsEnv"]
    }
    keys = {pair["secretKey"]: pair["envVar"] for pair in secrets["arena-data"]["keyToEnv"]}
    # What Store.from_environment and databases.py read.
    s3 = {"S3_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}
    assert {*s3, PASSWORD, USER} <= set(keys)
    assert all(key == variable for key, variable in keys.items())
    assert secrets["arena-data"]["optional"] is True
    given = {variable["name"] for variable in compiled[name].containers["prepare-corpus"].get("env", [])}
    assert not given & set(keys), "which of two variables of one name wins is not defined"
    parameters = compiled[name].spec["root"]["inputDefinitions"]["parameters"]
    assert {"data", "query"} <= set(parameters)
    assert not any(key.lower() in parameters for key in keys)


@every_pipeline
def test_every_parameter_has_a_value(compiled, name):
    """The backend refuses to pass a null on to a group of tasks."""
    parameters = compiled[name].spec["root"]["inputDefinitions"]["parameters"]
    assert [parameter for parameter, one in parameters.items() if "defaultValue" not in one] == []


@every_pipeline
def test_only_the_corpus_may_come_from_a_cache(compiled, name):
    cached = {
        task for task, spec in compiled[name].tasks.items()
        if task in compiled[name].containers and spec["cachingOptions"].get("enableCache")
    }  # fmt: skip
    # A recurring run reads its data again: a new corpus is one of its reasons.
    assert cached == (set() if name.startswith("retrain") else {"prepare-corpus"})


def test_trainings_find_their_checkpoints_on_a_claim(compiled):
    for task, setting in compiled["arena"].settings.items():
        mounts = [mount["mountPath"] for mount in setting.get("pvcMount", [])]
        assert mounts == (["/checkpoints"] if task in ("bootstrap-champion", "train-qlora") else []), task
    parameter = compiled["arena"].spec["root"]["inputDefinitions"]["parameters"]["checkpoint_dir"]
    assert parameter["defaultValue"] == "/checkpoints"


@every_pipeline
def test_the_exit_task_runs_whatever_happened(compiled, name):
    root = compiled[name].spec["root"]["dag"]["tasks"]
    assert root["close-run"]["triggerPolicy"]["strategy"] == "ALL_UPSTREAM_TASKS_COMPLETED"


@every_pipeline
def test_nothing_relies_on_retries(compiled, name):
    assert not any("retryPolicy" in task for task in compiled[name].tasks.values())


def test_attacks_fan_out_over_the_shards(compiled):
    loop = next(task for task in compiled["arena"].tasks.values() if "parameterIterator" in task)
    assert loop["parameterIterator"]["items"]["raw"] == "[0, 1, 2]"


def test_retraining_waits_for_a_reason(compiled):
    tasks = compiled["retrain"].tasks
    condition = next(task for name, task in tasks.items() if name.startswith("condition"))
    assert "decide-retraining" in condition["dependentTasks"]
    assert "retrain" in condition["triggerPolicy"]["condition"]
    inside = compiled["retrain"].spec["components"][condition["componentRef"]["name"]]["dag"]["tasks"]
    assert set(inside) == GENERATION - BATTLE - {"bootstrap-champion"}


@every_pipeline
def test_pipeline_and_parameters_are_explained(compiled, name):
    info = compiled[name].spec["pipelineInfo"]
    assert info["description"]
    assert info["displayName"]
    for parameter, definition in compiled[name].spec["root"]["inputDefinitions"]["parameters"].items():
        assert definition.get("description"), parameter
    for task in compiled[name].containers:
        assert compiled[name].tasks[task]["taskInfo"]["name"] != task


@pytest.mark.parametrize("wrong", [{"shards": 0}, {"gpu_stages": ("evaluate_challenger",)}])
def test_a_placement_that_cannot_be_is_refused(wrong):
    with pytest.raises(ValueError, match=r"shards|evaluate_challenger"):
        Placement(**wrong)


def values(task):
    return {name: given.get("runtimeValue", {}).get("constant") for name, given in task["inputs"]["parameters"].items()}


def test_without_a_rollout_the_gates_make_the_champion(compiled):
    for name in ("arena", "retrain"):
        assert values(compiled[name].tasks["promote-challenger"])["move_champion"] is True
        assert "rollout_service" not in values(compiled[name].tasks["close-run"])


@pytest.mark.parametrize("name", ["arena-rollout-cpu", "retrain-rollout-cpu"])
def test_with_a_rollout_the_last_stage_does_and_the_exit_handler_leaves_it_in_order(compiled, name):
    tasks = compiled[name].tasks
    assert values(tasks["promote-challenger"])["move_champion"] is False
    assert "promote-challenger" in tasks["roll-out"]["dependentTasks"]
    given = values(tasks["roll-out"])
    assert (given["service"], given["namespace"]) == ("content-filter", "content-arena")
    assert (given["steps"], given["approvals"], given["limits"]) == ([0, 100], [100], {"psi": 0.4})
    assert values(tasks["close-run"])["rollout_service"] == "content-filter"
