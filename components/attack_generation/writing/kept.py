"""Keeps what an LLM wrote, and that it wrote nothing, in a file: the next battle with the same texts is the same.

A line of the file is one answer as JSON, with the text that it was made of, so that ``arena data forget`` finds it.
There are no hashes of texts in it, from which a short text could be guessed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from content_arena.components.shared.documents import Fields
from content_arena.components.shared.errors import InputError


@dataclass(frozen=True)
class Question:
    """What an answer depends on.

    Attributes:
        prompt: Version of the prompt.
        model: Name of the LLM.
        parameters: Of its sampling, as JSON.
        strength: Number of the prompt's strength.
        original_text: The text.
    """

    prompt: str
    model: str
    parameters: str
    strength: int
    original_text: str


@dataclass(frozen=True)
class Answer:
    """What an LLM wrote.

    Attributes:
        texts: By field of the prompt; empty if there is a problem.
        problem: Why nothing of it is used; "" if it is.
    """

    texts: Mapping[str, str]
    problem: str = ""


class KeptAnswers:
    """The answers in a file, and in memory; several processes may add to a file."""

    def __init__(self, path: Path | None = None) -> None:
        """Reads the file; a line that a killed process did not finish is left out.

        Args:
            path: The file, which need not exist; None to keep answers in memory alone.
        """
        self._path = path
        self._answers: dict[Question, Answer] = {}
        if path is not None and path.is_file():
            # At "\n" alone: a text may hold other characters that end a line.
            for line in path.read_text(encoding="utf-8", errors="replace").split("\n"):
                self._read(line)

    def get(self, question: Question) -> Answer | None:
        """The answer; None if the question was not asked."""
        return self._answers.get(question)

    def add(self, question: Question, answer: Answer, original: str | None = None) -> None:
        """Keeps an answer.

        Args:
            question: What was asked.
            answer: What came.
            original: What the question's text was made from, if it is no text of a corpus itself: with it, ``arena data
                forget`` finds the line.
        """
        self._answers[question] = answer
        if self._path is None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        made_from = {} if original is None else {"original": original}
        line = json.dumps(asdict(question) | made_from | {"texts": dict(answer.texts), "problem": answer.problem})
        # One write, and a line of its own also behind an unfinished one.
        with self._path.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n" if file.tell() == 0 else f"\n{line}\n")

    def _read(self, line: str) -> None:
        if not line.strip():
            return
        try:
            fields = Fields(json.loads(line), "an answer")
            question = Question(
                fields.text("prompt"),
                fields.text("model"),
                fields.text("parameters"),
                fields.whole("strength"),
                fields.text("original_text"),
            )
            self._answers[question] = Answer(fields.text_by_name("texts"), fields.text("problem"))
        except (ValueError, InputError):
            return
