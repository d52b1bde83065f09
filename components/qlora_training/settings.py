"""The settings of a training run."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import ClassVar

from content_arena.components.qlora_training.encoders import AUTO, category_weight, learning_rate, named
from content_arena.components.shared.errors import InputError
from content_arena.components.shared.text.reader.lexicon import EDIT_PRICE

DEVICES = ("auto", "cpu", "cuda")


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """How to train; see Dettmers et al. 2023, "QLoRA", for the quantisation and the adapter.

    Attributes:
        base_model: Encoder to train from: all-MiniLM-L6-v2, multilingual-e5-small, a folder or a hub id. ``auto`` is
            replaced by the name of the language's default encoder.
        lang: ISO 639-1 code of the corpus.
        device: ``auto`` takes a GPU where there is one.
        epochs: Passes over the data at most; early stopping may end sooner. Half as many where training continues from
            the champion.
        batch_size: Texts an optimiser step sees.
        learning_rate: Peak, after warm-up, for the adapter and the head. 0 is replaced by that of the base model: 5e-4
            for multilingual-e5-small, 1e-3 for others. Half of it where training continues from the champion.
        warmup_share: Share of all steps in which the rate rises from 0 to its peak.
        weight_decay: Of AdamW.
        patience: Epochs without a better validation F1 after which training stops.
        lora_rank: r of the adapter.
        lora_alpha: Scale of the adapter; alpha / r multiplies its output.
        lora_dropout: On the adapter's input. 0 by default: the base model has dropout of its own, and on a CPU that of
            the adapters takes a twelfth of a step's time.
        max_length: Tokens a text is cut to in training, and the window in serving.
        attacked_share: Attacked texts to train on, as a share of the corpus' own training texts, at most.
        rehearsed_share: Share of the corpus' own training texts that the encoder sees again where training continues
            from the champion, above 0; see :func:`content_arena.components.qlora_training.dataset.rehearsed`.
        champion_share: Weight of the champion's adapter in the average with that of the challenger that was trained
            from it, from 0 to below 1; see :mod:`content_arena.components.qlora_training.weight_averaging`.
        category_weight: Weight of the auxiliary task beside the verdict: to tell a text's categories, where the corpus
            has them; see :mod:`content_arena.components.qlora_training.category_task`. 0 trains without it. Below 0 is
            replaced by that of the base model: 0 for multilingual-e5-small, 1 for others.
        reader: Whether misspelt, split and joined words are restored before the model reads a text.
        edit_price: Cost of one wrong letter, in nats, for the Reader. A lower price restores more words and flags more
            benign texts.
        ngrams: Whether a linear model of character n-grams decides together with the encoder.
        seed: Seed of initialisation, order and dropout.
    """

    SECTION: ClassVar[str] = "training"
    base_model: str = AUTO
    lang: str = "en"
    device: str = "auto"
    epochs: int = 4
    batch_size: int = 32
    learning_rate: float = 0.0
    warmup_share: float = 0.1
    weight_decay: float = 0.01
    patience: int = 2
    lora_rank: int = 16
    lora_alpha: int = 32
    lora_dropout: float = 0.0
    max_length: int = 128
    attacked_share: float = 0.5
    rehearsed_share: float = 0.4
    champion_share: float = 0.5
    category_weight: float = -1.0
    reader: bool = True
    edit_price: float = EDIT_PRICE
    ngrams: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "base_model", named(self.base_model, self.lang))
        if self.learning_rate == 0:
            object.__setattr__(self, "learning_rate", learning_rate(self.base_model))
        if self.category_weight < 0:
            object.__setattr__(self, "category_weight", category_weight(self.base_model))
        if self.device not in DEVICES:
            raise InputError(f"device {self.device!r} is none of {', '.join(DEVICES)}")
        for name in ("epochs", "batch_size", "patience", "lora_rank", "lora_alpha", "max_length"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}, it has to be at least 1")
        # Written so that NaN fails.
        if not 0 < self.edit_price < math.inf:
            raise InputError(f"edit_price is {self.edit_price}, it has to be above 0")
        if not 0 < self.rehearsed_share <= 1:
            raise InputError(f"rehearsed_share is {self.rehearsed_share}, it has to be above 0 and at most 1")
        if not 0 <= self.attacked_share < math.inf:
            raise InputError(f"attacked_share is {self.attacked_share}, it has to be 0 or more")
        if not 0 < self.learning_rate < math.inf:
            raise InputError(f"learning_rate is {self.learning_rate}, it has to be above 0")
        if not 0 <= self.weight_decay < math.inf:
            raise InputError(f"weight_decay is {self.weight_decay}, it has to be 0 or more")
        if not math.isfinite(self.category_weight):
            raise InputError(f"category_weight is {self.category_weight}, it has to be a number")
        for name in ("warmup_share", "lora_dropout", "champion_share"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}, it has to be from 0 to below 1")

    def as_dict(self) -> dict[str, str | int | float]:
        """Every setting by name."""
        return asdict(self)

    def on_cuda(self) -> bool:
        """Whether to use a GPU.

        Raises:
            InputError: ``device`` is cuda and there is no GPU.
        """
        import torch

        if self.device == "cuda" and not torch.cuda.is_available():
            raise InputError("device is cuda and torch finds no GPU: use --device cpu, or check the driver")
        return self.device != "cpu" and torch.cuda.is_available()
