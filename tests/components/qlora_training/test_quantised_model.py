"""The model in training: an evaluation between two steps leaves it as it was."""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch
from peft import PeftModel

from content_arena.components.qlora_training.arithmetic import training_dtype
from content_arena.components.qlora_training.quantised_model import build_model
from content_arena.components.qlora_training.settings import TrainingSettings

BATCH = {"input_ids": torch.tensor([[101, 2017, 10041, 102]])}


def arithmetic() -> AbstractContextManager[None]:
    """That of the Trainer."""
    dtype = training_dtype(on_cuda=False)
    return torch.autocast("cpu", dtype, enabled=dtype == torch.bfloat16)


def gradients(model: PeftModel) -> dict[str, torch.Tensor]:
    model.train()
    model.zero_grad()
    torch.manual_seed(0)  # of the dropout
    with arithmetic():
        logits = model(**BATCH).logits
    logits[0, 0].backward()
    return {name: each.grad.clone() for name, each in model.named_parameters() if each.grad is not None}


def test_an_evaluation_between_two_steps_changes_no_gradient():
    model = build_model(TrainingSettings(device="cpu"))
    before = gradients(model)
    assert before
    with torch.inference_mode(), arithmetic():
        model.eval()(**BATCH)
    after = gradients(model)
    assert before.keys() == after.keys()
    for name, gradient in before.items():
        assert torch.equal(gradient, after[name]), name
