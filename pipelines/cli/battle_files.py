"""The files that a battle leaves where its user wants them: its attacks, and a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from content_arena.components.shared.errors import InputError

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class FileOptions:
    """Options that name files to write."""

    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE",
            help="Write the attacks, with their texts: .parquet, .csv (no cell is a formula) or .jsonl.",
        ),
    ] = None
    report: Annotated[
        Path | None, typer.Option("--report", metavar="FILE.html", help="Write a page with pictures and examples.")
    ] = None

    def require_usable(self) -> None:
        """Refuses, before a battle, what could not be written after it.

        Raises:
            InputError: A format or a folder that there is not, or one file for both.
        """
        from content_arena.components.attack_generation import attack_files

        if self.out is not None:
            attack_files.check(self.out)
        if self.report is not None:
            attack_files.check_place(self.report)
            if self.out is not None and self.out.absolute() == self.report.absolute():
                raise InputError(f"--out and --report both name {self.out}: name two files")

    def write(self, answer: Mapping[str, Any], attacks: Sequence[pd.DataFrame]) -> None:
        """Writes the files.

        Args:
            answer: What ``--json`` answers.
            attacks: Tables of Attack: the seen strategies', and the held-out ones'.

        Raises:
            InputError: A file cannot be written.
        """
        import pandas as pd

        from content_arena.components.attack_generation import attack_files
        from content_arena.components.evaluation import battle_report
        from content_arena.components.shared.atomic import replacing

        joined = pd.concat(attacks, ignore_index=True)
        try:
            if self.out is not None:
                attack_files.write(joined, self.out)
            if self.report is not None:
                about = battle_report.About(**{name: answer[name] for name in battle_report.About.__annotations__})
                held_out = {row["strategy"] for row in answer["strategies"] if row["held_out"]}
                page = battle_report.render(about, joined, held_out)
                with replacing(self.report) as unfinished:
                    unfinished.write_text(page, encoding="utf-8")
        except OSError as error:
            raise InputError(f"{error.filename} cannot be written: {error.strerror}") from error
