"""Which part of the project may know which other part; CONTRIBUTING.md has the reasons."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pytest

from tests.import_graph import Import, cycles, graph, imports, modules, within

#: The rooms of components/, lowest first. A room imports rooms before it and itself.
ROOMS = (
    "shared",
    "registry",
    "corpus_preparation",
    "corpus_versions",
    "attack_generation",
    # Before the training, which judges the first version with its figures.
    "evaluation",
    "labeling",
    "qlora_training",
    "retraining_policy",
    "canary_rollout",
    "promotion",
    "metrics_exporter",
    "predictor",
)

#: The packages and modules of canary_rollout, lowest first.
ROLLOUT = (
    "log",
    "analysis",
    "plan",
    "kube",
    "traffic",
    "measuring",
    "settings",
    "reporting",
    "controller",
    "launch",
    "task",
    "component",
)

#: The packages of pipelines/, lowest first.
PIPELINES = ("definitions", "execution", "cli")

#: Rooms that are libraries: pipelines may use every module of them.
LIBRARIES = ("shared", "registry")

#: Modules with dataclasses of settings beside every room's `settings`: options and parameters are derived from them.
SETTINGS = (
    "components.attack_generation.selection",
    "components.canary_rollout.plan.parameters",
    "components.retraining_policy.policy",
)

#: Where a third-party package may be imported: package, then what it is kept to. A package stands for its modules.
HOMES = {
    "kubernetes": ("components.canary_rollout.kube", "pipelines.execution"),
    "mlflow": ("components.shared.mlflow_tracking.tracking", "components.registry"),
    "minio": (
        "components.shared.storage.store",
        "components.shared.storage.object_copy",
        "components.shared.storage.s3_credentials",
        "components.shared.storage.backup",
    ),
    "boto3": ("components.shared.storage.store",),
    "requests": (
        "components.shared.chat",
        "components.shared.mlflow_tracking.reachable",
        "components.shared.busy_servers",
        "components.attack_generation.victims",
        "components.corpus_preparation.tables.sources",
        "components.canary_rollout.measuring",
        "components.predictor",
    ),
    "typer": ("pipelines.cli",),
    "rich": ("pipelines.cli",),
}
#: Other packages that speak HTTP, for the same places.
HOMES |= dict.fromkeys(("httpx", "aiohttp", "urllib.request", "http.client"), HOMES["requests"])

# What breaks a rule and why. Remove an entry once the code keeps the rule: a test fails for one that is not needed.

_PIPELINES_REACH_IN = {
    # For good.
    ("pipelines.cli.versions", "components.predictor.middleware.door"): "`arena serve` runs the server in this process",
    ("pipelines.cli.versions", "components.predictor.server"): "`arena serve` runs the server in this process",
    ("pipelines.cli.versions", "components.predictor.arguments"): "`arena serve` runs the server in this process",
    ("pipelines.cli.versions", "components.predictor.sources"): "`arena serve` runs the server in this process",
    (
        "pipelines.cli.server_settings",
        "components.predictor.arguments",
    ): "`arena serve` runs the server in this process",
    ("pipelines.cli.migrate", "components.evaluation.old_scores"): "`arena migrate` runs in this process",
    ("pipelines.cli.migrate", "components.evaluation.score_map"): "`arena migrate` runs in this process",
    (
        "pipelines.cli.data",
        "components.corpus_preparation.prepare",
    ): "`arena data check` runs it in this process",
    ("pipelines.cli.corpora", "components.corpus_versions.versions"): "`arena data list` reads them in this process",
    ("pipelines.cli.corpora", "components.corpus_versions.forgetting"): "`arena data forget` runs it in this process",
    (
        "pipelines.execution.home_copies",
        "components.corpus_versions.places",
    ): "where a home keeps copies of texts, for `arena data forget`",
    ("pipelines.cli.review", "components.labeling.accuracy"): "`arena review` runs in this process",
    ("pipelines.cli.review", "components.labeling.answers"): "`arena review` runs in this process",
    ("pipelines.cli.review", "components.labeling.importing"): "`arena review` runs in this process",
    ("pipelines.cli.review", "components.labeling.queue"): "`arena review` runs in this process",
    ("pipelines.cli.review", "components.labeling.returned"): "`arena review` runs in this process",
    ("pipelines.cli.data", "components.qlora_training.base_models"): "the Reader that a training would make",
    ("pipelines.cli.data", "components.qlora_training.dataset"): "the Reader that a training would make",
    ("pipelines.cli.data", "components.qlora_training.encoders"): "the default encoder of a language",
    (
        "pipelines.cli.local_runs",
        "components.corpus_preparation.tables.databases",
    ): "an address with a password is refused at once",
    (
        "pipelines.cli.local_runs",
        "components.corpus_preparation.tables.formats",
    ): "a file that cannot be read is refused at once",
    ("pipelines.cli.run", "components.corpus_preparation.guard"): "a guard set that is required and is not there",
    (
        "pipelines.cli.local_runs",
        "components.corpus_preparation.tables.sources",
    ): "an address with a password is refused at once",
    (
        "pipelines.cli.local_runs",
        "components.corpus_preparation.tables.reading_options",
    ): "unusable options are refused at once",
    ("pipelines.cli.run", "components.qlora_training.base_models"): "an unknown base model is refused at once",
    ("pipelines.cli.run", "components.qlora_training.encoders"): "the default encoder of a language",
    ("pipelines.cli.local_runs", "components.attack_generation.strategies"): "--held-out takes names of strategies",
    ("pipelines.cli.attack", "components.attack_generation.one_text"): "one text is attacked in this process",
    ("pipelines.cli.attack", "components.attack_generation.searched"): "how the search over one text is planned",
    ("pipelines.cli.attack", "components.attack_generation.victims.logins"): "a login is kept out of what is shown",
    ("pipelines.cli.battle", "components.attack_generation.victims.logins"): "a login is kept out of the arguments",
    (
        "pipelines.cli.victims",
        "components.attack_generation.victims.opening",
    ): "an unknown filter is refused at once",
    ("pipelines.cli.victims", "components.attack_generation.victims.tls"): "unusable certificates are refused at once",
    ("pipelines.cli.compare", "components.attack_generation.victims.tls"): "unusable certificates are refused at once",
    ("pipelines.cli.battle", "components.attack_generation.victims.tls"): "containers have to see the files",
    ("pipelines.cli.battle", "components.attack_generation.victims.opening"): "stages run in another folder",
    ("pipelines.cli.battle", "components.attack_generation.victims.functions"): "functions are run by this Python",
    ("pipelines.cli.battle", "components.attack_generation.outcomes"): "which attacks stand in a battle's figures",
    ("pipelines.cli.battle", "components.evaluation.battle_figures"): "figures of a battle, for a table",
    (
        "pipelines.cli.battle_files",
        "components.attack_generation.attack_files",
    ): "`arena battle --out` writes in this process",
    (
        "pipelines.cli.battle_files",
        "components.evaluation.battle_report",
    ): "`arena battle --report` writes in this process",
    ("pipelines.cli.compare", "components.attack_generation.strategies"): "filters are compared in this process",
    (
        "pipelines.cli.compare",
        "components.attack_generation.victims.logins",
    ): "a login is kept out of what is shown",
    ("pipelines.cli.written_texts", "components.attack_generation.strategies"): "whether an LLM writes in this process",
    ("pipelines.cli.compare", "components.corpus_preparation.prepare"): "filters are compared in this process",
    ("pipelines.cli.compare", "components.evaluation.contenders"): "filters are compared in this process",
    ("pipelines.cli.compare", "components.evaluation.side_by_side"): "filters are compared in this process",
    ("pipelines.cli.compare", "components.evaluation.side_by_side_record"): "what a comparison found, for JSON",
    ("pipelines.cli.compare", "components.evaluation.side_by_side_report"): "filters are compared in this process",
    (
        "pipelines.cli.compare_tables",
        "components.evaluation.side_by_side_record",
    ): "what a comparison found, for a table",
    ("pipelines.cli.compare_tables", "components.evaluation.statistics"): "what a comparison found, for a table",
}

_ROLLOUT_UPWARD: dict[tuple[str, str], str] = {}

_PIPELINES_UPWARD: dict[tuple[str, str], str] = {}


def _ours() -> list[Import]:
    return [found for found in imports() if found.ours]


def _room(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def _assert_only_known(broken: Iterable[Import], known: Mapping[tuple[str, str], str]) -> None:
    """Nothing breaks a rule but what is known to, and what is known still does."""
    broken = list(broken)
    new = [str(found) for found in broken if (found.importer, found.imported) not in known]
    assert not new, "\n".join(new)
    kept = known.keys() - {(found.importer, found.imported) for found in broken}
    assert not kept, f"these keep the rule now, remove their entries: {sorted(kept)}"


def test_every_room_has_its_place_in_the_order():
    rooms = {_room(name) for name in modules() if within(name, "components")} - {""}
    assert rooms == set(ROOMS), "give a new room its place in ROOMS: after the rooms that it imports"


def test_a_room_imports_only_rooms_below_it():
    upward = [
        found
        for found in _ours()
        if within(found.importer, "components") and _room(found.importer) and not _is_below(found)
    ]
    _assert_only_known(upward, {})


def _is_below(found: Import) -> bool:
    return within(found.imported, "components") and ROOMS.index(_room(found.imported)) <= ROOMS.index(
        _room(found.importer)
    )


def test_the_parts_of_a_rollout_import_only_parts_below_them():
    room = "components.canary_rollout"
    parts = {name: name.split(".")[2] for name in modules() if name.startswith(f"{room}.")}
    assert set(parts.values()) <= set(ROLLOUT), "give a new part its place in ROLLOUT"
    places = {name: ROLLOUT.index(part) for name, part in parts.items()}
    upward = [
        found
        for found in _ours()
        if found.importer in places and found.imported in places and places[found.imported] > places[found.importer]
    ]
    _assert_only_known(upward, _ROLLOUT_UPWARD)


def test_pipelines_know_components_by_what_these_offer_to_them():
    reaching = [
        found
        for found in _ours()
        if within(found.importer, "pipelines") and within(found.imported, "components") and not _is_offered(found)
    ]
    _assert_only_known(reaching, _PIPELINES_REACH_IN)


def _is_offered(found: Import) -> bool:
    module = found.imported.split(".")[-1]
    if _room(found.imported) in LIBRARIES or module == "settings" or found.imported in SETTINGS:
        return True
    if within(found.importer, "pipelines.definitions"):
        return module == "component"
    return found.imported == "components.canary_rollout.launch"


def test_pipelines_import_only_packages_below_them():
    upward = [
        found
        for found in _ours()
        if _room(found.importer) in PIPELINES
        and _room(found.imported) in PIPELINES
        and PIPELINES.index(_room(found.imported)) > PIPELINES.index(_room(found.importer))
    ]
    _assert_only_known(upward, _PIPELINES_UPWARD)


def test_pipelines_are_these_packages():
    assert {_room(name) for name in modules() if within(name, "pipelines")} - {""} == set(PIPELINES)


def test_no_modules_import_each_other_in_a_circle():
    """Imports inside functions count: they hide a circle, they do not open it. Those for type checkers do not."""
    assert cycles(graph(found for found in _ours() if not found.typing_only)) == []


@pytest.mark.parametrize("package", HOMES)
def test_side_effects_stay_where_they_belong(package):
    wrong = [
        str(found)
        for found in imports()
        if within(found.imported, package)
        and not found.ours
        and not any(within(found.importer, home) for home in HOMES[package])
    ]
    assert not wrong, "\n".join(wrong)


def test_components_import_kfp_in_component_py_alone():
    wrong = [
        str(found)
        for found in imports()
        if within(found.imported, "kfp")
        and within(found.importer, "components")
        and not found.importer.endswith(".component")
    ]
    assert not wrong, "\n".join(wrong)


def test_a_circle_is_found():
    edges = {"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set()}
    assert cycles(edges) == [["b", "c"]]
