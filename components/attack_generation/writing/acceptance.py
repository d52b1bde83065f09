"""Which of the texts that an LLM wrote are attacks. What is not is counted, and never sent to a filter."""

from __future__ import annotations

import re
from collections.abc import Mapping

from content_arena.components.shared.chat.request import REFUSED
from content_arena.components.shared.limits import MAX_TEXT_LENGTH
from content_arena.components.shared.text.canonical import canonicalise

UNCHANGED, TOO_LONG = "unchanged", "too long"
#: How LLMs begin to decline, in English and Korean.
_REFUSAL = re.compile(
    r"""^\W*(
      (i\W?m\ (very\ |really\ )?sorry|i\ am\ sorry|sorry|apologies|unfortunately)\W+(but\ )?(as\ an\ ai|i\b)
        [^.!?]{0,20}(can\W?t|cannot|can\ not|won\W?t|unable|not\ able|not\ comfortable)
    | i\W?(can\W?t|cannot|can\ not|won\W?t|(am|m)\ (unable|not\ able)\ to)\ (\w+\ )?
        (help|assist|comply|fulfil+|provide|create|generate|produce|write|rewrite|paraphrase|translate|support|engage)\b
    | as\ an\ ai\b
    | (죄송|미안)[^.!?\n]{0,60}(수\ 없|도와\ ?드릴|어렵)
    | [^.!?\n]{0,40}(도와\ ?드릴|제공할|작성할|생성할|응할|처리할)\ 수\ 없
    )""",
    re.IGNORECASE | re.VERBOSE,
)


def problem_of(source: str, texts: Mapping[str, str]) -> str:
    """Why texts can be no attacks made of a source; "" if they can.

    Args:
        source: The original.
        texts: By field: each has to differ from the source and from the others.
    """
    forms = [_form(source), *map(_form, texts.values())]
    if len(set(forms)) < len(forms):
        return UNCHANGED
    if any(len(text) > MAX_TEXT_LENGTH for text in texts.values()):
        return TOO_LONG
    # Where the source itself reads like one, nothing can be told by it.
    if not _REFUSAL.search(source) and any(_REFUSAL.search(text) for text in texts.values()):
        return REFUSED
    return ""


def _form(text: str) -> str:
    """In which two texts are the same: other case, spaces and marks make no other text."""
    canonical = canonicalise(text).casefold()
    return "".join(filter(str.isalnum, canonical)) or canonical
