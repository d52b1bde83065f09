"""``arena battle`` and ``arena battles``: attacks on a filter, and those of the past."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from content_arena.components.attack_generation.settings import (
    ANSWERS_VARIABLE,
    EVOLVING,
    FUNCTIONS_VARIABLE,
    LADDER,
    SEARCHES,
    TEXTS,
    VALIDATION,
    AttackSettings,
)
from content_arena.components.shared.errors import ArenaError, InputError
from content_arena.components.shared.mlflow_tracking import reachable
from content_arena.components.shared.settings import make
from content_arena.pipelines.cli import console, local_runs, standard_input, tables
from content_arena.pipelines.cli.battle_files import FileOptions
from content_arena.pipelines.cli.console import out
from content_arena.pipelines.cli.group import RenamedOptions
from content_arena.pipelines.cli.grouped import grouped
from content_arena.pipelines.cli.options import (
    AsJson,
    AttackOptions,
    CorpusOptions,
    Runner,
    RunnerOption,
    SettingsOption,
    described,
    one_of,
)
from content_arena.pipelines.cli.victims import VictimOptions, require, verified
from content_arena.pipelines.definitions.parameters import BATTLE, PARAMETERS
from content_arena.pipelines.execution.battles import Battle
from content_arena.pipelines.execution.environment import environment
from content_arena.pipelines.execution.home import ArenaHome

if TYPE_CHECKING:
    import pandas as pd

    from content_arena.pipelines.execution.local import LocalRun

_EVASION = "evasion"
#: Queries with which a search has tried something.
_LEAST_BUDGET = 5


def add_to(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    app.command(cls=RenamedOptions)(battle)
    app.command()(battles)


@grouped
def battle(
    corpus: CorpusOptions,
    attack: AttackOptions,
    victim: VictimOptions,
    search: Annotated[
        str,
        typer.Option(help=described("search"), metavar=f"[{'|'.join(SEARCHES)}]", callback=one_of(SEARCHES)),
    ] = LADDER,
    split: Annotated[
        str, typer.Option(help=described("split"), metavar=f"[{'|'.join(TEXTS)}]", callback=one_of(TEXTS))
    ] = VALIDATION,
    intensity: Annotated[
        float | None,
        typer.Option(
            "--intensity",
            min=0.0,
            max=1.0,
            help="Share of a text's places that the ladder's last query of a strategy edits, above 0; the others edit "
            "fewer.",
            show_default="1.0",
        ),
    ] = None,
    warm_start: Annotated[
        bool,
        typer.Option(
            "--warm-start",
            help="With --search evolving: begin with what the last such battle learnt about this filter, or about any "
            "version of the registry.",
        ),
    ] = False,
    fail_over: Annotated[
        str,
        typer.Option("--fail-over", metavar="evasion=SHARE", help="Exit code 1 if more than this gets past, for CI."),
    ] = "",
    resume: Annotated[
        str,
        typer.Option("--resume", metavar="NAME", help="Go on with a battle that was cut short, with its own options."),
    ] = "",
    files: FileOptions = FileOptions(),  # noqa: B008 - frozen
    settings: SettingsOption = None,
    runner: RunnerOption = Runner.SUBPROCESS,
    as_json: AsJson = False,
) -> None:
    """Attack a filter and see what gets through, strategy by strategy; trains and changes nothing.

    With --search evolving (or greedy, beam, random) it looks for one way past each text within --budget queries, and
    shows how evasion grows with the budget. What is tried then depends on the filter: `arena compare` compares filters.

    A URL is a KServe V1 or V2 endpoint (http://host:8080 means its content-filter model), or with --map any service
    that scores texts.
    """
    from content_arena.components.attack_generation.victims import functions, logins
    from content_arena.pipelines.execution import battles as kept_battles

    limit = _limit(fail_over)
    files.require_usable()
    home = ArenaHome.from_environment()
    fought = kept_battles.find(home, resume) if resume else None
    is_named = victim.victim != PARAMETERS["victim"].default
    shown, login = logins.split(fought.victim if fought and not is_named else victim.victim, victim.header)
    if fought:
        _require_resumable(fought, shown)
        arguments = dict(fought.arguments)
    else:
        arguments = _new(corpus, attack, victim, shown, settings) | {"search": search, "split": split}
        _require_enough(search, attack.budget)
        if intensity is not None:
            _set_intensity(arguments, search, intensity)
        if warm_start:
            _set_warm_start(arguments, search)
    shown = arguments["victim"]
    access = login.as_environment() | verified(shown, victim.tls).as_environment()
    if functions.is_function(shown):
        if runner is not Runner.SUBPROCESS:
            raise InputError(f"{shown} is run by this Python: leave --runner {runner.value} out")
        access[FUNCTIONS_VARIABLE] = "1"
    arguments |= {"tracking_uri": home.tracking_uri}
    reachable.require(home.tracking_uri)
    with home.exclusive(), standard_input.as_file(arguments["data"], home.path) as data:
        fought = fought or kept_battles.begin(home, shown, {**arguments, "tracking_uri": ""})
        finished = _fight(fought, arguments | {"data": data}, access, home, runner)
        answer = _answer(finished, arguments)
        if resume:
            # Answers from before took no time, so this is no pace.
            answer["texts_per_second"] = None
        fought.finish(answer)
        files.write(answer, [attacks for _, attacks in _tables(finished)])
    _show(fought.name, answer, as_json=as_json)
    if limit is not None:
        _fail_over(answer, limit)


def battles(
    name: Annotated[str | None, typer.Argument(help="Battle to show again; all are listed without it.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the battles that were fought here, or show the result of one again."""
    from content_arena.pipelines.execution import battles as kept_battles

    home = ArenaHome.from_environment()
    if name is not None:
        found = kept_battles.find(home, name)
        if found.result is None:
            raise InputError(f"battle {name} was not finished: `arena battle --resume {name}` goes on with it")
        _show(name, found.result, as_json=as_json)
        return
    every = kept_battles.every(home)
    if as_json:
        print(json.dumps({"battles": [_listed(each) for each in every]}))
    elif every:
        out.print(tables.battles_table([_listed(each) for each in every]))
    else:
        console.status(f"no battles in {home.path}: `arena battle` fights one")


def _new(
    corpus: CorpusOptions, attack: AttackOptions, victim: VictimOptions, shown: str, settings: SettingsOption
) -> dict[str, Any]:
    """The arguments of a new battle; what its stages would refuse minutes later is refused at once."""
    from content_arena.components.attack_generation.victims import opening

    arguments = local_runs.arguments(settings, BATTLE, corpus, attack, has_gpu=False)
    reading = victim.reading(make(AttackSettings, arguments.get("settings")).reading)
    require(shown, reading)
    if reading:
        said = {"victim_map": reading.mapping, "victim_request": reading.request, "victim_inverted": reading.inverted}
        arguments.setdefault("settings", {}).setdefault("attack", {}).update(said)
    arguments["victim"] = opening.absolute(shown)
    return arguments


def _require_enough(search: str, budget: int) -> None:
    """Refuses the budget of the ladder, which is for each strategy, for a search, whose budget is for a text."""
    if search != LADDER and budget < _LEAST_BUDGET:
        raise InputError(
            f"--search {search} spends the budget on a text, with all strategies: give --budget {_LEAST_BUDGET} or "
            "more, such as 50"
        )


def _set_intensity(arguments: dict[str, Any], search: str, intensity: float) -> None:
    """Puts the ladder's intensity into the settings, in place of the settings file's."""
    if search != LADDER:
        raise InputError(
            f"--intensity is for the ladder: --search {search} tries several; max_edit_share in [attack] of a settings "
            "file bounds what it changes"
        )
    # Refuses what the stage would refuse, after it has read the corpus.
    AttackSettings(intensity=intensity)
    arguments.setdefault("settings", {}).setdefault("attack", {})["intensity"] = intensity


def _set_warm_start(arguments: dict[str, Any], search: str) -> None:
    """Puts it into the settings; only an attacker that learns has something to begin with."""
    if search != EVOLVING:
        raise InputError(f"--warm-start is for --search {EVOLVING}: no other search learns from text to text")
    arguments.setdefault("settings", {}).setdefault("attack", {})["warm_start"] = True


def _require_resumable(fought: Battle, shown: str) -> None:
    from content_arena.components.attack_generation.victims import opening

    if fought.result is not None:
        raise InputError(f"battle {fought.name} is finished: `arena battles {fought.name}` shows it")
    if fought.arguments.get("data") == standard_input.NAME:
        raise InputError(f"battle {fought.name} read its texts from a pipe, which is gone: begin a new one")
    if opening.absolute(shown) != fought.victim:
        raise InputError(f"battle {fought.name} is against {fought.victim}, not {shown}: leave --victim out")


def _fight(
    fought: Battle, arguments: dict[str, Any], access: Mapping[str, str], home: ArenaHome, runner: Runner
) -> LocalRun:
    """Fights the battle.

    Args:
        fought: The battle.
        arguments: Of the pipeline.
        access: Environment of the stages: the login, and how the filter is verified.
        home: Where it is kept.
        runner: What runs the stages.
    """
    from content_arena.components.attack_generation.victims.tls import Tls
    from content_arena.pipelines.definitions import battle as pipeline

    try:
        with environment({**access, ANSWERS_VARIABLE: str(fought.answers)}):
            files = Tls.from_environment().files
            engine = local_runs.engine(
                home, runner, local_runs.file_of(arguments["data"], arguments.get("query")), arguments["victim"], *files
            )
            return local_runs.follow(pipeline.build(), arguments, home, engine)
    except KeyboardInterrupt as stop:
        raise KeyboardInterrupt(*filter(None, [*stop.args, _kept(fought)])) from stop
    except ArenaError as error:
        # Also one that was raised before any stage began, such as of a Docker engine that does not answer.
        advice = _kept(fought)
        raise (ArenaError(f"{error}; {advice}") if advice else error) from error


def _kept(fought: Battle) -> str:
    """How to go on with a battle that was cut short; one with nothing to go on from is forgotten, and gives ""."""
    if not fought.is_resumable():
        fought.forget()
        return ""
    return f"what the filter answered is kept, `arena battle --resume {fought.name}` goes on from there"


def _tables(finished: LocalRun) -> list[tuple[bool, pd.DataFrame]]:
    """Pairs of whether strategies are held out, and their attacks."""
    from content_arena.components.shared import records

    names = {False: "attacks", True: "held_out_attacks"}
    return [
        (held_out, records.read(records.Attack, finished.artifact("gather_attacks", name)))
        for held_out, name in names.items()
    ]


def _answer(finished: LocalRun, arguments: Mapping[str, Any]) -> dict[str, Any]:
    from content_arena.components.attack_generation import outcomes
    from content_arena.components.evaluation import battle_figures

    canonicalises = bool(finished.metric("gather_attacks", "victim_canonicalises"))
    rows, tables_of_attacks = [], []
    for held_out, attacks in _tables(finished):
        attacks = outcomes.counting(attacks, arguments.get("split", VALIDATION))
        tables_of_attacks.append(attacks)
        for strategy, figures in battle_figures.of_battle(attacks).items():
            rates = {name: getattr(figures, name).as_dict() for name in (_EVASION, "benign_flagged", "undone")}
            cost = {"queries": figures.queries, "edit_share": figures.edit_share}
            rows.append({"strategy": strategy, "held_out": held_out, **rates, **cost})
    everything = battle_figures.of_battle_together(tables_of_attacks, canonicalises=canonicalises)
    families = battle_figures.of_families(tables_of_attacks, canonicalises=canonicalises)
    return {
        "victim": arguments["victim"],
        "began_with": _began_with(tables_of_attacks),
        "attack_set_sha256": finished.parameter("gather_attacks", "attack_set_sha256"),
        "search": arguments.get("search", LADDER),
        "split": arguments.get("split", VALIDATION),
        "budget": arguments["budget"],
        "seed": arguments["seed"],
        "canonicalises": canonicalises,
        _EVASION: everything.evasion.as_dict(),
        "evasion_by_budget": [{"queries": queries, "evasion": share} for queries, share in everything.by_budget],
        "queries": everything.queries,
        "edit_share": everything.edit_share,
        "refused": int(finished.metric("gather_attacks", "n_refused")),
        "not_written": int(finished.metric("gather_attacks", "n_not_written")),
        "meaning": {
            name: int(finished.metric("gather_attacks", f"n_{metric}"))
            for name, metric in (
                ("same", "same_meaning"),
                ("other", "other_meaning"),
                ("not_measured", "meaning_not_measured"),
            )
        },
        "texts_per_second": finished.metric("gather_attacks", "texts_per_second"),
        "strategies": rows,
        "families": [{"family": name, **asdict(each)} for name, each in families.items()],
        "corpus": local_runs.corpus_answer(finished),
    }


def _began_with(attacks: Sequence[pd.DataFrame]) -> str | None:
    """SHA-256 (hex) of what an attacker that learns knew before the battle; None if it began anew."""
    found = {json.loads(params).get("memory") for table in attacks for params in table["params"]}
    return next(filter(None, found), None)


def _show(name: str, answer: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"battle": name, **answer}))
        return
    out.print(tables.search_table(answer) if answer["search"] != LADDER else tables.battle_table(answer))
    out.print(f"`arena battles {name}` shows this again.", highlight=False)


def _listed(fought: Battle) -> dict[str, Any]:
    """A battle as the list has it."""
    result = fought.result or {}
    state = "finished" if fought.result is not None else "cut short" if fought.is_resumable() else "failed"
    return {
        "battle": fought.name, "begun": fought.begun, "victim": fought.victim, "state": state,
        "search": fought.arguments.get("search", LADDER), "budget": fought.arguments.get("budget"),
        "evasion": result.get(_EVASION),
    }  # fmt: skip


def _limit(fail_over: str) -> float | None:
    """The share that ``--fail-over`` names; None if it is not given."""
    if not fail_over:
        return None
    name, _, value = fail_over.partition("=")
    try:
        limit = float(value)
    except ValueError:
        limit = -1.0
    # Written so that NaN fails.
    if name.strip() != _EVASION or not 0 <= limit <= 1:
        raise typer.BadParameter(f"--fail-over {fail_over}: write evasion=SHARE with a share from 0 to 1")
    return limit


def _fail_over(answer: Mapping[str, Any], limit: float) -> None:
    """Ends the command with 1 if more got past than the limit, or if that was not measured."""
    rate = answer[_EVASION]["rate"]
    if rate is None:
        console.status(
            "evasion was not measured, so --fail-over fails: the filter caught no toxic text to "
            "begin with, or its canonicaliser undoes every strategy"
        )
        raise typer.Exit(1)
    if rate > limit:
        console.status(f"evasion is {rate:.1%}, over the {limit:.1%} of --fail-over")
        raise typer.Exit(1)
