"""An LLM as a voter: it is asked what a text is, and sees neither the original nor a label.

It is without weight, as every voter that people have not measured, and is asked about texts that wait for a person
only: people's answers about them measure it. What it said is kept beside what LLMs wrote for attacks, so that the same
text is asked about once.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from content_arena.components.attack_generation.writing import prompts
from content_arena.components.attack_generation.writing.asking import Asking
from content_arena.components.attack_generation.writing.kept import Answer, KeptAnswers
from content_arena.components.labeling.voters import Votes
from content_arena.components.shared.chat import Chat, ChatSettings, open_chat
from content_arena.components.shared.chat.request import OTHER_SHAPE, listed
from content_arena.components.shared.errors import ChatError
from content_arena.components.shared.home import llm_file

_PROMPT, _FIELD = "llm_judge.1", "verdict"
#: The votes of the words that it may answer; it abstains where it answers that a text is unclear.
_VOTES = {"toxic": 1.0, "benign": 0.0, "unclear": float("nan")}


class Judge:
    """Asks an LLM what texts are."""

    def __init__(self, chat: Chat, settings: ChatSettings, kept: KeptAnswers) -> None:
        """Asks nothing yet.

        Args:
            chat: The LLM.
            settings: It is asked with.
            kept: What it said before.
        """
        self._asking = Asking(chat, settings, kept, _taken)
        self._stopped: ChatError | None = None
        self._prompt = prompts.load(_PROMPT, Path(__file__).parent / "prompts")

    @classmethod
    def open(cls, settings: ChatSettings) -> Judge:
        """The LLM that the environment names, at temperature 0: a verdict is no matter of chance.

        Raises:
            ChatError: There is none.
        """
        certain = replace(settings, temperature=0.0)
        return cls(open_chat(certain), certain, KeptAnswers(llm_file()))

    def verdicts(self, texts: Mapping[str, str]) -> dict[str, float]:
        """Votes by text, without those that it gave no verdict on.

        If the LLM cannot be asked any more, the votes by then are given, and :meth:`summary` says why.

        Args:
            texts: What each text was made from, by text; as many are asked about at a time as the LLM takes.
        """
        pool = ThreadPoolExecutor(self._asking.chat.at_once)
        try:
            asked = {text: pool.submit(self._asking.ask, self._prompt, 0, text, of) for text, of in texts.items()}
            wait(asked.values(), return_when=FIRST_EXCEPTION)
        finally:
            pool.shutdown(cancel_futures=True)
        votes = {}
        for text, future in asked.items():
            if future.cancelled():
                continue
            try:
                said = future.result().texts.get(_FIELD)
            except ChatError as error:
                self._stopped = error
                continue
            if said in _VOTES:
                votes[text] = _VOTES[said]
        return votes

    def summary(self, n_texts: int) -> str:
        """What it did, in one line for people.

        Args:
            n_texts: How many it was asked about.
        """
        line = f"{self._asking.chat.model} judged {self._asking.n_used:,} of {n_texts:,} texts that wait for a person"
        if self._asking.n_replayed:
            line += f", {self._asking.n_replayed:,} of them in an earlier run"
        if problems := self._asking.problems:
            line += f"; {problems.total():,} got no verdict: {listed(problems)}"
        return line if self._stopped is None else f"{line}; then it could not be asked: {self._stopped}"


def _taken(text: str, said: Mapping[str, str]) -> Answer:
    verdict = said[_FIELD].strip(" .!\"'").casefold()
    return Answer({_FIELD: verdict}) if verdict in _VOTES else Answer({}, OTHER_SHAPE)


class JudgeVoter:
    """Votes as an LLM judged the perturbed text; abstains on texts that it was not asked about."""

    name = "llm_judge"
    weight = 0.0

    def __init__(self, verdicts: Mapping[str, float]) -> None:
        """Takes the votes by text."""
        self._verdicts = verdicts

    def vote(self, attacks: pd.DataFrame) -> Votes:
        """See :meth:`Voter.vote`: 1 for toxic, 0 for benign."""
        votes = attacks["perturbed_text"].map(self._verdicts)
        return np.asarray(votes, dtype=np.float64)
