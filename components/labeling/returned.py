"""Reads answers that come back: Label Studio's exports JSON, JSON-MIN and CSV, and our own CSV.

A file is read whole before anything is kept. Errors name the place and quote no text: attackers wrote the texts.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from content_arena.components.labeling.queue import ANSWER, ID_MARK
from content_arena.components.shared import records
from content_arena.components.shared.csv_cells import original
from content_arena.components.shared.errors import InputError

#: Separators of spreadsheets in various countries.
_SEPARATORS = (",", ";", "\t")
_ID = "attack_id"


@dataclass(frozen=True)
class Returned:
    """One answer of one person, as a file has it.

    Attributes:
        attack_id: Which attack was shown.
        answer: One of ANSWERS of the records.
        reviewer: Who said it; empty if the file does not say.
        text: The text that was shown; None if the file does not have it.
        place: Where it is in the file, for messages.
    """

    attack_id: str
    answer: str
    reviewer: str
    text: str | None
    place: str


def read(path: Path) -> list[Returned]:
    """The answers of a file, in its order; what nobody answered is left out.

    Raises:
        InputError: The file cannot be read, is in no known format, or an answer is none of those that there are.
    """
    try:
        content = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8: in a spreadsheet, save it as CSV UTF-8") from error
    try:
        if content.lstrip().startswith(("[", "{")):
            return list(_of_json(content))
        return list(_of_csv(content))
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _of_json(content: str) -> Iterator[Returned]:
    try:
        document = json.loads(content)
    except ValueError as error:
        raise InputError("it is no whole JSON document; export it again") from error
    except RecursionError as error:
        raise InputError("it is nested too deeply for an export of Label Studio") from error
    tasks = document if isinstance(document, list) else [document]
    for number, task in enumerate(tasks, start=1):
        place = f"task {number}"
        if not isinstance(task, Mapping):
            raise InputError(f"{place} is no object: export from Label Studio as JSON or JSON-MIN")
        if isinstance(task.get("data"), Mapping):
            yield from _of_task(task, place)
        else:
            yield from _of_row(task, place)


def _of_task(task: Mapping[str, object], place: str) -> Iterator[Returned]:
    """The answers of a task with its annotations: Label Studio's format JSON."""
    data = task["data"]
    annotations = task.get("annotations", [])
    if not isinstance(data, Mapping) or not isinstance(annotations, list):
        raise InputError(f"{place} has no list of annotations: export from Label Studio as JSON")
    for annotation in annotations:
        if not isinstance(annotation, Mapping) or not isinstance(annotation.get("result", []), list):
            raise InputError(f"{place} has an annotation without a result")
        # Somebody skipped it.
        if annotation.get("was_cancelled"):
            continue
        given = [
            result.get("value") for result in annotation.get("result") or [] if isinstance(result, Mapping)
            and result.get("type") == "choices" and result.get("from_name") == ANSWER
        ]  # fmt: skip
        answer = _answer(given[-1] if given else None, place)
        if answer is not None:
            yield Returned(_id(data, place), answer, _who(annotation.get("completed_by")), _text(data), place)


def _of_row(row: Mapping[str, object], place: str) -> Iterator[Returned]:
    """The answer of a flat row: Label Studio's JSON-MIN and CSV, and our CSV."""
    answer = _answer(row.get(ANSWER), place)
    if answer is not None:
        reviewer = row.get("reviewer") or row.get("annotator")
        yield Returned(_id(row, place), answer, _who(reviewer), _text(row), place)


def _of_csv(content: str) -> Iterator[Returned]:
    # A spreadsheet may leave lines that are empty.
    start = content.lstrip("\r\n")
    header = start[: start.find("\n")] if "\n" in start else start
    separator = max(_SEPARATORS, key=header.count)
    csv.field_size_limit(1 << 20)
    try:
        names, *rows = list(csv.reader(io.StringIO(start, newline=""), delimiter=separator)) or [[]]
    except csv.Error as error:
        raise InputError(f"it is no CSV ({error})") from error
    names = [name.strip() for name in names]
    missing = [name for name in (_ID, ANSWER) if name not in names]
    if missing:
        raise InputError(f"it has no column {' and no column '.join(missing)}, and is no JSON")
    for number, row in enumerate(rows, start=2):
        if len(row) > len(names) and any(row[len(names) :]):
            raise InputError(f"row {number} has {len(row)} cells and the first row {len(names)}")
        cells = dict(zip(names, map(original, row), strict=False))
        if any(cell.strip() for cell in cells.values()):
            yield from _of_row(cells, f"row {number}")


def _answer(value: object, place: str) -> str | None:
    """What was answered; None if nothing was."""
    if isinstance(value, Mapping):
        value = value.get("choices")
    if isinstance(value, Sequence) and not isinstance(value, str):
        if len(value) > 1:
            raise InputError(f"{place} has {len(value)} answers of one person, wanted one")
        value = value[0] if value else None
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    answer = value.strip().casefold() if isinstance(value, str) else ""
    if answer not in records.ANSWERS:
        raise InputError(f"{place} has an {ANSWER} that is none of {', '.join(records.ANSWERS)}")
    return answer


def _id(fields: Mapping[str, object], place: str) -> str:
    value = fields.get(_ID)
    if not isinstance(value, str) or not value.strip():
        raise InputError(f"{place} has an answer and no {_ID}")
    return value.strip().removeprefix(ID_MARK)


def _text(fields: Mapping[str, object]) -> str | None:
    value = fields.get("text")
    return value if isinstance(value, str) else None


def _who(value: object) -> str:
    """Names a person; of an account with an e-mail address only the number is taken."""
    if isinstance(value, Mapping):
        value = value.get("id")
    return str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""
