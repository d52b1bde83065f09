"""The clients of Perspective's API for Node.js, from npm: ``make node-clients`` installs them."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from . import named_host
from .conftest import DISCOVERY

HERE = Path(__file__).with_name("npm")

pytestmark = [
    pytest.mark.nodejs,
    pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js 18 or later"),
    pytest.mark.skipif(not (HERE / "node_modules").is_dir(), reason="needs clients from npm: make node-clients"),
]


def run(script, *arguments, **environment):
    result = subprocess.run(
        ["node", str(HERE / script), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=os.environ | environment,
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_googleapis(adapters):
    told = run("googleapis.js", adapters.url + DISCOVERY)
    assert told["analyzed"]["attributeScores"]["TOXICITY"]["summaryScore"]["value"] > 0.9
    assert told["stored"] == {"clientToken": "t"}
    assert told["refused"]["status"] == 400
    assert "non-empty" in told["refused"]["message"]


def test_perspective_api_client(adapters, tmp_path):
    certificate = tmp_path / "host.pem"
    named_host.write_certificate(certificate)
    with named_host.in_front_of(adapters.port, certificate) as port:
        told = run("perspective-api-client.js", named_host.HOST, port, NODE_EXTRA_CA_CERTS=str(certificate))
    assert told["analyzed"]["attributeScores"]["TOXICITY"]["summaryScore"]["value"] > 0.9
