"""The sets of texts that models are judged on beside the test split, as documents name them.

A verdict holds only on the texts that it was reached on, so evaluations and verdicts record which these were.
"""

from __future__ import annotations

from dataclasses import dataclass

from content_arena.components.shared.documents import Fields


@dataclass(frozen=True, kw_only=True)
class GuardSet:
    """The texts from elsewhere that both models were judged on.

    Attributes:
        name: Of the file or data set, or "embedded-en-guard".
        n_texts: How many.
        n_toxic: How many of them are toxic.
        sha256: Of ids, texts and labels; two guard sets with the same hash are the same.
    """

    name: str
    n_texts: int
    n_toxic: int
    sha256: str

    @property
    def described(self) -> str:
        """The guard set for people, on one line."""
        return f"{self.name}: {self.n_texts:,} texts, {self.n_toxic:,} of them toxic, sha256 {self.sha256}"

    @classmethod
    def from_fields(cls, fields: Fields) -> GuardSet:
        """Reads it from a document.

        Raises:
            InputError: A field is missing or of a wrong type.
        """
        return cls(
            name=fields.text("name"),
            n_texts=fields.whole("n_texts"),
            n_toxic=fields.whole("n_toxic"),
            sha256=fields.text("sha256"),
        )

    @classmethod
    def read(cls, fields: Fields) -> GuardSet | None:
        """The field ``guard`` of a document; None where it is null: there was no guard set."""
        return None if fields.raw("guard") is None else cls.from_fields(fields.fields("guard"))


@dataclass(frozen=True)
class RegressionSuite:
    """The attacks of earlier runs that were replayed on both models.

    Attributes:
        n_attacks: How many; 0 in the first comparison.
        n_runs: How many runs they come from.
        sha256: Of the attacked texts; two suites with the same hash are the same.
    """

    n_attacks: int
    n_runs: int
    sha256: str

    @property
    def described(self) -> str:
        """The suite for people, on one line."""
        return f"{self.n_attacks:,} attacks of {self.n_runs:,} runs, sha256 {self.sha256}"

    @classmethod
    def from_fields(cls, fields: Fields) -> RegressionSuite:
        """Reads it from a document.

        Raises:
            InputError: A field is missing or of a wrong type.
        """
        return cls(fields.whole("n_attacks"), fields.whole("n_runs"), fields.text("sha256"))
