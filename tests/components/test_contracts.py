"""What every component folder promises a reader and a cluster."""

import ast
import sys
from pathlib import Path

import pytest
import yaml

from content_arena.pipelines.definitions.stage_table import STAGES

COMPONENTS = Path(__file__).parents[2] / "components"
FOLDERS = sorted(path.parent for path in COMPONENTS.glob("*/component.py"))
every_folder = pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)


def test_every_stage_of_the_pipeline_has_a_folder():
    functions = {node.name for folder in FOLDERS for node in ast.parse((folder / "component.py").read_text()).body
                 if isinstance(node, ast.FunctionDef)}  # fmt: skip
    assert functions == {stage.name for stage in STAGES}


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
