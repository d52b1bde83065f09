"""Rules that every component's folder and function keep."""

import ast
import re
import sys
from pathlib import Path

import pytest
import yaml

from content_arena.components.shared.images import COMPONENT_IMAGE
from content_arena.pipelines.definitions.stage_table import PREPARE_CORPUS, STAGES

COMPONENTS = Path(__file__).parents[2] / "components"
FOLDERS = sorted(path.parent for path in COMPONENTS.glob("*/component.py"))
FUNCTIONS = {
    node.name: node
    for folder in FOLDERS
    for node in ast.parse((folder / "component.py").read_text(encoding="utf-8")).body
    if isinstance(node, ast.FunctionDef)
}
DECISIONS = (ast.If, ast.IfExp, ast.Match, ast.While, ast.Try, ast.comprehension)
every_folder = pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
every_component = pytest.mark.parametrize("name", FUNCTIONS)


def body_of(name):
    """The statements of a component after its docstring."""
    return FUNCTIONS[name].body[1:]


def parameters_of(name):
    return [parameter.arg for parameter in FUNCTIONS[name].args.args]


def test_the_components_are_the_stages_of_the_table():
    stages = {stage.name for stage in STAGES}
    assert set(FUNCTIONS) == stages, "every component has a row in STAGES of pipelines/definitions/stage_table.py"


@every_folder
def test_component_imports_little_at_top_level(folder):
    tree = ast.parse((folder / "component.py").read_text(encoding="utf-8"))
    allowed = {*sys.stdlib_module_names, "kfp"}
    for node in tree.body:
        if isinstance(node, ast.Import):
            assert {alias.name.split(".")[0] for alias in node.names} <= allowed
        if isinstance(node, ast.ImportFrom):
            image = node.module == "content_arena.components.shared.images"
            assert image or node.module.split(".")[0] in allowed


@every_component
def test_a_component_belongs_to_a_run(name):
    # The corpus depends on its data: with the id of a run among its inputs it could not come from a cache. It depends
    # on what was forgotten, too: the stage that keeps a corpus refuses one from a cache that has such a text.
    assert ("pipeline_run" in parameters_of(name)) == (name != PREPARE_CORPUS.name)
    assert "tracking_uri" in parameters_of(name)


@every_component
def test_every_parameter_is_described_in_the_order_of_the_signature(name):
    docstring = ast.get_docstring(FUNCTIONS[name])
    summary, _, rest = docstring.partition("\n")
    assert summary.endswith(".")
    arguments = rest.split("Args:\n")[1].split("\nReturns:")[0]
    assert re.findall(r"^ {4}(\w+): \S", arguments, re.MULTILINE) == parameters_of(name)
    returns = FUNCTIONS[name].returns
    is_none = isinstance(returns, ast.Constant) and returns.value is None
    assert is_none == ("\nReturns:" not in rest)


@every_component
def test_a_component_is_made_of_the_component_image_and_installs_nothing(name):
    (decorator,) = FUNCTIONS[name].decorator_list
    assert ast.unparse(decorator) == "dsl.component(base_image=COMPONENT_IMAGE, install_kfp_package=False)"
    (stage,) = (stage for stage in STAGES if stage.name == name)
    container = stage.component.component_spec.implementation.container
    assert container.image == COMPONENT_IMAGE


@every_component
def test_a_component_decides_nothing(name):
    found = [node for node in ast.walk(FUNCTIONS[name]) if isinstance(node, DECISIONS)]
    # "Collected" inputs come as lists of artifacts, whose paths are all that is taken of them.
    assert [ast.unparse(node) for node in found if not (isinstance(node, ast.comprehension) and not node.ifs)] == []


@every_component
def test_a_body_is_imports_one_call_and_what_is_shown_of_it(name):
    """Imports; one call into the package; then lines that log metrics, and the return."""
    body = body_of(name)
    imports = [node for node in body if isinstance(node, ast.Import | ast.ImportFrom)]
    assert body[: len(imports)] == imports
    call, *shown = body[len(imports) :]
    assert isinstance(call, ast.Assign | ast.Expr)
    assert isinstance(call.value, ast.Call)
    for node in shown:
        # Outputs and metadata of artifacts, metrics, a loop over metrics, a NamedTuple's type, or the return.
        assert isinstance(node, ast.Expr | ast.For | ast.Assign | ast.Return), ast.unparse(node)
    assert len(body) - len(imports) <= 5


@every_folder
def test_folder_has_a_readme_and_metadata(folder):
    assert (folder / "README.md").read_text(encoding="utf-8").startswith("# ")
    metadata = yaml.safe_load((folder / "metadata.yaml").read_text(encoding="utf-8"))
    assert {"name", "stability", "description", "dependencies"} <= set(metadata)
