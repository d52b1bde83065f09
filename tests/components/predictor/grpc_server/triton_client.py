"""Asks a server with Triton's client, in an environment of its own: its messages have the names of KServe's.

Prints what it was told, as JSON.
"""

import json
import sys

import numpy as np
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException

MODEL = "content-filter"


def tensor(texts, shape):
    found = triton.InferInput("text", shape, "BYTES")
    found.set_data_from_numpy(np.array(texts, dtype=np.object_).reshape(shape))
    return found


def main(address, texts):
    with triton.InferenceServerClient(address) as client:
        told = {
            "live": client.is_server_live(),
            "ready": client.is_server_ready() and client.is_model_ready(MODEL),
            "inputs": [each.name for each in client.get_model_metadata(MODEL).inputs],
            "name": client.get_server_metadata(as_json=True)["name"],
        }
        for name, shape in {"flat": [len(texts)], "column": [len(texts), 1]}.items():
            result = client.infer(MODEL, [tensor(texts, shape)], request_id="mine")
            told[name] = {
                "id": result.get_response().id,
                "toxic_score": result.as_numpy("toxic_score").tolist(),
                "is_toxic": result.as_numpy("is_toxic").tolist(),
                "model_version": [version.decode() for version in result.as_numpy("model_version")],
            }
        outputs = [triton.InferRequestedOutput("read_as")]
        result = client.infer(MODEL, [tensor(texts, [len(texts)])], outputs=outputs, parameters={"attributes": True})
        told["read_as"] = [text.decode() for text in result.as_numpy("read_as")]
        try:
            client.infer(MODEL, [tensor([" "], [1])], headers={"x-api-key": "any"})
        except InferenceServerException as error:
            told["refused"] = [error.status(), error.message()]
        print(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
