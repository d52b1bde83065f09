"""The guard set: labelled texts from elsewhere than the corpus, to judge both models on.

A filter that learns the topics and the authors of one corpus gets better on its test split and worse everywhere else.
The guard set shows that. It has other topics and authors, and no model is ever trained, attacked or tuned on it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd

from content_arena.components.corpus_preparation import ingest
from content_arena.components.corpus_preparation.cleaning import clean, comparison_key
from content_arena.components.corpus_preparation.duplicates.near_duplicates import near_to
from content_arena.components.corpus_preparation.splits import name_texts
from content_arena.components.corpus_preparation.tables import databases
from content_arena.components.corpus_preparation.tables.columns import Columns
from content_arena.components.corpus_preparation.tables.formats import read_columns
from content_arena.components.corpus_preparation.tables.parameters import named
from content_arena.components.corpus_preparation.tables.reading_options import ReadingOptions
from content_arena.components.shared.errors import InputError
from content_arena.components.shared.library_errors import without_credentials
from content_arena.components.shared.records import GUARD, LABELS

#: With fewer texts of a class, AUROC moves by more than the margin of its gate when a few texts change places.
MIN_TEXTS_PER_CLASS = 50
#: Prefix of the ids of guard texts: one of them may be a test text of the corpus, too.
_ID_PREFIX = "guard-"


def has_embedded_guard(lang: str) -> bool:
    """Whether the package has a guard set in a language."""
    return ingest.embedded_file(lang, GUARD) is not None


def read_guard(
    data: str, lang: str, options: ReadingOptions | None = None, tell: Callable[[str], None] | None = None
) -> pd.DataFrame | None:
    """Reads and cleans a guard set.

    Args:
        data: "embedded" for the one that comes with the package, or what :func:`ingest.ingest` takes.
        lang: ISO 639 code of the texts.
        options: How the corpus is read. Its columns are used if the guard set has them, and the usual names otherwise;
            its label map too, unless the guard set is the embedded one; its encoding and its quoting only if the guard
            set cannot be read without them.
        tell: Called with each sentence about what was not read as it stands, and about the rows that were dropped.

    Returns:
        Rows of Sample with the split "guard", all with the guard set's name as their source; None if the embedded one
        is asked for and the language has none.

    Raises:
        InputError: The data cannot be read or has fewer than 50 texts of a class.
    """
    if data == ingest.EMBEDDED and not has_embedded_guard(lang):
        return None
    databases.check(data, None, "guard")
    # An address may hold what it must not hold.
    address = without_credentials(data).partition("?")[0]
    try:
        options = ReadingOptions() if options is None or data == ingest.EMBEDDED else options
        columns, name = _columns(data, lang, options)
        ingested = ingest.tabulate(columns, name, lang, options.if_there(columns))
        table, dropped = clean(ingested.table)
    except InputError as error:
        raise InputError(f"{named('guard')} {address}: {error}") from error
    number_of = {label: int((table["label"] == label).sum()) for label in LABELS}
    if min(number_of.values()) < MIN_TEXTS_PER_CLASS:
        found = " and ".join(f"{number:,} {label}" for label, number in number_of.items())
        raise InputError(
            f"{named('guard')} {address}: {found} texts are left, at least {MIN_TEXTS_PER_CLASS} of each are needed to "
            "judge a model on; give more labelled texts"
        )
    if tell is not None:
        reasons = [f"{reason} {number:,}" for reason, number in [*ingested.dropped.items(), *dropped.items()] if number]
        for sentence in [*ingested.notes, *([f"dropped: {', '.join(reasons)}"] if reasons else [])]:
            tell(f"guard set {name}: {sentence}")
    table = name_texts(table)
    ids = {column: _ID_PREFIX + table[column] for column in ("sample_id", "base_id")}
    return table.assign(**ids, source=name, split=GUARD)


def apart_from(texts: pd.Series, guard: pd.Series) -> pd.Series:
    """Marks the texts that are no near-duplicates of a guard text; bool, with the index of ``texts``.

    Args:
        texts: Of the corpus, or of attacks.
        guard: Texts of the guard set.
    """
    keys, guard_keys = (column.map(comparison_key).tolist() for column in (texts, guard))
    return pd.Series(~near_to(keys, guard_keys), index=texts.index, dtype=bool)


def _columns(data: str, lang: str, options: ReadingOptions) -> tuple[Columns, str]:
    """The columns of a guard set, and its name."""
    embedded: Path | None = ingest.embedded_file(lang, GUARD) if data == ingest.EMBEDDED else None
    if embedded is not None:
        return read_columns(embedded, lang), f"{ingest.EMBEDDED}-{lang}-{GUARD}"
    try:
        return ingest.read(data, lang)
    except InputError:
        if options.encoding is None and options.quoting is None:
            raise
        return ingest.read(data, lang, replace(options, query=None))
