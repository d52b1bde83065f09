"""The auxiliary task on a small classifier: what it is told, what it learns, and that it leaves nothing behind."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from peft import LoraConfig, get_peft_model

from content_arena.components.qlora_training import category_task
from content_arena.components.qlora_training.category_task import CategoryTask, Targets

TABLE = pd.DataFrame(
    [("insult", 1), ("insult+threat", 1), ("", 1), ("neutral", 0), ("", 0)], columns=["categories", "label"]
)


class Small(torch.nn.Module):
    """An encoder of vectors with three values, and a classifier."""

    def __init__(self):
        super().__init__()
        self.linear, self.classifier = torch.nn.Linear(3, 3), torch.nn.Linear(3, 2)

    def forward(self, values):
        return self.classifier(torch.tanh(self.linear(values)))


@pytest.fixture
def model():
    torch.manual_seed(0)
    return get_peft_model(Small(), LoraConfig(r=2, target_modules=["linear"], modules_to_save=["classifier"]))


def test_a_number_stands_for_a_label_and_categories():
    targets = Targets(TABLE)
    numbers = np.array(targets.numbers(TABLE))
    assert targets.names == ["insult", "neutral", "threat"]
    assert category_task.is_toxic(numbers).tolist() == TABLE["label"].tolist()
    shares = targets.shares()[numbers // 2]
    assert shares.tolist() == [[1, 0, 0], [0.5, 0, 0.5], [0, 0, 0], [0, 1, 0], [0, 0, 0]]


@given(st.lists(st.tuples(st.sets(st.sampled_from("abcd")), st.integers(0, 1)), min_size=1))
def test_every_table_gives_its_labels_and_categories_back(rows):
    table = pd.DataFrame([("+".join(sorted(names)), label) for names, label in rows], columns=["categories", "label"])
    targets = Targets(table)
    numbers = np.array(targets.numbers(table))
    assert category_task.is_toxic(numbers).tolist() == table["label"].tolist()
    for (names, _), shares in zip(rows, targets.shares()[numbers // 2], strict=True):
        assert {name for name, share in zip(targets.names, shares, strict=True) if share} == names
        assert sum(shares) == pytest.approx(1 if names else 0)


@pytest.mark.parametrize(("categories", "many"), [(["", ""], False), (["a", "b"], False), (["a+b", "c"], True)])
def test_two_categories_say_no_more_than_the_label(categories, many):
    assert Targets(pd.DataFrame({"categories": categories, "label": [1, 0]})).are_many is many


def test_the_encoder_learns_from_it(model):
    targets = Targets(TABLE)
    task = CategoryTask(model, targets)
    numbers, values = torch.tensor(targets.numbers(TABLE)), torch.eye(5, 3)
    optimiser = torch.optim.Adam([weight for weight in model.parameters() if weight.requires_grad], lr=0.1)
    losses = []
    for _ in range(50):
        model(values)
        loss = task.loss(numbers)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    # Half of the second text's loss stays: it has two categories.
    assert losses[-1] < 0.5 * losses[0]
    assert any(weight.grad is not None for name, weight in model.named_parameters() if "lora" in name)


def test_texts_without_categories_count_nothing(model):
    task = CategoryTask(model, Targets(TABLE))
    model(torch.ones(2, 3))
    assert float(task.loss(torch.tensor([0, 1])).detach()) == 0


def test_its_layer_goes_into_a_checkpoint_and_not_into_the_adapter(model, tmp_path):
    task = CategoryTask(model, Targets(TABLE))
    model(torch.ones(1, 3))
    before = float(task.loss(torch.tensor([3])).detach())
    task.save(tmp_path)
    model.save_pretrained(str(tmp_path / "adapter"))
    task.remove()
    assert not [name for name, _ in model.named_parameters() if "category" in name]
    other = CategoryTask(model, Targets(TABLE))
    model(torch.ones(1, 3))
    assert float(other.loss(torch.tensor([3])).detach()) != before
    other.load(tmp_path)
    assert float(other.loss(torch.tensor([3])).detach()) == before
    from safetensors import safe_open

    with safe_open(tmp_path / "adapter" / "adapter_model.safetensors", "pt") as adapter:
        assert not [name for name in adapter.keys() if "category" in name]  # noqa: SIM118 - it is no mapping
