"""The pipelines as a cluster gets them."""

import pytest
from typer.testing import CliRunner

from content_arena.pipelines.cli.app import app


@pytest.fixture(scope="session")
def compile_to(tmp_path_factory):
    """``compile_to("--shards", "2")``: what ``arena compile`` writes, by pipeline."""

    def compile_to(*options):
        folder = tmp_path_factory.mktemp("compiled")
        result = CliRunner().invoke(app, ["compile", "--out", str(folder), *options])
        assert result.exit_code == 0, result.output
        return {path.stem: path for path in folder.glob("*.yaml")}

    return compile_to
