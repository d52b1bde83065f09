"""What every component folder promises a reader and a cluster."""

import ast
import sys
from pathlib import Path

import pytest
import yaml
from kfp import compiler

from content_arena.pipelines import arena

COMPONENTS = Path(__file__).parents[2] / "components"
FOLDERS = sorted(path.parent for path in COMPONENTS.glob("*/component.py"))
every_folder = pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)


def test_every_stage_of_the_pipeline_has_a_folder():
    functions = {node.name for folder in FOLDERS for node in ast.parse((folder / "component.py").read_text()).body
                 if isinstance(node, ast.FunctionDef)}  # fmt: skip
    assert functions >= set(arena.STAGES)


@every_folder
def test_component_imports_little_at_top_level_and_decides_nothing(folder):
    tree = ast.parse((folder / "component.py").read_text())
    allowed = {*sys.stdlib_module_names, "kfp"}
    for node in tree.body:
        if isinstance(node, ast.Import):
            assert {alias.name.split(".")[0] for alias in node.names} <= allowed
        if isinstance(node, ast.ImportFrom):
            image = node.module == "content_arena.components.shared.images"
            assert image or node.module.split(".")[0] in allowed


@every_folder
def test_folder_has_a_readme_and_metadata(folder):
    assert (folder / "README.md").read_text().startswith("# ")
    metadata = yaml.safe_load((folder / "metadata.yaml").read_text())
    assert {"name", "stability", "description", "dependencies"} <= set(metadata)


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compiled")
    documents = {}
    for name, pipeline in {"gpu": arena.build(arena.GpuPlacement()), "cpu": arena.build()}.items():
        compiler.Compiler().compile(pipeline, str(folder / f"{name}.yaml"))
        documents[name] = list(yaml.safe_load_all((folder / f"{name}.yaml").read_text()))
    return documents


def executor(spec, task):
    return spec["deploymentSpec"]["executors"][f"exec-{task}"]["container"]


def test_nothing_is_installed_when_a_pod_starts(compiled):
    for name in compiled["gpu"][0]["deploymentSpec"]["executors"].values():
        assert "pip install" not in str(name["container"]["command"])


def test_all_tasks_use_one_image(compiled):
    assert (
        len({value["container"]["image"] for value in compiled["gpu"][0]["deploymentSpec"]["executors"].values()}) == 1
    )


@pytest.mark.parametrize("task", ["train-qlora", "bootstrap-champion"])
def test_training_asks_for_a_gpu_node(compiled, task):
    spec, platform = compiled["gpu"]
    accelerator = executor(spec, task)["resources"]["accelerator"]
    assert accelerator["resourceCount"] == "1"
    assert accelerator["resourceType"] == "nvidia.com/gpu"
    settings = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"][f"exec-{task}"]
    assert settings["nodeSelector"]["labels"] == {"nvidia.com/gpu.present": "true"}
    assert settings["tolerations"][0]["key"] == "nvidia.com/gpu"


def test_without_a_gpu_no_task_asks_for_one(compiled):
    (spec,) = compiled["cpu"]
    assert "accelerator" not in str(spec)


def test_only_the_corpus_may_come_from_a_cache(compiled):
    tasks = compiled["gpu"][0]["root"]["dag"]["tasks"]
    cached = {name for name, task in tasks.items() if task["cachingOptions"].get("enableCache")}
    assert cached == {"prepare-corpus"}


def test_every_parameter_is_explained(compiled):
    for name, parameter in compiled["gpu"][0]["root"]["inputDefinitions"]["parameters"].items():
        assert parameter.get("description"), name
