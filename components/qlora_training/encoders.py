"""The encoders that come in Python packages, and which of them a language takes by default."""

from __future__ import annotations

from collections.abc import Mapping

#: Stands for the default encoder of the language.
AUTO = "auto"
#: all-MiniLM-L6-v2 (Apache-2.0, English).
EMBEDDED = "all-MiniLM-L6-v2"
#: intfloat/multilingual-e5-small (MIT, some hundred languages); its package is the extra ``korean``.
MULTILINGUAL = "multilingual-e5-small"
_DEFAULTS: Mapping[str, str] = {"ko": MULTILINGUAL}
#: Peak of an adapter's learning rate. The deeper encoder learns less at the higher one.
_RATES: Mapping[str, float] = {MULTILINGUAL: 5e-4}
_USUAL_RATE = 1e-3
#: Weight of the auxiliary task of the categories. On the Korean corpus the deeper encoder has a clean AUROC of .883
#: without it, .878 with a weight of 0.3 and .873 with 1 (one seed).
_CATEGORY_WEIGHTS: Mapping[str, float] = {MULTILINGUAL: 0.0}
_USUAL_CATEGORY_WEIGHT = 1.0


def named(base_model: str, lang: str) -> str:
    """The base model that is meant: ``auto`` is the default encoder of the language, any other name itself.

    Args:
        base_model: As a user gave it.
        lang: ISO 639-1 code of the texts.
    """
    return _DEFAULTS.get(lang, EMBEDDED) if base_model == AUTO else base_model


def learning_rate(base_model: str) -> float:
    """The default peak of the learning rate.

    Args:
        base_model: As :func:`named` returns it.
    """
    return _RATES.get(base_model, _USUAL_RATE)


def category_weight(base_model: str) -> float:
    """The default weight of the auxiliary task; see :mod:`content_arena.components.qlora_training.category_task`.

    Args:
        base_model: As :func:`named` returns it.
    """
    return _CATEGORY_WEIGHTS.get(base_model, _USUAL_CATEGORY_WEIGHT)
