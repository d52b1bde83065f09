"""The compiled pipelines as the backend's driver walks them: every input resolves with the default parameters."""

import pytest

from content_arena.components.shared.errors import InputError
from content_arena.components.shared.images import COMPONENT_IMAGE
from content_arena.pipelines.definitions import cluster_settings
from content_arena.pipelines.definitions.stage_table import GENERATION
from tests.import_graph import ROOT
from tests.pipelines.backend.driver import Driver, TaskFailedError, TerminatedError, Values

ATTACK = ["prepare-corpus", "bootstrap-champion", "generate-attacks", "generate-attacks", "gather-attacks"]
#: The rest of a generation, in the order of the table of stages.
CHALLENGE = [task for name in GENERATION if (task := name.replace("_", "-")) not in ATTACK]
SAMPLES = {"STRING": "1", "BOOLEAN": True, "LIST": ["why"], "STRUCT": {}}


@pytest.fixture(scope="module")
def packages(compile_to):
    return compile_to("--shards", "2", "--registry-only")


class Cluster:
    """Records the tasks, and writes outputs of the right types."""

    def __init__(self, raises=None, **answers):
        self.tasks, self._raises, self._answers = [], raises or {}, answers

    def __call__(self, task):
        self.tasks.append(task)
        if task.name in self._raises:
            raise self._raises[task.name]
        outputs = task.component.get("outputDefinitions", {})
        kinds = {name: SAMPLES[one["parameterType"]] for name, one in outputs.get("parameters", {}).items()}
        artifacts = {name: [{"uri": f"{len(self.tasks)}/{name}"}] for name in outputs.get("artifacts", {})}
        return Values({name: self._answers.get(name, value) for name, value in kinds.items()}, artifacts)

    @property
    def names(self):
        return [task.name for task in self.tasks]

    def inputs(self, name):
        return next(task.inputs for task in self.tasks if task.name == name)


def walked(package, given=None, **cluster):
    cluster = Cluster(**cluster)
    Driver(package, "run-1", cluster).run(given or {})
    return cluster


@pytest.mark.parametrize(
    ("name", "tasks"),
    [
        ("arena", [*ATTACK, *CHALLENGE]),
        ("retrain", [*ATTACK, "decide-retraining", *CHALLENGE]),
        ("battle", [task for task in ATTACK if task != "bootstrap-champion"]),
    ],
)
def test_every_parameter_has_a_value_without_being_given_one(packages, name, tasks):
    cluster = walked(packages[name])
    assert cluster.names == [*tasks, "close-run"]
    assert cluster.inputs("close-run").parameters["status"]["state"] == "COMPLETE"
    assert {task.inputs.parameters["pipeline_run"] for task in cluster.tasks[1:]} == {"run-1"}


def test_guard_set_and_floors_reach_the_stages_that_judge(packages):
    given = {"guard": "/data/elsewhere.csv", "require_guard": True, "settings": {"floors": {"clean_f1": 0.6}}}
    for name in ("arena", "retrain"):
        cluster = walked(packages[name], given)
        assert cluster.inputs("prepare-corpus").parameters["guard"] == "/data/elsewhere.csv"
        assert cluster.inputs("promote-challenger").parameters["require_guard"] is True
        for stage in ("bootstrap-champion", "promote-challenger"):
            assert cluster.inputs(stage).parameters["settings"]["floors"] == {"clean_f1": 0.6}
    # A battle has none; the component's default is used.
    assert "guard" not in walked(packages["battle"]).inputs("prepare-corpus").parameters


def test_a_stage_asks_for_what_it_is_told_to_and_keeps_its_limits(compile_to):
    packages = compile_to("--request", "train_qlora=500m,2Gi")
    container, _ = Driver(packages["arena"], "run-1", Cluster()).executors["train-qlora"]
    resources = container["resources"]
    assert (resources["resourceCpuRequest"], resources["resourceMemoryRequest"]) == ("500m", "2Gi")
    assert (resources["resourceCpuLimit"], resources["resourceMemoryLimit"]) == ("8", "16Gi")


def test_images_and_gpu_nodes_are_those_of_the_cluster(compile_to, tmp_path):
    path = tmp_path / "cluster.env"
    path.write_text(
        "# another cluster\nCOMPONENT_IMAGE=r.example.com/c:9\nCOMPONENT_IMAGE_CUDA=r.example.com/c:9-cuda\n"
        "GPU_LABEL=accelerator\nGPU_LABEL_VALUE=l4\nGPU_TAINT=gpu\nSTORAGE_CLASS=fast\n"
        "SERVING_RUNTIMES=content-arena-9 content-arena-8\n"
    )
    packages = compile_to("--gpu", "train_qlora", "--cluster-settings", str(path))
    executors = Driver(packages["retrain"], "run-1", Cluster()).executors
    assert {name for name, (container, _) in executors.items() if container["image"].endswith("-cuda")} == {
        "train-qlora"
    }
    assert {container["image"].removesuffix("-cuda") for container, _ in executors.values()} == {"r.example.com/c:9"}
    settings = executors["train-qlora"][1]
    assert settings["nodeSelector"]["labels"] == {"accelerator": "l4"}
    assert [one["key"] for one in settings["tolerations"]] == ["gpu"]
    assert walked(packages["retrain"]).inputs("roll-out").parameters["runtime"] == "content-arena-9"


def test_the_settings_of_the_manifests_can_be_read_and_a_missing_value_is_named(tmp_path):
    read = cluster_settings.read(ROOT / "manifests/components/cluster-settings/cluster.env")
    assert read.component_image == COMPONENT_IMAGE
    path = tmp_path / "cluster.env"
    path.write_text("COMPONENT_IMAGE=a\nGPU_LABEL=\n")
    with pytest.raises(InputError, match="have no COMPONENT_IMAGE_CUDA, GPU_LABEL, "):
        cluster_settings.read(path)
    with pytest.raises(InputError, match="cannot be read"):
        cluster_settings.read(tmp_path / "nowhere.env")


@pytest.mark.parametrize(
    ("options", "service"),
    [
        ((), "content-arena/content-filter"),
        (("--registry-only",), "content-arena/content-filter"),
        (("--rollout", "trust/filter"), "trust/filter"),
    ],
)
def test_the_first_champion_gets_its_service(compile_to, options, service):
    """The name is in the compiled YAML, as tasks have none of the environment of the Job arena-run."""
    packages = compile_to(*options)
    for name in ("arena", "retrain"):
        cluster = walked(packages[name])
        for stage in ("promote-challenger", "close-run"):
            assert cluster.inputs(stage).parameters["first_service"] == service
    # A battle makes no champion.
    assert "first_service" not in walked(packages["battle"]).inputs("close-run").parameters


def test_a_challenger_is_rolled_out_unless_only_the_registry_is_asked_for(compile_to):
    packages = compile_to()
    for name in ("arena", "retrain"):
        cluster = walked(packages[name])
        assert cluster.names[-2:] == ["roll-out", "close-run"]
        given = cluster.inputs("roll-out").parameters
        assert (given["namespace"], given["service"]) == ("content-arena", "content-filter")
        assert cluster.inputs("promote-challenger").parameters["move_champion"] is False
    assert not cluster_rolls_out(packages["battle"])
    assert not any(map(cluster_rolls_out, compile_to("--registry-only").values()))


def cluster_rolls_out(package):
    cluster = walked(package)
    return "roll-out" in cluster.names or bool(cluster.inputs("close-run").parameters.get("rollout_service"))


def test_the_shards_meet_in_one_task(packages):
    cluster = walked(packages["arena"])
    shards = [task.inputs.parameters["shard"] for task in cluster.tasks if task.name == "generate-attacks"]
    assert shards == [0, 1]
    gathered = cluster.inputs("gather-attacks").artifacts
    assert [len(gathered[name]) for name in ("shards", "held_out_shards", "summaries")] == [2, 2, 2]


def test_without_a_reason_nothing_is_trained(packages):
    cluster = walked(packages["retrain"], retrain=False)
    assert cluster.names == [*ATTACK, "decide-retraining", "close-run"]


@pytest.mark.parametrize(("error", "state"), [(TaskFailedError, "FAILED"), (TerminatedError, "RUNNING")])
def test_the_exit_task_is_told_how_it_ended(packages, error, state):
    cluster = Cluster(raises={"label-attacks": error("so it is")})
    with pytest.raises(error, match="so it is"):
        Driver(packages["arena"], "run-1", cluster).run({})
    assert cluster.names == [*ATTACK, "label-attacks", "close-run"]
    assert cluster.inputs("close-run").parameters["status"]["state"] == state
