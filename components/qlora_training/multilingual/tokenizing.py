"""Builds the tokenizer of multilingual-e5-small from its pieces and scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

from content_arena.components.qlora_training.multilingual.packed import Vocabulary
from content_arena.components.qlora_training.multilingual.pruning import SPACE

if TYPE_CHECKING:
    from tokenizers import Tokenizer

#: Names of the special tokens, as the model was trained with them.
BOS, EOS, PAD, UNK = "<s>", "</s>", "<pad>", "<unk>"


def build(vocabulary: Vocabulary, ids: list[int]) -> Tokenizer:
    """A tokenizer whose n-th token is the n-th of the given pieces.

    Args:
        vocabulary: The whole one.
        ids: The pieces to keep, special tokens among them.
    """
    from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

    pieces = [(vocabulary.pieces[i], vocabulary.scores[i]) for i in ids]
    tokenizer = Tokenizer(models.Unigram(pieces, ids.index(vocabulary.unk), False))
    # Nmt and NFKC make what the model's own table of replacements makes of a character: of all that Unicode assigns,
    # only U+FF5E and U+1F23B differ.
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Nmt(), normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " "), normalizers.Strip()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(SPACE, prepend_scheme="always")
    bos, eos = ids.index(vocabulary.bos), ids.index(vocabulary.eos)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A {EOS}", pair=f"{BOS} $A {EOS} {EOS} $B {EOS}", special_tokens=[(BOS, bos), (EOS, eos)]
    )
    tokenizer.add_special_tokens([AddedToken(token, normalized=False) for token in (BOS, PAD, EOS, UNK)])
    return tokenizer
