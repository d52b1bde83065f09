"""An auxiliary task: while it learns toxic from benign, the encoder learns which category a text has.

What makes a text toxic or harmless is a small share of what its writer did. The category says more: this is an insult
that is denied, that one is quoted to report it. A model that learns both tasks from one vector finds features that hold
beyond its training texts (Caruana 1997, "Multitask Learning"). The layer of this task is needed in training only, so a
bundle has the same model, and scores as fast, as without it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from content_arena.components.shared.records import split_categories

if TYPE_CHECKING:
    import torch
    from peft import PeftModel
    from torch.nn import Linear
    from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

#: In a checkpoint: the weights of the task's layer, which are no part of the adapter.
WEIGHTS = "category_task.safetensors"
#: Name of the task's layer as a part of the model while it is trained.
_LAYER = "category_task"
#: With two names a text's category says hardly more than its label.
_LEAST_NAMES = 3

Numbers = TypeVar("Numbers", int, npt.NDArray[np.int64], "torch.Tensor")


class Targets:
    """What the texts of a table are to be recognised as: their label, and the categories known of them.

    The Trainer carries one integer a text. Here it is the number of the text's pair of label and categories.

    Attributes:
        names: The categories of all texts, in alphabetical order.
    """

    def __init__(self, table: pd.DataFrame) -> None:
        """Args: table: From :func:`content_arena.components.qlora_training.dataset.training_table`."""
        self._groups = ["", *sorted(set(table["categories"]) - {""})]
        self.names = sorted({name for group in self._groups for name in split_categories(group)})

    @property
    def are_many(self) -> bool:
        """Whether there are enough categories to learn anything beyond the label from."""
        return len(self.names) >= _LEAST_NAMES

    def numbers(self, table: pd.DataFrame) -> list[int]:
        """The number of each row's pair; odd if the row is toxic, see :func:`is_toxic`."""
        place = {group: i for i, group in enumerate(self._groups)}
        return [2 * place[group] + label for group, label in zip(table["categories"], table["label"], strict=True)]

    def shares(self) -> npt.NDArray[np.float32]:
        """float32[groups, names], by ``number // 2``: 1 divided evenly among the categories; all 0 if none is known."""
        rows = [[name in split_categories(group) for name in self.names] for group in self._groups]
        has = np.array(rows, dtype=np.float32)
        shares: npt.NDArray[np.float32] = has / np.maximum(has.sum(axis=1, keepdims=True), 1)
        return shares


def is_toxic(numbers: Numbers) -> Numbers:
    """The labels, 1 for toxic, of numbers from :meth:`Targets.numbers`: one of them, an array or a tensor."""
    return numbers % 2


class CategoryTask:
    """The layer of the task, on the vector that the model's classifier reads."""

    def __init__(self, model: PeftModel, targets: Targets) -> None:
        """Puts the layer into a model, so that an optimiser made from now on trains it too.

        Args:
            model: A sequence classifier with two outputs, whose last layer reads one vector a text.
            targets: Have at least one name.
        """
        import torch

        classifier = _classifier(model)
        self._model = model
        self._shares = torch.from_numpy(targets.shares())
        self._layer = torch.nn.Linear(classifier.in_features, len(targets.names), device=classifier.weight.device)
        self._vectors: torch.Tensor | None = None
        model.add_module(_LAYER, self._layer)
        self._hook = classifier.register_forward_pre_hook(self._keep)

    def _keep(self, _: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        self._vectors = inputs[0]

    def loss(self, numbers: torch.Tensor) -> torch.Tensor:
        """Cross-entropy of the categories, summed over the texts of the model's last pass whose categories are known.

        Args:
            numbers: int64[n], from :meth:`Targets.numbers`, of these texts.
        """
        import torch

        vectors = cast("torch.Tensor", self._vectors)
        wanted = self._shares.to(vectors.device)[numbers // 2]
        logs = torch.log_softmax(self._layer(vectors.to(self._layer.weight.dtype)), dim=-1)
        return -(wanted * logs).sum()

    def save(self, checkpoint: Path) -> None:
        """Writes the layer's weights into a checkpoint, whole or not at all."""
        from safetensors.torch import save_file

        torn = checkpoint / f"{WEIGHTS}.part"
        save_file(self._layer.state_dict(), torn)
        torn.replace(checkpoint / WEIGHTS)

    def load(self, checkpoint: Path) -> None:
        """Reads them back."""
        from safetensors.torch import load_file

        self._layer.load_state_dict(load_file(checkpoint / WEIGHTS))

    def remove(self) -> None:
        """Takes the layer out of the model."""
        self._hook.remove()
        delattr(self._model, _LAYER)


def reads_one_vector(model: PeftModel) -> bool:
    """Whether a model's classifier reads one vector a text. That of a decoder, ``score``, reads one of every token."""
    return not hasattr(model.get_base_model(), "score")


def _classifier(model: PeftModel) -> Linear:
    """The last layer that is trained: what tells toxic from benign."""
    from torch.nn import Linear

    layers = [layer for layer in model.modules() if isinstance(layer, Linear) and layer.weight.requires_grad]
    return layers[-1]


def saved_with_checkpoints(task: CategoryTask) -> TrainerCallback:
    """A callback that writes the layer's weights into every checkpoint, so that a training can be resumed."""
    from transformers import TrainerCallback
    from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

    class Saved(TrainerCallback):
        def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
            task.save(Path(args.output_dir or "") / f"{PREFIX_CHECKPOINT_DIR}-{state.global_step}")

    return Saved()
