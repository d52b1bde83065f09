"""Invalid settings are refused before anything is loaded."""

import pytest

from content_arena.components.qlora_training.settings import TrainingSettings
from content_arena.components.shared.errors import InputError


@pytest.mark.parametrize(
    "wrong",
    [
        {"device": "tpu"},
        {"epochs": 0},
        {"batch_size": -1},
        {"learning_rate": -0.001},
        {"learning_rate": float("nan")},
        {"lora_dropout": 1.0},
        {"warmup_share": -0.1},
        {"weight_decay": float("nan")},
        {"category_weight": float("inf")},
    ],
)
def test_refuses(wrong):
    (name,) = wrong
    with pytest.raises(InputError, match=name):
        TrainingSettings(base_model="x", **wrong)


def test_a_missing_gpu_is_refused():
    import torch

    settings = TrainingSettings(base_model="x", device="cuda")
    if torch.cuda.is_available():
        assert settings.on_cuda()
    else:
        with pytest.raises(InputError, match="no GPU"):
            settings.on_cuda()


@pytest.mark.parametrize(
    ("base_model", "lang", "named"),
    [
        ("auto", "en", "all-MiniLM-L6-v2"),
        ("auto", "de", "all-MiniLM-L6-v2"),
        ("auto", "ko", "multilingual-e5-small"),
        ("all-MiniLM-L6-v2", "ko", "all-MiniLM-L6-v2"),
        ("klue/bert-base", "ko", "klue/bert-base"),
    ],
)
def test_auto_is_the_default_encoder_of_the_language(base_model, lang, named):
    assert TrainingSettings(base_model=base_model, lang=lang).base_model == named
    assert (
        TrainingSettings(lang=lang).as_dict()["base_model"] == TrainingSettings(lang=lang, base_model="auto").base_model
    )


@pytest.mark.parametrize(
    ("given", "lang", "rate"), [({}, "en", 1e-3), ({}, "ko", 5e-4), ({"learning_rate": 0.1}, "ko", 0.1)]
)
def test_an_encoder_has_a_learning_rate_of_its_own(given, lang, rate):
    assert TrainingSettings(lang=lang, **given).learning_rate == rate


@pytest.mark.parametrize(
    ("given", "lang", "weight"),
    [({}, "en", 1.0), ({}, "ko", 0.0), ({"category_weight": 0.0}, "en", 0.0), ({"category_weight": 0.5}, "ko", 0.5)],
)
def test_an_encoder_has_a_weight_of_the_categories_of_its_own(given, lang, weight):
    assert TrainingSettings(lang=lang, **given).category_weight == weight
