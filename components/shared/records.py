"""The tables that pass between stages, as pandera schemas over Parquet files.

What a column means is written here and nowhere else. A file states the version of its schema in its metadata, because
labelled attacks are kept for years of later trainings: :func:`read` upgrades a table of an older version.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd
import pandera.pandas as pa
import pyarrow
import pyarrow.parquet as parquet
from pandera.errors import SchemaError, SchemaErrors
from pandera.typing import Series

from content_arena.components.shared.errors import InputError
from content_arena.components.shared.limits import MAX_TEXT_LENGTH

LABELS = ("toxic", "benign")
#: The splits of a corpus.
SPLITS = ("train", "validation", "test")
#: Texts from elsewhere than the corpus. Both models are judged on them, and nothing is trained or attacked with them.
GUARD = "guard"
STATUSES = ("success", "failed", "skipped")
#: What a person says of a text that nobody can read: it is never trained on, and nobody is asked again.
UNREADABLE = "unreadable"
#: What a person may say of a text.
ANSWERS = (*LABELS, UNREADABLE)
#: Key of a Parquet file's metadata; its value is the name and the version of the schema, such as ``Attack/0``.
SCHEMA_KEY = b"content_arena.schema"

#: Makes a table of the next version of its schema.
Upgrade = Callable[[pd.DataFrame], pd.DataFrame]


class Record(pa.DataFrameModel):
    """Base of the schemas."""

    @classmethod
    def upgrades(cls) -> tuple[Upgrade, ...]:
        """The functions that upgrade an older table: number n makes a table of version n + 1 from one of version n.

        Their number is therefore the schema's version. Append a function when you add, rename or remove a column.
        :class:`LabelledAttack` inherits those of :class:`Attack`: in both, the order is that of their releases.
        """
        return ()

    @classmethod
    def version(cls) -> int:
        """The version that is written; 0 is also that of the files that state none."""
        return len(cls.upgrades())

    class Config:
        """Unknown columns are refused, so that a misspelt one cannot pass unnoticed."""

        strict = True
        coerce = True


class Sample(Record):
    """One text of the corpus."""

    sample_id: Series[str] = pa.Field(unique=True, description="Stable name of the row.")
    base_id: Series[str] = pa.Field(description="Names the original a text was made from; splits never cut through it.")
    text: Series[str] = pa.Field(str_length={"min_value": 1, "max_value": MAX_TEXT_LENGTH})
    label: Series[str] = pa.Field(isin=LABELS)
    lang: Series[str] = pa.Field(description="ISO 639-1 code.")
    categories: Series[object] = pa.Field(
        description="Names (list[str]) of what the text is: harms such as insult, or a kind of benign text such as "
        "quoting. An empty list of a toxic text says nothing of its harms."
    )
    target_ident: Series[str] = pa.Field(nullable=True, description="Group spoken of, whatever the label.")
    source: Series[str] = pa.Field(description="Where the row comes from; of a guard text, the name of the guard set.")
    split: Series[str] = pa.Field(isin=(*SPLITS, GUARD))

    @pa.check("categories", element_wise=True)
    def list_of_names(cls, cell: object) -> bool:  # noqa: N805 - pandera makes it a class method
        """Whether a cell is a list of names."""
        return isinstance(cell, list) and all(isinstance(name, str) and name for name in cell)

    @classmethod
    def upgrades(cls) -> tuple[Upgrade, ...]:
        """Up to version 0 a text had one string, ``category``, with its categories joined by "+"."""
        return (_with_categories,)


def _with_categories(table: pd.DataFrame) -> pd.DataFrame:
    lists = [split_categories(cell) for cell in table["category"]]
    return table.assign(categories=pd.Series(lists, index=table.index, dtype=object)).drop(columns="category")


def split_categories(cell: object) -> list[str]:
    """The categories in a string that joins them by "+"; none in a cell that is empty."""
    return [name for name in map(str.strip, cell.split("+")) if name] if isinstance(cell, str) else []


def join_categories(names: Sequence[str]) -> str:
    """The categories of a text as one string, as :func:`split_categories` takes it."""
    return "+".join(names)


class Attack(Record):
    """One (text, strategy) pair of a battle with its best attempt."""

    attack_id: Series[str] = pa.Field(unique=True)
    base_id: Series[str]
    lang: Series[str]
    # pandera's model has a method of this name. The files have a column of this name, and nothing calls the method.
    strategy: Series[str]  # type: ignore[assignment]
    family: Series[str]
    params: Series[str] = pa.Field(
        description="JSON: what an LLM was asked and wrote; a search's edits; if it learns, also shard and order."
    )
    seed: Series[int] = pa.Field(description="Seed of the attempt kept: the same seed gives the same text again.")
    intensity: Series[float] = pa.Field(ge=0, le=1, description="Share of the editable places the attempt aimed at.")
    budget: Series[int] = pa.Field(ge=1, description="Queries the pair was allowed.")
    original_text: Series[str]
    perturbed_text: Series[str]
    label_gold: Series[str] = pa.Field(isin=LABELS, description="The original's label; of a benign twin: benign.")
    victim_version: Series[str]
    threshold: Series[float] = pa.Field(description="The victim's own threshold.")
    score_before: Series[float] = pa.Field(ge=0, le=1, description="Victim's probability of toxic, original.")
    score_after: Series[float] = pa.Field(ge=0, le=1, description="Victim's probability of toxic, perturbed.")
    status: Series[str] = pa.Field(
        isin=STATUSES,
        description="success: the verdict turned from right to wrong; failed: it stood; "
        "skipped: the victim was wrong before any edit, or the strategy found nothing to change. A search over all "
        "strategies has failed where it found nothing to send.",
    )
    n_queries: Series[int] = pa.Field(ge=0)
    edit_distance: Series[int] = pa.Field(ge=0, description="Levenshtein distance in characters.")
    pct_changed: Series[float] = pa.Field(ge=0, description="edit_distance / length of the longer text.")
    similarity: Series[float] = pa.Field(ge=0, le=1, description="Of the canonical forms; 1 = canonically equal.")
    split: Series[str] = pa.Field(isin=SPLITS, description="Split of the original.")
    meaning: Series[float] = pa.Field(
        ge=-1,
        le=1,
        nullable=True,
        description="Cosine similarity of the sentence embeddings of both texts; null where it was not measured, or "
        "the strategy leaves the words.",
    )

    @classmethod
    def upgrades(cls) -> tuple[Upgrade, ...]:
        """Up to version 0 no meaning was measured."""
        return (_without_meaning,)


def _without_meaning(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(meaning=np.nan)


class LabelledAttack(Attack):
    """An attack with the label it may be trained on."""

    label: Series[str] = pa.Field(isin=LABELS)
    label_confidence: Series[float] = pa.Field(ge=0, le=1)
    label_source: Series[str] = pa.Field(
        description="The voters that agreed on the label, joined by '+'; person where people said what it is."
    )
    needs_review: Series[bool] = pa.Field(description="True: nothing trains on it; it waits for a person.")
    votes: Series[str] = pa.Field(
        description="JSON: each voter's probability of toxic, by name; who abstained is not in it."
    )

    @classmethod
    def upgrades(cls) -> tuple[Upgrade, ...]:
        """Its own votes came before :class:`Attack` got a meaning."""
        return (lambda table: table.assign(votes="{}"), *super().upgrades())


class Answer(Record):
    """What one person said of one attacked text."""

    attack_id: Series[str] = pa.Field(description="Of the attack that was shown.")
    base_id: Series[str]
    lang: Series[str] = pa.Field(description="ISO 639-1 code.")
    original_text: Series[str]
    perturbed_text: Series[str] = pa.Field(description="The text that the answer is about, whoever made it.")
    is_rewritten: Series[bool] = pa.Field(
        description="Whether an LLM wrote the text, so that the answer says nothing of the original."
    )
    answer: Series[str] = pa.Field(isin=ANSWERS)
    reviewer: Series[str] = pa.Field(description="Who said it, as the file named them; empty if it did not.")
    day: Series[str] = pa.Field(description="When it was read in, as 2026-11-29.")


Schema = TypeVar("Schema", bound=Record)


def write(schema: type[Schema], table: pd.DataFrame, path: str | Path) -> None:
    """Validates a table and writes it as Parquet, with the name and the version of its schema in the metadata.

    Raises:
        InputError: The table does not fit the schema; the message names column, check and number of rows.
    """
    columns = list(schema.to_schema().columns)
    content = _with_typed_lists(pyarrow.Table.from_pandas(validate(schema, table)[columns], preserve_index=False))
    stated = {SCHEMA_KEY: f"{schema.__name__}/{schema.version()}".encode()}
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(content.replace_schema_metadata((content.schema.metadata or {}) | stated), path)


def read(schema: type[Schema], path: str | Path) -> pd.DataFrame:
    """Reads a Parquet table, upgrades it to the schema's version and validates it.

    Raises:
        InputError: No such file, a damaged one, one of another schema or of a newer version, or the table does not fit
            the schema.
    """
    if not Path(path).is_file():
        raise InputError(f"no {schema.__name__} table at {path}")
    try:
        with parquet.ParquetFile(path) as file:
            content = file.read()
    except (pyarrow.ArrowException, OSError) as error:
        raise InputError(f"{path} is no whole Parquet file (damaged, cut off or of another format)") from error
    version = _stated_version(schema, content.schema.metadata or {}, path)
    table = content.to_pandas()
    for name in _list_columns(content):  # pandas makes arrays of them.
        table[name] = pd.Series(content.column(name).to_pylist(), index=table.index, dtype=object)
    for upgrade in schema.upgrades()[version:]:
        table = upgrade(table)
    return validate(schema, table)


def _list_columns(content: pyarrow.Table) -> list[str]:
    return [field.name for field in content.schema if pyarrow.types.is_list(field.type)]


def _with_typed_lists(content: pyarrow.Table) -> pyarrow.Table:
    """The table with its lists as lists of strings; Arrow cannot tell the type of lists that are all empty."""
    for name in _list_columns(content):
        typed = content.column(name).cast(pyarrow.list_(pyarrow.string()))
        content = content.set_column(content.schema.get_field_index(name), name, typed)
    return content


def _stated_version(schema: type[Schema], metadata: Mapping[bytes, bytes], path: str | Path) -> int:
    """The version of a file's schema; 0 if the file states none: it was written before files did."""
    stated = metadata.get(SCHEMA_KEY)
    if stated is None:
        return 0
    name, _, version = stated.decode("utf-8", "replace").partition("/")
    if name != schema.__name__ or not version.isdecimal():
        raise InputError(f"{path} holds {name!r} records of version {version!r}, wanted {schema.__name__}")
    if int(version) > schema.version():
        raise InputError(
            f"{path} holds {name} records of version {version}, this release reads versions up to {schema.version()}: "
            "read it with the release that wrote it, or a newer one"
        )
    return int(version)


def validate(schema: type[Schema], table: pd.DataFrame) -> pd.DataFrame:
    """Checks a table against a schema, all columns at once.

    Raises:
        InputError: With every failing (column, check) and how many rows fail it. Cell values stay out of the message:
            they are user text.
    """
    try:
        return schema.validate(table, lazy=True)
    except (SchemaError, SchemaErrors) as error:
        cases = error.failure_cases
        detail = ""
        if isinstance(cases, pd.DataFrame):
            found = cases.groupby(["column", "check"], dropna=False).size().reset_index(name="n").to_numpy().tolist()
            detail = "; ".join(f"{column}: {check} ({n} rows)" for column, check, n in found)
            unknown = cases.loc[cases["check"].isin(["column_in_schema", "column_in_dataframe"]), "failure_case"]
            detail = "; ".join(filter(None, [detail, *(f"unknown or missing column {name}" for name in unknown)]))
        raise InputError(f"{schema.__name__} table is not valid: {detail or type(error).__name__}") from None


def sha256_of(*parts: str) -> str:
    """SHA-256 (hex) over several strings, in order."""
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def digest(table: pd.DataFrame, columns: list[str]) -> str:
    """SHA-256 (hex) over the named columns of a table, row by row in order.

    Fields and rows are separated by characters that no JSON or text field holds, so two tables with one hash are equal
    in these columns. Floats are taken at six decimals: the last bits of a score differ between CPU generations.
    """
    sha = hashlib.sha256()
    for row in table[columns].itertuples(index=False):
        for value in row:
            text = f"{value:.6f}" if isinstance(value, float) else str(value)
            sha.update(text.encode("utf-8", "surrogatepass") + b"\x1f")
        sha.update(b"\x1e")
    return sha.hexdigest()


def corpus_digest(corpus: pd.DataFrame) -> str:
    """SHA-256 (hex) of a corpus (rows of Sample): texts, labels and splits, in whatever order they come.

    The guard set is no part of it: another one is no reason to train again.
    """
    rows = corpus[corpus["split"] != GUARD]
    return digest(rows.sort_values("sample_id"), ["sample_id", "text", "label", "split"])
