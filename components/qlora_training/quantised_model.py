"""The model that QLoRA trains: a base model in 4 bits, a low-rank adapter and a head.

Sources: Dettmers et al. 2023, "QLoRA: Efficient Finetuning of Quantized LLMs" (NF4, double quantisation); Hu et al.
2021, "LoRA".
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from content_arena.components.qlora_training import base_models, mean_pooling
from content_arena.components.qlora_training.arithmetic import training_dtype
from content_arena.components.qlora_training.settings import TrainingSettings
from content_arena.components.shared.scoring.cpus import available_cpus

if TYPE_CHECKING:
    import torch
    from peft import LoraConfig, PeftModel
    from transformers import PreTrainedModel

#: Names of classification heads in transformers, BERT's pooler among them. They stay as they are, because a quantised
#: head cannot be trained.
HEAD_MODULES = ("classifier", "pooler", "pre_classifier", "score")


def load_quantised(settings: TrainingSettings) -> PreTrainedModel:
    """Loads the base model in NF4 with double quantisation; its head is not quantised.

    Raises:
        InputError: The base model cannot be loaded.
    """
    import torch
    from bitsandbytes.nn.modules import Linear4bit
    from transformers import AutoModelForSequenceClassification, BitsAndBytesConfig, set_seed

    # PyTorch would start a thread for each CPU of the machine, whatever this container's quota.
    torch.set_num_threads(min(torch.get_num_threads(), available_cpus()))
    # The head is not part of the base: its first weights are random, and the same for the same seed.
    set_seed(settings.seed)
    location = base_models.resolve(settings.base_model, settings.lang)
    reads_mean = mean_pooling.pooling(location) == "mean"
    architecture = mean_pooling.model_class() if reads_mean else AutoModelForSequenceClassification
    try:
        model: PreTrainedModel = architecture.from_pretrained(
            location,
            num_labels=2,
            id2label={0: "benign", 1: "toxic"},
            label2id={"benign": 0, "toxic": 1},
            trust_remote_code=False,
            use_safetensors=True,
            dtype=torch.bfloat16,
            device_map={"": 0 if settings.on_cuda() else "cpu"},
            quantization_config=BitsAndBytesConfig(
                load_in_4bit=True,
                bnb_4bit_quant_type="nf4",
                bnb_4bit_use_double_quant=True,
                bnb_4bit_compute_dtype=training_dtype(settings.on_cuda()),
                llm_int8_skip_modules=[rf"(?:.*\.)?(?:{'|'.join(HEAD_MODULES)})"],
            ),
        )
    except (OSError, ValueError, ImportError) as error:
        raise base_models.load_error(settings.base_model, error) from error
    for module in model.modules():
        if isinstance(module, Linear4bit):
            # On processors with AVX-512 BF16, bitsandbytes packs the weights for another kernel in evaluation. With
            # batches it takes twice as long, and no gradient goes through weights that are still packed.
            module.support_avx512bf16_for_cpu = False
    return model


def build_model(settings: TrainingSettings, adapter: Path | None = None) -> PeftModel:
    """Puts an adapter and a trainable head on the quantised base.

    Args:
        settings: How to train.
        adapter: Folder of an earlier adapter and head to continue from; new ones if None.

    Raises:
        InputError: The base model cannot be loaded.
    """
    from peft import PeftModel, get_peft_model, prepare_model_for_kbit_training

    base = prepare_model_for_kbit_training(load_quantised(settings), use_gradient_checkpointing=settings.on_cuda())
    model: PeftModel
    if adapter is None:
        model = get_peft_model(base, _lora(base, settings))
    else:
        model = PeftModel.from_pretrained(base, adapter, is_trainable=True)
    if not settings.on_cuda():
        _narrow(model, training_dtype(on_cuda=False))
        # PyTorch's fused attention has no dropout on a CPU. What it falls back to takes a twentieth of a step longer.
        base.set_attn_implementation("eager")
    return model


def _lora(base: PreTrainedModel, settings: TrainingSettings) -> LoraConfig:
    from bitsandbytes.nn.modules import Linear4bit
    from peft import LoraConfig, TaskType

    # Every linear layer that is in 4 bits, as Dettmers et al. do; their adapters match full fine-tuning only so.
    linear = [name for name, module in base.named_modules() if isinstance(module, Linear4bit)]
    heads = sorted({name.split(".")[-1] for name, _ in base.named_modules()} & set(HEAD_MODULES))
    return LoraConfig(
        task_type=TaskType.SEQ_CLS,
        r=settings.lora_rank,
        lora_alpha=settings.lora_alpha,
        lora_dropout=settings.lora_dropout,
        target_modules=linear,
        modules_to_save=heads,
    )


def _narrow(model: PeftModel, dtype: torch.dtype) -> None:
    """Brings what is neither quantised nor trained, embeddings and norms, back to the type of the arithmetic.

    peft's preparation makes float32 of it. Then all that passes between the layers is float32 too, and casting it for
    each of them takes a fifth of a step's time on a CPU.
    """
    for parameter in model.parameters():
        if not parameter.requires_grad and parameter.is_floating_point():
            parameter.data = parameter.data.to(dtype)
