"""The training data of a challenger: the corpus and all labelled attacks so far."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypedDict

import pandas as pd

from content_arena.components.corpus_preparation.guard import apart_from
from content_arena.components.qlora_training import dictionary
from content_arena.components.qlora_training.attacked_texts import balanced, few_per_text
from content_arena.components.qlora_training.settings import TrainingSettings
from content_arena.components.shared import records
from content_arena.components.shared.errors import InputError
from content_arena.components.shared.scoring.reading import Reading, ReadText
from content_arena.components.shared.text.canonical import canonicalise
from content_arena.components.shared.text.reader import hangul_lexicon
from content_arena.components.shared.text.reader import lexicon as lexicons

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

TOXIC = 1
BENIGN = 0
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
    attacked_share: float = TrainingSettings.attacked_share,
) -> pd.DataFrame:
    """Joins corpus and labelled attacks.

    Four kinds of attacks are left out: those that wait for a review, those with a held-out strategy, those whose
    original is in another split of this corpus than it was when the attack was made, and those whose original is a
    near-duplicate of a guard text. Evaluation texts are thus never trained on. Of the others some are chosen, see
    :func:`content_arena.components.qlora_training.attacked_texts.balanced`.

    Args:
        corpus: Rows of Sample.
        attacks: Tables of LabelledAttack, oldest first.
        held_out: Strategies that are judged only.
        attacked_share: Attacked texts of a split, as a share of the corpus' own, at most.

    Returns:
        Columns text (canonical), label (1 toxic, 0 benign), split (train or validation), strategy and family (of the
        attack; empty for a text of the corpus), categories (joined by "+"; an attack has those of the text it was made
        from); every text once.

    Raises:
        InputError: A class is missing in training or validation.
    """
    by_id, by_text = _splits(corpus)
    near_guard = _originals_near_guard(attacks, corpus)
    corpus = corpus.assign(categories=corpus["categories"].map(records.join_categories))
    usable = [
        few_per_text(
            table[
                _split_is_unchanged(table, by_id, by_text)
                & ~table["needs_review"]
                & ~table["strategy"].isin(list(held_out))
                & ~table["original_text"].isin(near_guard)
            ]
        ).assign(categories=lambda chosen: _categories_of_originals(chosen, corpus))
        for table in attacks
    ]
    unattacked = corpus[["text", "label", "split", "categories"]].assign(strategy="", family="")
    joined = pd.concat([unattacked, balanced(usable, corpus, attacked_share)], ignore_index=True)
    joined = joined[joined["split"].isin(["train", "validation"])]
    joined["text"] = joined["text"].map(canonicalise)
    joined["label"] = (joined["label"] == "toxic").astype(int)
    # An edit that the canonicaliser undoes gives the original again: it would count twice in validation, and only cost
    # time in training. The corpus comes first, so its row is kept.
    joined = joined[joined["text"] != ""].drop_duplicates("text").reset_index(drop=True)
    _check_classes(joined)
    return joined


def _categories_of_originals(attacks: pd.DataFrame, corpus: pd.DataFrame) -> list[str]:
    """The categories of the texts that attacks were made from; none where an attack's label is another one."""
    known = corpus.drop_duplicates(["base_id", "label"]).set_index(["base_id", "label"])["categories"]
    pairs = pd.MultiIndex.from_frame(attacks[["base_id", "label"]])
    categories: list[str] = known.reindex(pairs).fillna("").tolist()
    return categories


def strategies_in(table: pd.DataFrame) -> frozenset[str]:
    """Names of the strategies whose attacks are in a training table, for training or for validation."""
    return frozenset(table["strategy"]) - {""}


def describe(table: pd.DataFrame) -> str:
    """A line for the log: how many attacked texts are trained on, by class and by family."""
    train = table[table["split"] == "train"]
    attacked = train[train["strategy"] != ""]
    if attacked.empty:
        return "no attacked texts among them"
    n_toxic = int((attacked["label"] == TOXIC).sum())
    families = ", ".join(f"{n} {family}" for family, n in sorted(attacked["family"].value_counts().items()))
    return f"{len(attacked)} attacked texts among them: {n_toxic} toxic, {len(attacked) - n_toxic} benign; {families}"


def _check_classes(joined: pd.DataFrame) -> None:
    """Refuses a training table that has one class only in training or validation."""
    for split in ("train", "validation"):
        present = set(joined.loc[joined["split"] == split, "label"])
        if present != {TOXIC, BENIGN}:
            raise InputError(f"the {split} split has no {'toxic' if TOXIC not in present else 'benign'} text left")


def build_lexicon(
    corpus: pd.DataFrame, vocabulary: Mapping[str, int], edit_price: float, lang: str
) -> lexicons.Lexicon | None:
    """Builds the lexicon of a Reader from the words of the training split, of the tokenizer and of a dictionary.

    Attacked texts are left out, because their misspelt words would become known words.

    Args:
        corpus: Rows of Sample.
        vocabulary: Tokens of the tokenizer with their ids.
        edit_price: See :class:`content_arena.components.shared.text.reader.lexicon.Lexicon`.
        lang: ISO 639-1 code; decides on the dictionary.

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
    lexicon = lexicons.build(
        vocabulary,
        texts,
        trained["label"].tolist(),
        edit_price,
        kept=dictionary.words(lang),
        censored=dictionary.censored(lang),
    )
    return lexicon if sum(map(str.isascii, lexicon.costs)) >= _MIN_WORDS else None


def read_through(table: pd.DataFrame, reading: Reading) -> pd.DataFrame:
    """Adds the column ``read``: the texts as the model gets them.

    Of several texts that are read as the same one, the first is kept.

    Args:
        table: From :func:`training_table`.
        reading: With the Reader that goes into the bundle, if one does.

    Raises:
        InputError: A class is missing in training or validation.
    """
    read = table.assign(read=table["text"].map(reading)).drop_duplicates("read").reset_index(drop=True)
    _check_classes(read)
    return read


def rehearsed(table: pd.DataFrame, share: float, seed: int) -> pd.DataFrame:
    """What a challenger's encoder is trained on: all attacked texts, and a part of the corpus again.

    The champion knows the corpus by heart. Without any of it a challenger would forget it (Robins 1995, "Catastrophic
    forgetting, rehearsal and pseudorehearsal"); all of it again makes it worse on texts it has not seen.

    Args:
        table: From :func:`training_table` or :func:`read_through`.
        share: Of the corpus' own training texts of either class, above 0.
        seed: Chooses them.

    Returns:
        The rows in their order; those of the validation split are all there.
    """
    corpus = table[(table["split"] == "train") & (table["strategy"] == "")]
    kept = [rows.sample(math.ceil(share * len(rows)), random_state=seed) for _, rows in corpus.groupby("label")]
    return table.drop(corpus.index.difference(pd.concat(kept).index)).reset_index(drop=True)


def _splits(corpus: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """The split of every text of a corpus: by its base_id, and by its canonical form.

    Two data sets may give one text different ids, so its canonical form is looked up as well.
    """
    corpus = corpus[corpus["split"] != records.GUARD]
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


def _originals_near_guard(attacks: Sequence[pd.DataFrame], corpus: pd.DataFrame) -> frozenset[str]:
    """The originals of all attacks that are near-duplicates of a guard text of the corpus.

    Battles attack the same texts again, so all of them are compared at once.
    """
    guard = corpus.loc[corpus["split"] == records.GUARD, "text"]
    if guard.empty or not attacks:
        return frozenset()
    originals = pd.concat([table["original_text"] for table in attacks]).drop_duplicates()
    return frozenset(originals[~apart_from(originals, guard)])


def fingerprint(table: pd.DataFrame) -> str:
    """SHA-256 (hex) of a training table."""
    return records.digest(table, ["text", "label", "split", "categories"])


def class_weights(labels: Sequence[int]) -> list[float]:
    """Weights [benign, toxic] of the loss: inverse to the class's frequency, with the mean 1 over the texts."""
    n_toxic = sum(labels)
    n_benign = len(labels) - n_toxic
    return [len(labels) / (2 * n_benign), len(labels) / (2 * n_toxic)]


def read_texts(table: pd.DataFrame) -> list[ReadText]:
    """The texts of a training table as the model gets them: as read if the table went through a Reading."""
    return table["read" if "read" in table else "text"].tolist()


def tokenise(
    texts: Sequence[ReadText], labels: Sequence[int], tokenizer: PreTrainedTokenizerFast, max_length: int
) -> list[TokenisedText]:
    """Tokenises texts for the Trainer, without padding; ``labels`` are what its loss and its metric are given."""
    encoded = tokenizer(list(texts), truncation=True, max_length=max_length)
    rows = zip(encoded["input_ids"], encoded["attention_mask"], labels, strict=True)
    return [{"input_ids": ids, "attention_mask": mask, "labels": label} for ids, mask, label in rows]
