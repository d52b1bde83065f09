"""Cells of a CSV file that no spreadsheet takes for a formula, and back.

Attackers write the texts that go into such a file, and a formula can send the rest of the sheet away. OWASP ("CSV
Injection") names the characters that begin one, full-width forms among them, and advises an apostrophe before them. A
spreadsheet may also cut a cell at another separator than the file's, so what follows a separator within a cell is
treated as the beginning of one.
"""

from __future__ import annotations

import re

_SEPARATORS = r";,|\t\r\n"
#: What may begin a formula, and the apostrophe itself, so that what was added can be told from what was there.
_BEGINS = r"=+\-@＝＋－＠\t\r\n'"
#: A place where a cell begins; blanks and quotation marks before a formula do not disarm it in every program.
_PLACE, _AHEAD = rf"(?<![^{_SEPARATORS}])", rf"(?=[ \"]*[{_BEGINS}])"
_UNSAFE, _SAFE = re.compile(_PLACE + _AHEAD), re.compile(f"{_PLACE}'{_AHEAD}")


def inert(text: str) -> str:
    """A cell that is no formula: an apostrophe stands before whatever could begin one."""
    return _UNSAFE.sub("'", text)


def original(cell: str) -> str:
    """The text of a cell that :func:`inert` made."""
    return _SAFE.sub("", cell)
