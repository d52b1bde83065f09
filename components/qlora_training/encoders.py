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


def named(base_model: str, lang: str) -> str:
    """The base model that is meant: ``auto`` is the default encoder of the language, any other name itself.

    Args:
        base_model: As a user gave it.
        lang: ISO 639-1 code of the texts.
    """
    return _DEFAULTS.get(lang, EMBEDDED) if base_model == AUTO else base_model
