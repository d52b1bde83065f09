"""What a challenger trains on: the corpus, and every labelled attack so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from content_arena.components.shared import records
from content_arena.components.shared.canonical import canonicalise
from content_arena.components.shared.errors import InputError
from content_arena.components.shared.reader import lexicon as lexicons
from content_arena.components.shared.reader.reader import Reader
from content_arena.components.shared.reading import Reading

TOXIC = 1
BENIGN = 0
_COLUMNS = ["text", "label", "split"]
#: Fewer words in Latin letters than this make no lexicon to spell by.
_MIN_WORDS = 5_000


def training_table(
    corpus: pd.DataFrame,
    attacks: Sequence[pd.DataFrame],
    held_out: Sequence[str],
    attacks_per_text: int = 2,
) -> pd.DataFrame:
    """Joins corpus and labelled attacks.

    Attacks are left out that wait for a person's review, that use a held-out strategy, or whose original stands in
    another split of this corpus than it did when the attack was made: what is judged on is never trained on.

    Args:
        corpus: Rows of Sample.
        attacks: Tables of LabelledAttack, oldest first.
        held_out: Strategies that are judged only.
        attacks_per_text: Attacks of one battle on one text that are trained on at most. A text repeated in ten
            disguises teaches the text, not the disguises.

    Returns:
        Columns text (canonical), label (1 toxic, 0 benign), split (train or validation); one row a different text.

    Raises:
        InputError: A class is missing in training or validation.
    """
    split_of = corpus.drop_duplicates("base_id").set_index("base_id")["split"]
    # Data sets may name one text differently; what a text says decides as well.
    split_of_text = (
        corpus.assign(text=corpus["text"].map(canonicalise)).drop_duplicates("text").set_index("text")["split"]
    )
    parts = [corpus[_COLUMNS]]
    for table in attacks:
        now = table["base_id"].map(split_of)
        said = table["original_text"].map(canonicalise).map(split_of_text)
        stays = (now.isna() | (now == table["split"])) & (said.isna() | (said == table["split"]))
        fit = stays & ~table["needs_review"] & ~table["strategy"].isin(list(held_out))
        chosen = _few_per_text(table[fit], attacks_per_text)
        parts.append(
            pd.DataFrame({"text": chosen["perturbed_text"], "label": chosen["label"], "split": chosen["split"]})
        )
    joined = pd.concat(parts, ignore_index=True)
    joined = joined[joined["split"] != "test"]
    joined["text"] = joined["text"].map(Reading())
    joined["label"] = (joined["label"] == "toxic").astype(int)
    # An edit that the canonicaliser undoes gives the original again. In validation it would count twice, in training
    # it would only cost time. The corpus comes first, so its row is the one that stays.
    joined = joined[joined["text"] != ""].drop_duplicates("text").reset_index(drop=True)
    _check_classes(joined)
    return joined


def _check_classes(joined: pd.DataFrame) -> None:
    for split in ("train", "validation"):
        present = set(joined.loc[joined["split"] == split, "label"])
        if present != {TOXIC, BENIGN}:
            raise InputError(f"the {split} split has no {'toxic' if TOXIC not in present else 'benign'} text left")


def build_lexicon(corpus: pd.DataFrame, vocabulary: Mapping[str, int], edit_price: float) -> lexicons.Lexicon | None:
    """The words of the training split and of the tokenizer; attacked texts are no source of words.

    Args:
        corpus: Rows of Sample.
        vocabulary: Tokens of the tokenizer with their ids.
        edit_price: See :class:`content_arena.components.shared.reader.lexicon.Lexicon`.

    Returns:
        None if there are too few words in an alphabet that the Reader can spell.
    """
    trained = corpus[corpus["split"] == "train"]
    lexicon = lexicons.build(vocabulary, trained["text"].map(Reading()).tolist(), trained["label"].tolist(), edit_price)
    return lexicon if sum(map(str.isascii, lexicon.costs)) >= _MIN_WORDS else None


def read_through(table: pd.DataFrame, reader: Reader) -> pd.DataFrame:
    """Adds the column ``read``: the texts as the model gets them.

    Of texts that are read the same the first stays, as with edits that the canonicaliser undoes.

    Args:
        table: From :func:`training_table`.
        reader: Restores words.

    Raises:
        InputError: A class is missing in training or validation.
    """
    read = table.assign(read=table["text"].map(reader.read)).drop_duplicates("read").reset_index(drop=True)
    _check_classes(read)
    return read


def _few_per_text(attacks: pd.DataFrame, limit: int) -> pd.DataFrame:
    """At most ``limit`` attacks a text, drawn by hash.

    Not those that got through first: chosen for having beaten the champion, they make a set no ordinary text resembles,
    and the challenger flags more of everything.
    """
    undone = attacks["perturbed_text"].map(canonicalise) == attacks["original_text"].map(canonicalise)
    return attacks[~undone].sort_values("attack_id").groupby(["base_id", "original_text"], sort=False).head(limit)


def fingerprint(table: pd.DataFrame) -> str:
    """SHA-256 (hex) of a training table."""
    return records.digest(table, ["text", "label", "split"])


def class_weights(labels: Sequence[int]) -> list[float]:
    """Weights [benign, toxic] of the loss, inverse to frequency, mean 1 over the texts."""
    n_toxic = sum(labels)
    n_benign = len(labels) - n_toxic
    return [len(labels) / (2 * n_benign), len(labels) / (2 * n_toxic)]


def read_texts(table: pd.DataFrame) -> list[str]:
    """The texts as the model gets them: restored where the table went through a Reader."""
    return table["read" if "read" in table else "text"].tolist()


def tokenise(table: pd.DataFrame, tokenizer: Any, max_length: int) -> list[dict[str, Any]]:  # noqa: ANN401
    """What the Trainer takes: for every text its input_ids, attention_mask and labels, not padded."""
    encoded = tokenizer(read_texts(table), truncation=True, max_length=max_length)
    rows = zip(encoded["input_ids"], encoded["attention_mask"], table["label"].tolist(), strict=True)
    return [{"input_ids": ids, "attention_mask": mask, "labels": label} for ids, mask, label in rows]
