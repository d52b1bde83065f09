"""In what numbers the matrices are multiplied."""

import pytest
import torch

from content_arena.components.qlora_training.arithmetic import training_dtype


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ({"avx2": True}, torch.float32),
        ({"avx512_f": True, "avx512_bf16": False}, torch.float32),
        ({"avx512_bf16": True}, torch.bfloat16),
        ({"amx_bf16": True}, torch.bfloat16),
        ({"neon": True, "bf16": True}, torch.float32),
    ],
)
def test_bfloat16_only_where_the_processor_multiplies_it(monkeypatch, capabilities, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert training_dtype(on_cuda=False) is expected


def test_a_gpu_computes_in_bfloat16(monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)
    assert training_dtype(on_cuda=True) is torch.bfloat16
