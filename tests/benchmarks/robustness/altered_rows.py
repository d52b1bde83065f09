"""Texts of a file that reading alters beyond white space, case, normal form C and masks, with before and after.

python -m tests.benchmarks.robustness.altered_rows --data FILE [--out ALTERED.tsv]

What reading alters in an ordinary text is a fault, unless somebody disguised a word there. Rows that hold such a
disguise are not counted: ``disguised_rows.txt`` lists those of three public files that a person found, as the name of
the file and the number of the row.
"""

from __future__ import annotations

import argparse
import sys
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from content_arena.components.corpus_preparation.ingest import ingest
from content_arena.components.shared.scoring.reading import Reading
from content_arena.components.shared.text.masking import mask

_DISGUISES = Path(__file__).with_name("disguised_rows.txt")


@dataclass(frozen=True)
class Altered:
    """A text that is read as another one; ``before`` is masked, ``after`` is as a model without a lexicon gets it."""

    row_id: str
    before: str
    after: str


def altered(texts: Sequence[str], name: str) -> Iterator[Altered]:
    """The texts of a file with this name that reading alters."""
    reading = Reading()
    for row, text in enumerate(texts):
        before, after = mask(text), reading(text)
        if _compared(before) != _compared(after):
            yield Altered(f"{name}-{row:06d}", " ".join(before.split()), after)


def n_masked(texts: Sequence[str]) -> int:
    """How many texts hold personal data."""
    return sum(mask(text) != text for text in texts)


def _compared(text: str) -> str:
    """Without what may differ."""
    return "".join(unicodedata.normalize("NFC", text).casefold().split())


def main() -> None:
    """Runs what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="labelled texts, as arena run --data takes them")
    parser.add_argument("--lang", default="en")
    parser.add_argument("--disguises", type=Path, default=_DISGUISES, help="ids of rows that hold one, one a line")
    parser.add_argument("--out", type=Path, help="the altered rows: id, before, after")
    given = parser.parse_args()
    texts: list[str] = ingest(str(given.data), given.lang).table["text"].tolist()
    named = set(given.disguises.read_text("utf-8").split())
    found = list(altered(texts, given.data.name.split(".")[0]))
    counted = [row.row_id for row in found if row.row_id not in named]
    if given.out:
        given.out.write_text("".join(f"{r.row_id}\t{r.before}\t{r.after}\n" for r in found), "utf-8")
    sys.stdout.write(
        f"{len(texts):,} rows: {len(found)} altered, {len(found) - len(counted)} of them disguises; "
        f"{len(counted) / max(1, len(texts)):.2%} counted; {n_masked(texts):,} rows masked\n"
        + "".join(f"  {row_id}\n" for row_id in counted)
    )


if __name__ == "__main__":
    main()
