"""The training data of a challenger: the corpus and all labelled attacks so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypedDict

import pandas as pd

from content_arena.components.shared import records
from content_arena.components.shared.canonical import canonicalise
from content_arena.components.shared.errors import InputError
from content_arena.components.shared.reader import hangul_lexicon
from content_arena.components.shared.reader import lexicon as lexicons
from content_arena.components.shared.reader.reader import Reader
from content_arena.components.shared.reading import Reading, ReadText

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

TOXIC = 1
BENIGN = 0
_COLUMNS = ["text", "label", "split"]
#: Least number of words in Latin letters that a lexicon needs to correct spelling.
_MIN_WORDS = 5_000


class TokenisedText(TypedDict):
    """A row of the Trainer's data set."""

    input_ids: list[int]
    attention_mask: list[int]
    labels: int


def training_table(
    corpus: pd.DataFrame,
    attacks: Sequence[pd.DataFrame],
    held_out: Sequence[str],
    attacks_per_text: int = 2,
) -> pd.DataFrame:
    """Joins corpus and labelled attacks.

    Three kinds of attacks are left out: those that wait for a review, those with a held-out strategy, and those whose
    original is in another split of this corpus than it was when the attack was made. Evaluation texts are thus never
    trained on.

    Args:
        corpus: Rows of Sample.
        attacks: Tables of LabelledAttack, oldest first.
        held_out: Strategies that are judged only.
        attacks_per_text: Most attacks of one battle on one text. A model that sees a text in ten disguises learns the
            text and not the disguises.

    Returns:
        Columns text (canonical), label (1 toxic, 0 benign), split (train or validation); every text once.

    Raises:
        InputError: A class is missing in training or validation.
    """
    parts = [corpus[_COLUMNS]]
    by_id, by_text = _splits(corpus)
    for table in attacks:
        usable = (
            _split_is_unchanged(table, by_id, by_text)
            & ~table["needs_review"]
            & ~table["strategy"].isin(list(held_out))
        )
        chosen = _few_per_text(table[usable], attacks_per_text)
        parts.append(chosen[["perturbed_text", "label", "split"]].set_axis(_COLUMNS, axis=1))
    joined = pd.concat(parts, ignore_index=True)
    joined = joined[joined["split"] != "test"]
    joined["text"] = joined["text"].map(Reading())
    joined["label"] = (joined["label"] == "toxic").astype(int)
    # An edit that the canonicaliser undoes gives the original again: it would count twice in validation, and only cost
    # time in training. The corpus comes first, so its row is kept.
    joined = joined[joined["text"] != ""].drop_duplicates("text").reset_index(drop=True)
    _check_classes(joined)
    return joined


def _check_classes(joined: pd.DataFrame) -> None:
    """Refuses a training table that has one class only in training or validation."""
    for split in ("train", "validation"):
        present = set(joined.loc[joined["split"] == split, "label"])
        if present != {TOXIC, BENIGN}:
            raise InputError(f"the {split} split has no {'toxic' if TOXIC not in present else 'benign'} text left")


def build_lexicon(corpus: pd.DataFrame, vocabulary: Mapping[str, int], edit_price: float) -> lexicons.Lexicon | None:
    """Builds the lexicon of a Reader from the words of the training split and of the tokenizer.

    Attacked texts are left out, because their misspelt words would become known words.

    Args:
        corpus: Rows of Sample.
        vocabulary: Tokens of the tokenizer with their ids.
        edit_price: See :class:`content_arena.components.shared.reader.lexicon.Lexicon`.

    Returns:
        The lexicon; None if it has too few words in Latin letters or too few pieces in Hangul, the only scripts whose
        spelling the Reader corrects.
    """
    trained = corpus[corpus["split"] == "train"]
    texts = trained["text"].map(Reading()).tolist()
    if hangul_lexicon.is_korean(texts):
        pieces = hangul_lexicon.build(vocabulary, texts)
        if pieces is None:
            return None
        return lexicons.Lexicon(pieces.starts, edit_price=edit_price, alphabet=lexicons.JAMO, inside=pieces.inside)
    lexicon = lexicons.build(vocabulary, texts, trained["label"].tolist(), edit_price)
    return lexicon if sum(map(str.isascii, lexicon.costs)) >= _MIN_WORDS else None


def read_through(table: pd.DataFrame, reader: Reader) -> pd.DataFrame:
    """Adds the column ``read``: the texts with their words restored, as the model gets them.

    Of several texts that the Reader turns into the same one, the first is kept.

    Args:
        table: From :func:`training_table`.
        reader: With the lexicon that goes into the bundle.

    Raises:
        InputError: A class is missing in training or validation.
    """
    read = table.assign(read=table["text"].map(reader.read)).drop_duplicates("read").reset_index(drop=True)
    _check_classes(read)
    return read


def _splits(corpus: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """The split of every text of a corpus: by its base_id, and by its canonical form.

    Two data sets may give one text different ids, so its canonical form is looked up as well.
    """
    canonical = corpus.assign(text=corpus["text"].map(canonicalise))
    return (
        corpus.drop_duplicates("base_id").set_index("base_id")["split"],
        canonical.drop_duplicates("text").set_index("text")["split"],
    )


def _split_is_unchanged(attacks: pd.DataFrame, by_id: pd.Series, by_text: pd.Series) -> pd.Series:
    """Whether each attack's original has the same split in the corpus of :func:`_splits`, or is not in it."""
    of_id = attacks["base_id"].map(by_id)
    of_text = attacks["original_text"].map(canonicalise).map(by_text)
    return (of_id.isna() | (of_id == attacks["split"])) & (of_text.isna() | (of_text == attacks["split"]))


def _few_per_text(attacks: pd.DataFrame, limit: int) -> pd.DataFrame:
    """At most ``limit`` attacks on each text, drawn by hash.

    Successful attacks are not preferred. A training set of texts chosen for having passed the champion resembles no
    ordinary texts, and a challenger trained on it flags more of everything.
    """
    undone = attacks["perturbed_text"].map(canonicalise) == attacks["original_text"].map(canonicalise)
    return attacks[~undone].sort_values("attack_id").groupby(["base_id", "original_text"], sort=False).head(limit)


def fingerprint(table: pd.DataFrame) -> str:
    """SHA-256 (hex) of a training table."""
    return records.digest(table, ["text", "label", "split"])


def class_weights(labels: Sequence[int]) -> list[float]:
    """Weights [benign, toxic] of the loss: inverse to the class's frequency, with the mean 1 over the texts."""
    n_toxic = sum(labels)
    n_benign = len(labels) - n_toxic
    return [len(labels) / (2 * n_benign), len(labels) / (2 * n_toxic)]


def read_texts(table: pd.DataFrame) -> list[ReadText]:
    """The texts of a training table as the model gets them: restored if the table went through a Reader."""
    return table["read" if "read" in table else "text"].tolist()


def tokenise(
    texts: Sequence[ReadText], labels: Sequence[int], tokenizer: PreTrainedTokenizerFast, max_length: int
) -> list[TokenisedText]:
    """Tokenises texts for the Trainer, without padding; ``labels`` are 1 for toxic."""
    encoded = tokenizer(list(texts), truncation=True, max_length=max_length)
    rows = zip(encoded["input_ids"], encoded["attention_mask"], labels, strict=True)
    return [{"input_ids": ids, "attention_mask": mask, "labels": label} for ids, mask, label in rows]
