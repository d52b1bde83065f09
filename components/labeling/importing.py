"""Brings answers that came back together with the attacks that they are about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from content_arena.components.labeling.answers import contradicted, settled
from content_arena.components.labeling.returned import Returned
from content_arena.components.shared import records
from content_arena.components.shared.errors import InputError
from content_arena.components.shared.text.readability import is_rewritten

#: Places that an error names.
_SHOWN = 5
#: Columns that an answer takes from its attack.
_OF_ATTACK = ["attack_id", "base_id", "lang", "original_text", "perturbed_text"]
_KEY = ["perturbed_text", "reviewer"]


@dataclass(frozen=True, kw_only=True)
class Imported:
    """What a file of answers says.

    Attributes:
        answers: What it adds to the answers that are kept: rows of Answer.
        n_known: Answers of it that are kept already.
        n_unsigned: Answers of it of which nobody knows who gave them: all of them count as one person's.
        n_changed: Texts about which a person now says something else than before.
        unknown: Ids of which no attack is kept here, or not any more.
        disputed: Ids of attacks about which people disagree without a majority.
        contradicted: Ids of originals that have another label in their corpus than people give their attacks.
    """

    answers: pd.DataFrame
    n_known: int
    n_unsigned: int
    n_changed: int
    unknown: tuple[str, ...]
    disputed: tuple[str, ...]
    contradicted: tuple[str, ...]


def matched(
    returned: Sequence[Returned], labelled: pd.DataFrame, known: pd.DataFrame, *, reviewer: str, day: str
) -> Imported:
    """Finds the attacks that answers are about, and what the answers add to those that are kept.

    Args:
        returned: From :func:`content_arena.components.labeling.returned.read`.
        labelled: Rows of LabelledAttack, of every battle.
        known: Rows of Answer, as they are kept.
        reviewer: Who answered, where the file does not say.
        day: Of today.

    Raises:
        InputError: The file has no answer, or none about an attack of this arena; or a text in it is not that of its
            id.
    """
    if not returned:
        raise InputError("nobody has answered anything in it: the answers go into the column or control `answer`")
    attacks = labelled.drop_duplicates("attack_id", keep="last").set_index("attack_id", drop=False)
    found = [each for each in returned if each.attack_id in attacks.index]
    unknown = tuple(dict.fromkeys(each.attack_id for each in returned if each.attack_id not in attacks.index))
    if not found:
        raise InputError(
            f"none of its {len(unknown)} ids is of an attack that is kept here: was it exported from another arena?"
        )
    _require_same_texts(found, attacks)
    shown = attacks.loc[[each.attack_id for each in found]].reset_index(drop=True)
    given = (
        shown[_OF_ATTACK]
        .assign(
            is_rewritten=is_rewritten(shown),
            answer=[each.answer for each in found],
            reviewer=[each.reviewer or reviewer for each in found],
            day=day,
        )
        .drop_duplicates(_KEY, keep="last")
    )
    before = known.drop_duplicates(_KEY, keep="last").set_index(_KEY)["answer"]
    said_before = pd.Series(before.reindex(pd.MultiIndex.from_frame(given[_KEY])).to_numpy(), index=given.index)
    added = given[said_before != given["answer"]].reset_index(drop=True)
    said = settled(pd.concat([known, added], ignore_index=True))
    id_of = dict(zip(map(str, given["perturbed_text"]), map(str, given["attack_id"]), strict=True))
    disputed = [attack_id for text, attack_id in id_of.items() if said.texts[text].answer is None]
    return Imported(
        answers=records.validate(records.Answer, added),
        n_known=len(given) - len(added),
        n_unsigned=int((given["reviewer"] == "").sum()),
        n_changed=int((said_before.notna() & (said_before != given["answer"])).sum()),
        unknown=unknown,
        disputed=tuple(disputed),
        contradicted=tuple(contradicted(attacks, said)),
    )


def _require_same_texts(found: Sequence[Returned], attacks: pd.DataFrame) -> None:
    """Refuses a file in which ids stand beside other texts: in a spreadsheet one column was sorted without the others.

    Only letters and digits are compared: programs change line breaks and drop what is invisible.
    """
    text_of = dict(zip(map(str, attacks["attack_id"]), map(str, attacks["perturbed_text"]), strict=True))
    wrong = [
        each.place for each in found
        if each.text is not None and _letters(each.text) != _letters(text_of[each.attack_id])
    ]  # fmt: skip
    if wrong:
        places = ", ".join(wrong[:_SHOWN]) + (f" and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else "")
        raise InputError(
            f"the text is not that of its attack_id in {places}: was a column sorted or changed alone? Nothing was read"
        )


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text))
