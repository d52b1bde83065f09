"""``arena review``: what waits for a person goes out as a file, and the answers come back."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from content_arena.components.shared.errors import InputError
from content_arena.pipelines.cli.console import out, status
from content_arena.pipelines.cli.options import AsJson
from content_arena.pipelines.execution.home import ArenaHome, registry_here

if TYPE_CHECKING:
    import pandas as pd

    from content_arena.components.labeling.answers import Said
    from content_arena.components.labeling.importing import Imported
    from content_arena.components.shared.figures import Rate
    from content_arena.components.shared.mlflow_tracking.tracking import Client, LabelledBattle

#: Ids that are shown to people.
_SHOWN = 10

review = typer.Typer(
    name="review",
    help="What the vote could not label: see what waits for a person, hand it out, and read the answers back.",
    no_args_is_help=True,
)


class Format(StrEnum):
    """What a queue is written as."""

    LABELSTUDIO = "labelstudio"
    CSV = "csv"


@dataclass(frozen=True)
class _Queue:
    """What is kept about the battles so far.

    Attributes:
        battles: Each with its attacks as they were labelled, oldest first.
        answers: What people answered: rows of Answer.
        said: What follows from that.
        labelled: The attacks of all battles with the word of people in place of the vote: rows of LabelledAttack, and
            the column ``battle``.
        waiting: Those of them that wait.
    """

    battles: Sequence[LabelledBattle]
    answers: pd.DataFrame
    said: Said
    labelled: pd.DataFrame
    waiting: pd.DataFrame

    @property
    def attacks(self) -> pd.DataFrame:
        """The attacks of all battles as they were labelled, oldest battle first."""
        import pandas as pd

        return pd.concat([battle.attacks for battle in self.battles], ignore_index=True)


def add_to(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    review.command("list")(show)
    review.command()(export)
    review.command("import")(bring_back)
    app.add_typer(review)


def show(as_json: AsJson = False) -> None:
    """List what waits for a person: how many attacked texts, and which battle against which version they are from.

    A text that waits in several battles is asked about once, and an answer counts for every attack on the same original
    that can be read.
    """
    queue = _queue(registry_here().client)
    n_texts, n_originals = (queue.waiting[name].nunique() for name in ("perturbed_text", "original_text"))
    battles = [_battle(battle, queue) for battle in queue.battles]
    if as_json:
        columns = ["attack_id", "battle", "victim_version", "strategy", "label", "label_confidence"]
        rows = queue.waiting[columns].rename(columns={"label": "voted", "label_confidence": "confidence"})
        print(
            json.dumps(
                {"texts": n_texts, "originals": n_originals, "battles": battles, "waiting": rows.to_dict("records")}
            )
        )
        return
    if not battles:
        status("no battle was labelled yet: `arena run` does it")
        return
    table = Table()
    for column in ("battle", "day", "lang", "version"):
        table.add_column(column, overflow="fold")
    for column in ("attacks", "answered", "waiting"):
        table.add_column(column, justify="right")
    for battle in battles:
        table.add_row(*map(str, battle.values()))
    out.print(table)
    if not n_texts:
        _say("Nothing waits for a person.")
        return
    _say(
        f"{n_texts:,} texts wait, made from {n_originals:,} originals: an answer counts for every attack on the same "
        "original."
    )
    _say("Hand them out: arena review export --format csv --out FILE")


def export(
    to: Annotated[Path, typer.Option("--out", help="The file to write; - writes to standard output.")],
    kind: Annotated[
        Format,
        typer.Option(
            "--format",
            help="Tasks to import into Label Studio (JSON), or a CSV for a spreadsheet, in which no cell is a formula.",
        ),
    ] = Format.CSV,
    sample: Annotated[
        int,
        typer.Option(
            min=0,
            help="Add this many attacks that the vote was sure of, drawn at random, each on another original: the "
            "queue alone does not tell how often the vote is right.",
        ),
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """Write what waits for a person to a file, the least certain label first.

    The CSV has an empty column `answer`: write toxic, benign or unreadable, and your name into `reviewer`. For Label
    Studio, give the project the interface that is shown with --json as `label_config`. The file holds texts that
    attackers wrote; `arena data forget` does not reach it outside the home.
    """
    import pandas as pd

    from content_arena.components.labeling import queue as files
    from content_arena.components.shared.atomic import replacing
    from content_arena.components.shared.library_errors import during

    if as_json and to == Path("-"):
        raise InputError("--json answers on standard output: give --out a file")
    if to.is_dir():
        raise InputError(f"--out {to} is a folder: give a file")
    queue = _queue(registry_here().client)
    asked = files.one_per_text(pd.concat([queue.waiting, files.sample(queue.labelled, sample)]))
    content = files.FORMATS[kind](asked)
    if to == Path("-"):
        print(content, end="")
        return
    with during(f"writing {to}"), replacing(to.absolute()) as unfinished:
        unfinished.write_bytes(content.encode("utf-8", "surrogatepass"))
    if as_json:
        config = {"label_config": files.LABEL_CONFIG} if kind is Format.LABELSTUDIO else {}
        print(json.dumps({"texts": len(asked), "format": kind, "file": str(to)} | config))
        return
    _say(f"{len(asked):,} texts are in {to}. Read the answers back: arena review import FILE")
    if kind is Format.LABELSTUDIO:
        _say("Interface of the project (Settings, Labeling Interface, Code):")
        _say(files.LABEL_CONFIG)


def bring_back(
    file: Annotated[
        Path, typer.Argument(help="Label Studio's export as JSON, JSON-MIN or CSV, or the CSV of `export`.")
    ],
    reviewer: Annotated[str, typer.Option(help="Who answered, where the file does not say.")] = "",
    as_json: AsJson = False,
) -> None:
    """Read answers back. A person's word is final: it replaces the vote in every later labelling and training.

    Of one person the last answer about a text counts, of several people the majority; without a majority the text waits
    for one more person and nothing trains on it. Nothing trains on what people call unreadable. An answer counts for
    the other attacks on the same original, too, where they can be read. The same file again changes nothing. Then it
    says how often each voter agrees with people, and which texts of your data have another label.
    """
    from content_arena.components.labeling import accuracy
    from content_arena.components.labeling.answers import settled
    from content_arena.components.labeling.importing import matched
    from content_arena.components.labeling.returned import read
    from content_arena.components.shared.mlflow_tracking import kept_answers

    client = registry_here().client
    returned = read(file)
    with ArenaHome.from_environment().exclusive():
        queue = _queue(client)
        if not queue.battles:
            raise InputError("no battle was labelled here, so there is nothing to answer: `arena run` does it")
        try:
            imported = matched(returned, queue.attacks, queue.answers, reviewer=reviewer, day=time.strftime("%Y-%m-%d"))
        except InputError as error:
            raise InputError(f"{file}: {error}") from error
        if len(imported.answers):
            kept_answers.keep(client, imported.answers)
        answers = kept_answers.read(client)
    rates = accuracy.of_voters(queue.attacks, settled(answers))
    if imported.n_unsigned:
        status(
            f"nobody is named for {imported.n_unsigned:,} of the answers, so they count as one person's, and a later "
            "file without names replaces them: fill in the column `reviewer`, or give --reviewer NAME"
        )
    if as_json:
        print(json.dumps(_outcome(imported, rates)))
    else:
        _print(imported, rates)


def _queue(client: Client) -> _Queue:
    import pandas as pd

    from content_arena.components.labeling.answers import applied, settled, waiting
    from content_arena.components.shared import records
    from content_arena.components.shared.mlflow_tracking import kept_answers
    from content_arena.components.shared.mlflow_tracking.tracking import labelled_battles

    battles = list(labelled_battles(client))
    answers = kept_answers.read(client)
    said = settled(answers)
    parts = [applied(battle.attacks, said).assign(battle=battle.name) for battle in battles]
    none = pd.DataFrame(columns=[*records.LabelledAttack.to_schema().columns, "battle"]).astype({"needs_review": bool})
    labelled = pd.concat(parts, ignore_index=True) if parts else none
    return _Queue(battles, answers, said, labelled, waiting(labelled, said))


def _battle(battle: LabelledBattle, queue: _Queue) -> dict[str, str | int]:
    return {
        "battle": battle.name,
        "day": battle.day,
        "lang": battle.lang,
        "victim_version": ", ".join(sorted(battle.attacks["victim_version"].unique())),
        "attacks": len(battle.attacks),
        "answered": int(battle.attacks["perturbed_text"].isin(list(queue.said.texts)).sum()),
        "waiting": int((queue.waiting["battle"] == battle.name).sum()),
    }


def _outcome(imported: Imported, rates: Mapping[str, Rate]) -> dict[str, Any]:
    return {
        "new_answers": len(imported.answers),
        "known_answers": imported.n_known,
        "unsigned_answers": imported.n_unsigned,
        "changed_answers": imported.n_changed,
        "unknown_ids": list(imported.unknown),
        "disputed_ids": list(imported.disputed),
        "contradicted_ids": list(imported.contradicted),
        "voters": {name: rate.as_dict() for name, rate in rates.items()},
    }


def _print(imported: Imported, rates: Mapping[str, Rate]) -> None:
    changed = f", {imported.n_changed:,} of them other than before" if imported.n_changed else ""
    _say(f"{len(imported.answers):,} answers are new{changed}; {imported.n_known:,} were known.")
    if imported.unknown:
        _say(f"No attack is kept here with {_some(imported.unknown)}: left out.")
    if imported.disputed:
        _say(f"People disagree without a majority about {_some(imported.disputed)}: each waits for one more person.")
    if imported.contradicted:
        _say(f"Your data has another label than people give: correct {_some(imported.contradicted)} (base_id) there.")
    if not rates:
        return
    table = Table(title="Agrees with people (mostly on texts that the vote was unsure of)", title_justify="left")
    table.add_column("voter")
    for column in ("texts", "agrees", "95 % interval"):
        table.add_column(column, justify="right")
    for name, rate in rates.items():
        if rate.rate is not None:
            table.add_row(name, f"{rate.n:,}", f"{rate.rate:.0%}", f"{rate.low:.0%} to {rate.high:.0%}")
    out.print(table)


def _some(ids: Sequence[str]) -> str:
    shown = ", ".join(ids[:_SHOWN])
    noun = "id" if len(ids) == 1 else "ids"
    return f"{noun} {shown}" + (f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else "")


def _say(line: str) -> None:
    out.print(line, highlight=False, soft_wrap=True)
