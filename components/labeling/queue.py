"""The review queue as files that leave the house: tasks for Label Studio, and a CSV for a spreadsheet.

Both name each attack by its id, show its text beside the original, and have one field for the answer.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping

import pandas as pd

from content_arena.components.labeling.answers import PERSON, PERSON_OF_ORIGINAL
from content_arena.components.shared import records
from content_arena.components.shared.csv_cells import inert

#: The field of a file that holds what a person says; in Label Studio the name of the control.
ANSWER = "answer"
#: Names of fields that go out; ``voted`` is the label of the vote, ``battle`` and ``victim_version`` where it is from.
FIELDS = ("attack_id", "text", "original", "voted", "confidence", "strategy", "lang", "victim_version", "battle")
#: Columns of LabelledAttack whose fields are called otherwise.
_COLUMNS = {
    "text": "perturbed_text", "original": "original_text", "voted": "label", "confidence": "label_confidence"
}  # fmt: skip
#: Stands before an id in a spreadsheet, which would take 12345678e1234567 for a number.
ID_MARK = "#"
#: Interface of a Label Studio project that takes the tasks.
LABEL_CONFIG = (
    "<View>\n"
    '  <Header value="Attacked text"/>\n'
    '  <Text name="text" value="$text"/>\n'
    '  <Header value="It was made from"/>\n'
    '  <Text name="original" value="$original"/>\n'
    f'  <Choices name="{ANSWER}" toName="text" choice="single" required="true">\n'
    + "".join(f'    <Choice value="{answer}"/>\n' for answer in records.ANSWERS)
    + "  </Choices>\n"
    "</View>\n"
)


def one_per_text(waiting: pd.DataFrame) -> pd.DataFrame:
    """The attacks to ask about: of several with the same text the newest.

    The least certain label comes first, and one attack on each original before a second one on any: an answer holds
    for the other attacks on the original, too.

    Args:
        waiting: Rows of LabelledAttack with the column ``battle``, oldest battle first.
    """
    newest = waiting.drop_duplicates("perturbed_text", keep="last").sort_values(["label_confidence", "attack_id"])
    place = newest.groupby("original_text", sort=False).cumcount()
    return newest.iloc[place.argsort(kind="stable")]


def sample(labelled: pd.DataFrame, n: int) -> pd.DataFrame:
    """Attacks that do not wait, drawn by hash, each on another original: answers about them tell how good the vote is.

    Args:
        labelled: Rows of LabelledAttack with the column ``battle``, with the word of people in place of the vote.
        n: How many at most.
    """
    sure = labelled[~labelled["needs_review"] & ~labelled["label_source"].isin([PERSON, PERSON_OF_ORIGINAL])]
    rank = sure["attack_id"].map(lambda name: records.sha256_of("sample", name))
    return sure.loc[rank.sort_values().index].drop_duplicates("original_text").head(n)


def label_studio(waiting: pd.DataFrame) -> str:
    """Tasks in Label Studio's JSON format, each with the vote as a prediction.

    See https://labelstud.io/guide/predictions.

    Args:
        waiting: From :func:`one_per_text`.
    """
    return json.dumps([_task(data) for data in _shown(waiting)], ensure_ascii=False, indent=1)


def spreadsheet(waiting: pd.DataFrame) -> str:
    """A CSV (RFC 4180, with a byte order mark, by which Excel knows UTF-8) with an empty column for the answer.

    No cell is a formula, see :mod:`content_arena.components.shared.csv_cells`.

    Args:
        waiting: From :func:`one_per_text`.
    """
    written = io.StringIO(newline="")
    writer = csv.writer(written, lineterminator="\r\n")
    # The last column is no text: what reads the file must not find the end of a line in one.
    writer.writerow([FIELDS[0], ANSWER, *FIELDS[1:], "reviewer"])
    for data in _shown(waiting):
        first, *others = (inert(str(value)) for value in data.values())
        writer.writerow([ID_MARK + first, "", *others, ""])
    return f"\ufeff{written.getvalue()}"


#: Names of the formats, each with what writes it.
FORMATS: Mapping[str, Callable[[pd.DataFrame], str]] = {"labelstudio": label_studio, "csv": spreadsheet}


def _shown(waiting: pd.DataFrame) -> list[dict[str, str | float]]:
    """The :data:`FIELDS` of each attack."""
    columns = {field: _COLUMNS.get(field, field) for field in FIELDS}
    shown = [
        {field: str(value) for field, value in zip(columns, row, strict=True)}
        for row in waiting[list(columns.values())].itertuples(index=False)
    ]
    return [fields | {"confidence": round(float(fields["confidence"]), 4)} for fields in shown]


def _task(data: dict[str, str | float]) -> dict[str, object]:
    choice = {"from_name": ANSWER, "to_name": "text", "type": "choices", "value": {"choices": [data["voted"]]}}
    prediction = {"model_version": f"vote, version {data['victim_version']}", "score": data["confidence"]}
    return {"data": data, "predictions": [prediction | {"result": [choice]}]}
