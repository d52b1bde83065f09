"""Reads a corpus that was prepared before and kept, as `arena data restore` writes it: it is taken as it stands."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow
import pyarrow.parquet as parquet

from content_arena.components.corpus_preparation.cleaning import comparison_key
from content_arena.components.corpus_preparation.tables import sources
from content_arena.components.corpus_preparation.tables.parameters import named
from content_arena.components.corpus_preparation.tables.reading_options import ReadingOptions
from content_arena.components.shared import records
from content_arena.components.shared.errors import InputError

_SUFFIXES = (".parquet", ".pq")


def read_kept(data: str, lang: str, options: ReadingOptions) -> pd.DataFrame | None:
    """The texts of a kept corpus, with their splits: rows of Sample without a guard set, and a column key.

    Args:
        data: The path or the address of any data.
        lang: ISO 639 code of the texts.
        options: How the user says that the data is to be read.

    Returns:
        None if the data is no kept corpus.

    Raises:
        InputError: It is one, and is in another language, damaged, or is to be read in some way.
    """
    if not data.lower().endswith(_SUFFIXES):
        return None
    with _file(data) as path:
        if not _is_kept(path):
            return None
        table = records.read(records.Sample, path)
    table = table[table["split"] != records.GUARD].reset_index(drop=True)
    if options != ReadingOptions():
        raise InputError(
            f"{data} is a corpus that was prepared before, and is taken as it stands: leave out the options that say "
            "how a table is read (columns, label map, quoting, encoding)"
        )
    others = sorted(set(table["lang"]) - {lang})
    if others:
        raise InputError(f"{data} is a corpus in {', '.join(others)}: set {named('lang')} to that")
    return table.assign(key=table["text"].map(comparison_key).astype(object))


def _is_kept(path: Path) -> bool:
    """Whether a file states that it is a Sample table."""
    try:
        stated = (parquet.read_schema(path).metadata or {}).get(records.SCHEMA_KEY, b"")
    except (pyarrow.ArrowException, OSError):
        # Whoever reads it as any other data says what is wrong with it.
        return False
    return bool(stated.startswith(f"{records.Sample.__name__}/".encode()))


@contextlib.contextmanager
def _file(data: str) -> Iterator[Path]:
    if data.startswith(sources.SCHEMES):
        with sources.fetched(data) as path:
            yield path
    else:
        yield Path(data).expanduser()
