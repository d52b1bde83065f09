"""Results of the commands: tables for people, objects for ``--json``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from content_arena.components.attack_generation.settings import ALL
from content_arena.components.registry.floors import ADVICE
from content_arena.components.shared.figures import NOT_MEASURED, in_percent
from content_arena.components.shared.pages.display import printable
from content_arena.components.shared.text.meaning import described

if TYPE_CHECKING:
    from content_arena.components.registry.verdict import RecordedVerdict
    from content_arena.components.registry.version import RegisteredVersion

#: Characters of a bar of 100 %.
_BAR = 40


def print_run(out: Console, result: Mapping[str, Any]) -> None:
    """Prints the verdict of a run, its reasons, and where the report is."""
    if result["champion_version"] is None:
        _print_refused_first(out, result)
        return
    table = Table(title=f"Generation {result['generation']}", title_justify="left")
    table.add_column("figure")
    table.add_column(f"champion (version {result['champion_version']})", justify="right")
    table.add_column(f"challenger (version {result['challenger_version']})", justify="right")
    for name, old in result["metrics"]["champion"].items():
        new = result["metrics"]["challenger"][name]
        table.add_row(name.replace("_", " "), in_percent(name, old), in_percent(name, new))
    out.print(table)
    held_out, undone = (", ".join(result[key]) or "none" for key in ("held_out_strategies", "undone_strategies"))
    out.print(f"Held out of training ({result['held_out_reason']}): {held_out}", highlight=False)
    out.print(f"Undone before a model reads them, in no figure: {undone}", highlight=False)
    verdict = ("promoted", "green") if result["promoted"] else ("not promoted", "yellow")
    out.print(Text.assemble("The challenger is ", verdict, ":"))
    not_judged = [gate["reason"] for gate in result.get("gates", ()) if gate["passed"] is None]
    for reason in dict.fromkeys([*result["reasons"], *not_judged]):
        out.print(f"  {reason}", highlight=False)
    out.print(f"Report: {result['report']}", highlight=False, soft_wrap=True)
    out.print("Next: `arena serve` serves the champion, `arena status` shows the registry.", highlight=False)


def _print_refused_first(out: Console, result: Mapping[str, Any]) -> None:
    """Prints why the first version did not become champion, and what to do."""
    version = result["challenger_version"]
    table = Table(title="The first version", title_justify="left")
    table.add_column("figure")
    table.add_column(f"version {version}", justify="right")
    for name, value in result["metrics"]["challenger"].items():
        table.add_row(name.replace("_", " "), in_percent(name, value))
    out.print(table)
    out.print(Text.assemble(f"Version {version} is ", ("refused", "yellow"), ", so there is no champion:"))
    for reason in result["reasons"]:
        out.print(f"  {reason}", highlight=False)
    out.print(f"Report: {result['report']}", highlight=False, soft_wrap=True)
    out.print(f"What to do: {ADVICE}.", highlight=False, soft_wrap=True)


def battle_table(answer: Mapping[str, Any]) -> Table:
    """What got past a filter: a row for each strategy, for each family, and for all that reach the model.

    Args:
        answer: What ``arena battle --json`` answers.
    """
    caption = (
        f"On {_texts(answer)}; n: toxic texts it caught before, benign texts "
        f"changed. Budget {answer['budget']} queries a text, seed {answer['seed']}. *: held out of training. changed: "
        f"share of a text, where an attack got past. undone: {_undone(answer)}{_pace(answer)}{_meaning(answer)}"
    )
    # Without frames, so that numbers stay whole in 80 columns.
    frame: dict[str, Any] = {"box": SIMPLE_HEAD, "pad_edge": False, "padding": (0, 1, 0, 0)}
    table = Table(title=f"What gets past {answer['victim']}", caption=caption, **frame)
    for column in ("strategy", "evasion", "95 %", "n", "queries", "changed", "benign flagged", "n ", "undone"):
        is_name = column == "strategy"
        table.add_column(column, justify="left" if is_name else "right", no_wrap=is_name)
    for row in answer["strategies"]:
        name = f"{row['strategy']} *" if row["held_out"] else row["strategy"]
        table.add_row(name, *_attacked(row), _percent(row["undone"]["rate"]))
    # Battles of earlier releases have none.
    families = answer.get("families", ())
    if len(families) > 1:
        table.add_section()
        for row in families:
            table.add_row(f"family {row['family']}", *_attacked(row), "")
    table.add_section()
    table.add_row("all that reach it" if _canonicalises(answer) else "all", *_attacked(answer), "")
    return table


def _texts(answer: Mapping[str, Any]) -> str:
    """What was attacked."""
    if answer.get("split") == ALL:
        return "texts of all splits, training texts among them"
    # What another filter was trained on nobody here knows.
    return "validation texts, which the filter did not train on" if _canonicalises(answer) else "validation texts"


def _canonicalises(answer: Mapping[str, Any]) -> bool:
    """Whether strategies that are undone were left out; they were in every battle of earlier releases."""
    return bool(answer.get("canonicalises", True))


def _undone(answer: Mapping[str, Any]) -> str:
    """What the column of that name says."""
    if _canonicalises(answer):
        return "the canonicaliser gives the text back; such strategies are in their own row only"
    return "the arena's canonicaliser would give the text back; this filter may have none, so they count too"


def _attacked(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Cells of evasion with interval and n, queries, share changed, and benign texts flagged with n."""
    evasion, flagged = row["evasion"], row.get("benign_flagged")
    # Rows of earlier releases have no cost, and nothing is changed where nothing got past.
    queries = _number(row["queries"]) if "queries" in row else ""
    changed = "" if row.get("edit_share") is None else _percent(row["edit_share"])
    benign = (_percent(flagged["rate"]), str(flagged["n"])) if flagged else ("", "")
    return (_percent(evasion["rate"]), _interval(evasion), str(evasion["n"]), queries, changed, *benign)


def _interval(rate: Mapping[str, Any]) -> str:
    return "" if rate["low"] is None else f"{100 * rate['low']:.0f}-{rate['high']:.0%}"


def _pace(answer: Mapping[str, Any]) -> str:
    """The pace of a battle, as the end of a sentence; "" for battles of earlier releases."""
    pace = answer.get("texts_per_second")
    return "" if pace is None else f". {pace:,.0f} texts a second, making them included"


def _meaning(answer: Mapping[str, Any]) -> str:
    """What became of texts in other words, as the end of a sentence; "" where there were none, as in old battles."""
    said = described(answer.get("meaning", {}))
    return said and f". In other words: {said}"


def search_table(answer: Mapping[str, Any]) -> Table:
    """What a search got past a filter, one row for each number of queries.

    Args:
        answer: What ``arena battle --json`` answers.
    """
    rate = answer["evasion"]
    texts = "texts of all splits" if answer.get("split") == ALL else "validation texts"
    caption = (
        f"evasion {_percent(rate['rate'])} (95 % {_percent(rate['low'])} - {_percent(rate['high'])}) of {rate['n']} "
        f"toxic {texts} that the filter caught, with at most {answer['budget']} queries a text; seed "
        f"{answer['seed']}. Mean queries {_number(answer['queries'])}, mean share of a text changed "
        f"{_percent(answer['edit_share'])}; {answer['refused']:,} attacks broke a constraint and were not sent"
        f"{_pace(answer)}{_meaning(answer)}"
    )
    table = Table(title=f"Past {answer['victim']} by search: {answer['search']}", caption=caption)
    for column in ("queries a text", "evasion", ""):
        table.add_column(column, justify="left" if not column else "right")
    for point in answer["evasion_by_budget"]:
        bar = "█" * round(point["evasion"] * _BAR)
        table.add_row(str(point["queries"]), _percent(point["evasion"]), bar)
    return table


def attack_table(answer: Mapping[str, Any]) -> Table:
    """What gets one text past a filter, one row for each strategy and one for the search.

    Args:
        answer: What ``arena attack --json`` answers.
    """
    table = Table(
        title=f"Past {answer['victim']}: score {answer['score']:.3f}, flagged from {answer['threshold']:.3f}",
        caption=f"{answer['n_queries']} queries in all, seed {answer['seed']}",
    )
    for column in ("attack", "gets past", "score", "queries", "text"):
        table.add_column(column, justify="right" if column in ("score", "queries") else "left", overflow="fold")
    for row in answer["attacks"]:
        found = printable(row["text"] or "")
        past = "changes nothing" if row["text"] is None else "yes" if row["gets_past"] else "no"
        if row["gets_past"] and not row["readable"]:
            past = "not readable"
        score = "" if row["score"] is None else f"{row['score']:.3f}"
        table.add_row(row["attack"], past, score, str(row["queries"]), Text(found))
    return table


def battles_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """The battles of a home, one row each."""
    table = Table(title="Battles", title_justify="left")
    for column in ("battle", "begun", "victim", "search", "state", "evasion", "n"):
        # The name is what is typed again, so it is not broken.
        is_name, is_number = column == "battle", column in ("evasion", "n")
        table.add_column(column, justify="right" if is_number else "left", overflow="fold", no_wrap=is_name)
    for row in rows:
        evasion = row["evasion"] or {"rate": None, "n": ""}
        shown = _percent(evasion["rate"]) if row["evasion"] else ""
        table.add_row(row["battle"], row["begun"], row["victim"], row["search"], row["state"], shown, str(evasion["n"]))
    return table


def status_table(
    aliases: Mapping[str, RegisteredVersion], verdicts: Mapping[str, RecordedVerdict | None] | None = None
) -> Table:
    """One column for each alias, one row for each figure, and rows for what was decided about the versions.

    Args:
        aliases: The version behind each alias.
        verdicts: What was decided about it, by alias; None if it was never judged.
    """
    table = Table(title="content-filter", title_justify="left")
    table.add_column("")
    for alias in aliases:
        table.add_column(alias, justify="right")
    table.add_row("version", *(str(version.version) for version in aliases.values()))
    table.add_row("generation", *(str(version.generation) for version in aliases.values()))
    if any(version.override_reason for version in aliases.values()):
        table.add_row("promoted by hand", *(version.override_reason or "" for version in aliases.values()))
    for name in sorted({name for version in aliases.values() for name in version.metrics}):
        shown = (in_percent(name, version.metrics.get(name)) for version in aliases.values())
        table.add_row(name.replace("_", " "), *shown)
    found = [(verdicts or {}).get(alias) for alias in aliases]
    if any(found):
        table.add_row("verdict", *map(_verdict, found))
        table.add_row("guard set", *map(_guard, found))
    return table


def _verdict(verdict: RecordedVerdict | None) -> str:
    if verdict is None:
        return "never judged"
    failed = [
        *(floor.metric for floor in verdict.floors if not floor.passed),
        *(gate.gate for gate in verdict.gates if gate.passed is False),
    ]
    return f"failed {', '.join(failed)}" if failed else "passed gates" if verdict.gates else "passed floors"


def _guard(verdict: RecordedVerdict | None) -> str:
    if verdict is None:
        return ""
    return f"{verdict.guard.name}, {verdict.guard.n_texts:,} texts" if verdict.guard else "none"


def others_line(versions: Iterable[RegisteredVersion], aliases: Mapping[str, RegisteredVersion]) -> str:
    """The versions that no alias points to, and which of them were rejected; empty if there are none."""
    named = {version.version for version in aliases.values()}
    others = [version for version in versions if version.version not in named]
    shown = [f"{other.version}" + (f" (rejected: {other.rejection})" if other.rejection else "") for other in others]
    return f"Other versions: {', '.join(shown)}" if shown else ""


def version_json(version: RegisteredVersion, verdict: RecordedVerdict | None = None) -> dict[str, Any]:
    """A version and what was decided about it, as `arena status --json` answers it."""
    return {
        "version": str(version.version),
        "generation": version.generation,
        "bundle_sha256": version.digest,
        "metrics": version.metrics,
        "verdict": verdict.as_json() if verdict else None,
        "held_out_strategies": None if version.held_out is None else list(version.held_out),
    }


def _number(value: float | None) -> str:
    return NOT_MEASURED if value is None else f"{value:.1f}"


def _percent(value: float | None) -> str:
    return NOT_MEASURED if value is None else f"{value:.1%}"
