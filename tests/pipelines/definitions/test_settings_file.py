"""A settings file reaches every setting, and divides into arguments, settings of stages and inputs of the rollout."""

import importlib
from dataclasses import fields
from pathlib import Path

import pytest

from content_arena.components.shared.errors import InputError
from content_arena.pipelines.definitions import parameters, settings_file
from content_arena.pipelines.definitions.settings_file import RunSettings, check, load

COMPONENTS = Path(__file__).parents[3] / "components"
#: A value other than the default for every setting, by section.
EVERYTHING = {
    "corpus": {
        "rare_share": 0.3, "max_undecodable": 0.2, "max_empty": 0.3, "max_contradictory": 0.4, "max_dropped": 0.5,
        "max_leaked": 0.6,
    },
    "attack": {"budget": 5, "texts_per_label": 9, "validation_share": 0.5, "held_out_strategies": ["space_join"],
               "strategies": ["char_typo"], "families": ["ko"], "intensity": 0.6, "max_edit_share": 0.4,
               "warm_start": True, "victim_map": "openai", "victim_request": "{}", "victim_inverted": True},
    "training": {
        "base_model": "other", "device": "cpu", "epochs": 9, "batch_size": 8, "learning_rate": 0.1, "warmup_share": 0.2,
        "weight_decay": 0.1, "patience": 5, "lora_rank": 8, "lora_alpha": 8, "lora_dropout": 0.1, "max_length": 64,
        "attacked_share": 0.25, "rehearsed_share": 0.5, "champion_share": 0.25, "category_weight": 0.5, "reader": False,
        "edit_price": 4.5, "ngrams": False,
    },
    "evaluation": {"latency_texts": 7, "examples": 3},
    "llm": {"temperature": 0.2, "max_tokens": 99, "timeout_seconds": 9.0, "at_once": 3},
    "labeling": {"min_confidence": 0.9, "doubtful_labels": 5, "judged_texts": 6},
    "promotion": {"guard": "elsewhere.csv", "require_guard": True},
    "retraining": {"max_evasion": 0.5, "max_age_days": 1.0},
    "rollout": {
        "steps": [0, 100], "bake_seconds": 1.0, "warmup_seconds": 2.0, "min_requests": 3, "failure_limit": 4,
        "inconclusive_limit": 5, "window_seconds": 60.0,
        "start_seconds": 6.0, "move_seconds": 7.0, "deadline_seconds": 800.0,
        "keep_seconds": 9.0,
        "approvals": [100], "limits": {"psi": 0.4}, "prometheus": "http://there", "probe_texts": 9, "probe_budget": 10,
        "kserve_version": "0.21", "runtime": "next", "absolute_bounds": True,
    },
}  # fmt: skip


def test_every_setting_of_every_stage_can_be_set():
    for section, kind in settings_file.sections().items():
        settings = {field.name for field in fields(kind)} - set(settings_file.SHARED)
        assert set(EVERYTHING.get(section, ())) == settings, f"give every setting of [{section}] a value in EVERYTHING"


def test_the_settings_of_every_room_are_a_section():
    """A section that is not listed would be refused in a settings file, though its stage reads it."""
    declared = {
        kind.SECTION
        for path in COMPONENTS.glob("*/settings.py")
        for kind in vars(importlib.import_module(f"content_arena.components.{path.parent.name}.settings")).values()
        if isinstance(kind, type) and hasattr(kind, "SECTION")
    }
    assert declared <= set(settings_file.sections()), "name the dataclass in sections() of settings_file.py"


def test_a_file_divides_and_nothing_is_lost():
    found = check(EVERYTHING)
    divided = {"rollout": dict(found.rollout)}
    for section, given in found.settings.items():
        divided.setdefault(section, {}).update(given)
    for name, value in found.arguments.items():
        divided.setdefault(parameters.PARAMETERS[name].section, {})[name] = value
    assert divided == EVERYTHING
    assert found.arguments["budget"] == 5
    assert "lora_rank" in found.settings["training"]


def test_a_parameter_that_a_section_sets_is_a_setting_of_it():
    kinds = settings_file.sections()
    for parameter in parameters.PARAMETERS.values():
        if parameter.section is not None:
            (setting,) = (field for field in fields(kinds[parameter.section]) if field.name == parameter.name)
            default = list(setting.default) if isinstance(setting.default, tuple) else setting.default
            assert parameter.default == default


def test_a_pipeline_gets_its_own_arguments():
    found = check(EVERYTHING)
    names = {parameter.name for parameter in parameters.BATTLE}
    given = found.for_pipeline(names)
    assert set(given) == {"budget", "texts_per_label", "held_out_strategies", "settings"}
    assert given["settings"]["training"]["lora_rank"] == 8
    assert RunSettings().for_pipeline(names) == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[attck]\nbudget = 1", r"no section \[attck\]; there is: \[attack\], .*\[gates\]"),
        ("budget = 1", r"no section \[budget\]"),
        ("attack = 1", r"wanted a section \[attack\]"),
        ("[attack]\nrounds = 1", r"\[attack\] has no rounds; there is: budget"),
        ("[attack]\nbudget = 0", r"settings.toml: section \[attack\]: budget is 0, it has to be at least 1"),
        ("[training]\nseed = 1", r"\[training\] has no seed"),
        ("[rollout]\nsteps = [5, 100]", "steps go from 0"),
        ("[rollout.limits]\npsy = 1", r"\[rollout.limits\] has no psy; there is: error_rate"),
        ("[gates]\nclean_f2 = 0.1", "clean_f2"),
        ("[floors]\nclean_f2 = 0.1", "clean_f2"),
        ("[floors]\nclean_f1 = 70", "the floor of clean_f1 is 70, it has to be from 0 to 1"),
        ("[promotion]\nrequire_guard = 1", r"\[promotion\] require_guard is 1, wanted true or false"),
        ("[attack\nbudget", "cannot be read"),
    ],
)
def test_what_cannot_be_used_is_refused(tmp_path, text, message):
    path = tmp_path / "settings.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        load(path)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match=r"settings file .*none.toml cannot be read"):
        load(tmp_path / "none.toml")


def test_the_example_of_the_documentation_is_valid(tmp_path):
    from content_arena.pipelines.cli import documentation

    example = documentation.README.read_text(encoding="utf-8").split("```toml\n")[1].split("```")[0]
    (tmp_path / "example.toml").write_text(example)
    assert load(tmp_path / "example.toml").settings["gates"]["clean_f1"] == 0.01
