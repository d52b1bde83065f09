"""Decodes a file of text. Where it is not UTF-8, the usual encoding of its language is tried.

Any sequence of bytes is some text in most encodings: Russian in Windows-1251, decoded as Windows-1252, gives a row of
accented Latin letters and no error. So the result is checked for what such mistakes look like, and the file is refused
where it looks like one.
"""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from content_arena.components.corpus_preparation.tables.parameters import named
from content_arena.components.shared.errors import InputError

_BOMS = {  # UTF-32 first: its mark begins with that of UTF-16.
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
#: What other kinds of files begin with.
_MAGIC = {
    b"PK\x03\x04": "a ZIP archive or a workbook of Excel",
    b"\xd0\xcf\x11\xe0": "an old workbook of Excel",
    b"PAR1": "a Parquet file",
    b"SQLite format 3": "an SQLite database",
    b"%PDF": "a PDF file",
    b"\x89PNG": "a picture",
}
_WESTERN = frozenset(
    (
        "af", "ca", "da", "de", "en", "es", "eu", "fi", "fo", "fr", "ga", "gl", "is", "it", "lb", "nb", "nl", "nn",
        "no", "pt", "sq", "sv",
    )
)  # fmt: skip
#: Largest share of lines with bytes that are not UTF-8 in a file that is otherwise UTF-8; the rows are then dropped.
_MAX_DAMAGED = 0.1
#: Largest share of a file's lines with a NUL; with more of them it is no text.
_MAX_NUL = 0.1
#: Largest share of implausible places among all runs of non-ASCII characters.
_MAX_IMPLAUSIBLE = 0.02
#: Least share of usual Hangul among the letters beyond ASCII of Korean text.
_MIN_HANGUL = 0.9
_UNDECODABLE = re.compile("[\ud800-\udfff]")
_NON_ASCII = re.compile(r"[^\x00-\x7f]+")
_LETTERS = "A-Za-zÀ-ÖØ-öø-ÿŒœŠšŽžŸƒ"
#: What text of another encoding looks like in Windows-1252: three or more characters beyond ASCII in a row with a
#: letter among them, a sign inside a word, a capital beyond ASCII after a small letter.
_NOT_WESTERN = re.compile(
    r"(?=[^\x00-\x7f]*[À-ÖØ-öø-ÿŒœŠšŽžŸƒ])[^\x00-\x7f\xa0]{3,}"
    rf"|(?<=[{_LETTERS}])[¡¢£¤¥¦§¨©«¬®¯±²³µ¶¸¹»¼½¾¿“”„‚†‡•‰‹›ˆ˜](?=[{_LETTERS}])"
    "|(?<=[a-zß-öø-ÿ])[À-ÖØ-ÞŒŠŽŸ]"
)


def is_undecodable(value: object) -> bool:
    """Whether a cell has bytes that were not decoded, or a lone surrogate, which UTF-8 cannot encode."""
    return isinstance(value, str) and not value.isascii() and _UNDECODABLE.search(value) is not None


def check_encoding(encoding: str) -> None:
    """Refuses what is no encoding of text.

    Raises:
        InputError: Python knows no such encoding.
    """
    try:
        known = codecs.lookup(encoding)
        "a".encode(known.name)
    except (LookupError, ValueError, TypeError) as error:
        raise InputError(
            f"{named('encoding')} {encoding!r} is none; give one such as cp1252, cp949 or utf-16"
        ) from error


def decode(raw: bytes, path: Path, lang: str, encoding: str | None = None) -> tuple[str, tuple[str, ...]]:
    """Decodes a file of text.

    Bytes that are not UTF-8 in a file that is otherwise UTF-8 become lone surrogates, so that only their rows are lost.

    Args:
        raw: The bytes.
        path: Of the file, for messages.
        lang: ISO 639 code of its texts.
        encoding: Of the file; found if None.

    Returns:
        The text without a byte order mark, and a sentence if it was not UTF-8.

    Raises:
        InputError: It is no text, or in an encoding that cannot be told for certain.
    """
    kind = next((kind for magic, kind in _MAGIC.items() if raw.startswith(magic)), None)
    if kind is not None:
        raise InputError(f"{path} is a binary file ({kind}), whatever its suffix; give its suffix, or convert it")
    marked = next((name for mark, name in _BOMS.items() if raw.startswith(mark)), None)
    encoding = encoding or marked or _unmarked_utf16(raw)
    if encoding is not None:
        return _decode_as(encoding, raw, path, marked)
    _check_is_text(raw, path)
    whole = _strictly(raw, "utf-8-sig")
    if whole is not None:
        return whole, ()
    text = raw.decode("utf-8-sig", "surrogateescape")
    lines = [line for line in text.split("\n") if not line.isascii()]
    damaged = sum(map(is_undecodable, lines))
    n_lines = sum(1 for line in text.split("\n") if line.strip())
    if damaged <= _MAX_DAMAGED * n_lines and damaged <= len(lines) - damaged:
        return text, ()  # UTF-8, with a few broken lines: the reader drops these, and counts them.
    usual, plausible = _usual(lang)
    decoded = _strictly(raw, usual) if usual and 2 * damaged > len(lines) else None
    if decoded is not None and plausible(decoded):
        return decoded, (f"it was decoded as {usual}: {damaged:,} of {n_lines:,} lines are not UTF-8",)
    raise InputError(
        f"{path} is not UTF-8 in {damaged:,} of {n_lines:,} lines{_guess(raw)}; name its encoding with "
        f"{named('encoding')}, or save it as UTF-8"
    )


def _decode_as(encoding: str, raw: bytes, path: Path, marked: str | None) -> tuple[str, tuple[str, ...]]:
    """Decodes by the encoding that was given, or that the file itself shows."""
    text = _strictly(raw, "utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding)
    if text is not None:
        return text.removeprefix("\ufeff"), (f"it was decoded as {encoding}",)
    if encoding == marked:
        raise InputError(f"{path} begins as {encoding.upper()} but does not go on so; save it as UTF-8")
    raise InputError(f"{path} is not in the encoding {encoding}{_guess(raw)}; give another {named('encoding')}")


def _strictly(raw: bytes, encoding: str) -> str | None:
    try:
        return raw.decode(encoding)
    except UnicodeError:
        return None


def _unmarked_utf16(raw: bytes) -> str | None:
    """UTF-16 without a mark, which half of the bytes of its ASCII characters show: they are NUL."""
    head = raw[: 4096 - 4096 % 2]
    if len(head) < 8 or len(head) % 2:
        head = head[: len(head) // 2 * 2]
    for name, high in (("utf-16-le", head[1::2]), ("utf-16-be", head[::2])):
        if high and high.count(0) > 0.3 * len(high) and head.count(0) - high.count(0) <= 0.02 * len(high):
            return name if _strictly(raw, name) is not None else None
    return None


def _check_is_text(raw: bytes, path: Path) -> None:
    if b"\0" not in raw:
        return
    lines = [line for line in raw.split(b"\n") if line.strip()]
    with_nul = sum(b"\0" in line for line in lines)
    if with_nul > max(1, _MAX_NUL * len(lines)):
        raise InputError(
            f"{path} is a binary file ({with_nul:,} of {len(lines):,} lines hold NUL bytes), whatever its suffix; "
            f"give a file of text, or its encoding with {named('encoding')}"
        )


def _usual(lang: str) -> tuple[str, Callable[[str], bool]]:
    """The encoding that a language's files had before UTF-8, and the check of its result; "" for most languages."""
    if lang == "ko":
        return "cp949", _is_korean
    return ("cp1252" if lang in _WESTERN else ""), _is_western


def _is_western(text: str) -> bool:
    """Whether text that was decoded as Windows-1252 looks like a Western European language."""
    runs = sum(1 for _ in _NON_ASCII.finditer(text))
    implausible = sum(1 for _ in _NOT_WESTERN.finditer(text))
    return implausible <= _MAX_IMPLAUSIBLE * runs


def _is_korean(text: str) -> bool:
    """Whether text that was decoded as CP949 looks like Korean.

    Other encodings give Chinese characters, jamo that are no longer written, and syllables beyond the 2,350 usual ones.
    """
    number_of = {letter: n for letter, n in Counter(text).items() if not letter.isascii() and letter.isalpha()}
    usual = sum(n for letter, n in number_of.items() if _is_usual_hangul(letter))
    return usual >= _MIN_HANGUL * sum(number_of.values())


def _is_usual_hangul(letter: str) -> bool:
    if "\uac00" <= letter <= "\ud7a3":
        # EUC-KR has two bytes for the usual syllables, and spells the others in eight.
        return len(letter.encode("euc_kr", "replace")) == 2
    return "\u3131" <= letter <= "\u3163"


def _guess(raw: bytes) -> str:
    """The encoding that charset-normalizer thinks of, as part of a message."""
    import charset_normalizer

    best = charset_normalizer.from_bytes(raw[:200_000]).best()
    return "" if best is None or best.encoding in ("utf_8", "ascii") else f", and reads like {best.encoding} (a guess)"
