"""Averages the weights of a challenger with those of the champion that it was trained from (WiSE-FT).

A model that is trained further on attacks gets better on attacks and a little worse on everything else. The average of
the weights before and after keeps most of the gain and loses less, because the two lie in one basin of the loss
(Wortsman et al. 2022, "Robust fine-tuning of zero-shot models"). It costs no training and no time in serving.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from peft import PeftModel


def average(model: PeftModel, adapter: Path, share: float) -> None:
    """Moves the adapter and the head of a trained model towards those that it was trained from, in place.

    The two factors of each low-rank matrix are averaged one by one, which is the average of their product only nearly.

    Args:
        model: After the training.
        adapter: Folder of the adapter and head that the training began with.
        share: Weight of the latter, from 0 (nothing changes) to 1.
    """
    import torch
    from peft import get_peft_model_state_dict, load_peft_weights, set_peft_model_state_dict

    trained, began = get_peft_model_state_dict(model), load_peft_weights(str(adapter), device="cpu")
    averaged = {
        name: torch.lerp(after.float(), began[name].to(after.device, torch.float32), share).to(after.dtype)
        for name, after in trained.items()
    }
    set_peft_model_state_dict(model, averaged)
