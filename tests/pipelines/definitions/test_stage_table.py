"""The table of stages agrees with the components."""

import subprocess
import sys
from pathlib import Path

from content_arena.components.metrics_exporter import collector
from content_arena.pipelines.definitions import parameters
from content_arena.pipelines.definitions.stage_table import GPU_STAGES, STAGES

COMPONENTS = Path(__file__).parents[3] / "components"


def test_a_row_names_the_component_it_is_about():
    for stage in STAGES:
        assert stage.component.name == stage.name.replace("_", "-")
        assert (COMPONENTS / stage.package / "component.py").is_file()


def test_a_gpu_is_offered_to_the_stages_that_have_code_for_one():
    packages = {stage.package for stage in STAGES if stage.name in GPU_STAGES}
    uses_cuda = {
        path.parent.name
        for path in COMPONENTS.glob("*/*.py")
        if "torch.cuda" in path.read_text(encoding="utf-8") and path.parent.name in {stage.package for stage in STAGES}
    }
    assert packages == uses_cuda


def test_the_exporter_watches_the_stages_that_train():
    assert set(collector._STAGES) == {stage.name for stage in STAGES if stage.keeps_checkpoints}


def test_every_input_of_a_stage_is_wired_or_has_a_default_and_every_parameter_reaches_one():
    taken = {name for stage in STAGES for name in stage.component.component_spec.inputs or {}}
    assert {parameter.name for parameter in parameters.PARAMETERS.values()} <= taken


def test_the_tables_import_neither_kfp_nor_typer():
    code = (
        "import sys; from content_arena.pipelines.definitions import parameters, settings_file, stage_table; "
        "found = {'kfp', 'typer', 'pandas', 'torch'} & set(sys.modules); assert not found, found"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_definitions_know_no_command_line():
    code = (
        "import sys; from content_arena.pipelines.definitions import arena, battle, retrain; "
        "found = [name for name in sys.modules if name == 'typer' or 'pipelines.cli' in name]; assert not found, found"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
