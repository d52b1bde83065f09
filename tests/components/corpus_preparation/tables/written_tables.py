"""Writes a table as other programs do, and reads it."""

import pytest

from content_arena.components.corpus_preparation.ingest import ingest
from content_arena.components.corpus_preparation.tables.reading_options import ReadingOptions
from content_arena.components.shared.errors import InputError


def write(path, content, encoding="utf-8"):
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return path


def read(path, lang="en", **given):
    return ingest(str(path), lang, ReadingOptions.of(given))


def texts_and_labels(path, lang="en", **given):
    table = read(path, lang, **given).table
    return list(zip(table["text"], table["label"], strict=True))


def refusal(path, lang="en", **given):
    with pytest.raises(InputError) as caught:
        read(path, lang, **given)
    message = str(caught.value)
    assert "\n" not in message
    return message
