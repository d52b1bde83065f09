"""KServe's own client and Triton's, unchanged."""

import asyncio
import json
import subprocess
from pathlib import Path

import grpc
import pytest
from kserve import InferenceGRPCClient, InferInput, InferRequest

from .conftest import MODEL

TEXTS = ["you idiot", "nice day"]
HERE = Path(__file__).parent
TRITON = HERE.parents[3] / "build" / "triton-client" / "bin" / "python"


@pytest.mark.parametrize("shape", [[2], [2, 1]])
def test_kserves_own_client(served, shape):
    async def ask():
        client = InferenceGRPCClient(served.address, retries=0)
        assert await client.is_server_live()
        assert await client.is_server_ready()
        assert await client.is_model_ready(MODEL)
        request = InferRequest(MODEL, [InferInput("text", shape, "BYTES", list(TEXTS))], request_id="mine")
        answer = await client.infer(request)
        with pytest.raises(grpc.RpcError) as refused:
            await client.infer(InferRequest("other", [InferInput("text", [1], "BYTES", ["x"])], request_id="mine"))
        await client.close()
        return answer, refused.value.code()

    answer, code = asyncio.run(ask())
    outputs = {output.name: output.data for output in answer.outputs}
    assert (answer.id, outputs["is_toxic"], outputs["model_version"]) == ("mine", [True, False], [b"7", b"7"])
    assert outputs["toxic_score"][0] > 0.9
    assert code is grpc.StatusCode.NOT_FOUND


@pytest.mark.skipif(not TRITON.is_file(), reason="needs tritonclient: make triton-client")
def test_tritonclient(served):
    command = [TRITON, HERE / "triton_client.py", served.address, *TEXTS]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, result.stderr
    told = json.loads(result.stdout)
    assert (told["live"], told["ready"], told["inputs"]) == (True, True, ["text"])
    for form in ("flat", "column"):
        answer = told[form]
        assert (answer["id"], answer["is_toxic"], answer["model_version"]) == ("mine", [True, False], ["7", "7"])
        assert answer["toxic_score"][0] > 0.9
    assert told["read_as"] == TEXTS
    assert told["refused"] == ["StatusCode.INVALID_ARGUMENT", "instance 0 is empty"]
