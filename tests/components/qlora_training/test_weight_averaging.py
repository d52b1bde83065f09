import pytest
import torch
from peft import LoraConfig, get_peft_model

from content_arena.components.qlora_training import weight_averaging

TRAINED = ("lora_A", "lora_B", "modules_to_save")


class Small(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear, self.head = torch.nn.Linear(3, 3), torch.nn.Linear(3, 2)

    def forward(self, values):
        return self.head(self.linear(values))


@pytest.fixture
def model():
    return get_peft_model(Small(), LoraConfig(r=2, target_modules=["linear"], modules_to_save=["head"]))


def filled(model, value):
    """The weights that training changes, all of the same value."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if any(part in name for part in TRAINED):
                parameter.fill_(value)
    return model


@pytest.mark.parametrize(("share", "expected"), [(0.0, 3.0), (0.25, 2.5), (0.5, 2.0), (1.0, 1.0)])
def test_adapter_and_head_move_towards_those_before_the_training(model, tmp_path, share, expected):
    filled(model, 1.0).save_pretrained(str(tmp_path))
    weight_averaging.average(filled(model, 3.0), tmp_path, share)
    found = {name: set(value.unique().tolist()) for name, value in model.named_parameters()}
    changed = {name: values for name, values in found.items() if any(part in name for part in TRAINED)}
    assert {part for part in TRAINED if any(part in name for name in changed)} == set(TRAINED)
    assert all(values == {expected} for values in changed.values())


def test_what_is_not_trained_stays(model, tmp_path):
    before = model.base_model.model.linear.base_layer.weight.clone()
    filled(model, 1.0).save_pretrained(str(tmp_path))
    weight_averaging.average(filled(model, 3.0), tmp_path, 0.5)
    assert torch.equal(model.base_model.model.linear.base_layer.weight, before)
