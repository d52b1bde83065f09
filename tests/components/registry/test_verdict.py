"""Verdicts as documents: a written document can be read, and an incomplete one is refused."""

import json
from dataclasses import asdict

import pytest

from content_arena.components.registry import gates
from content_arena.components.registry.verdict import PromotionVerdict, RecordedVerdict
from content_arena.components.shared.errors import InputError

RESULTS = tuple(gates.judge({"clean_f1": 0.8}, {"clean_f1": 0.9}))


def verdict(promoted=False):
    return PromotionVerdict(
        passed=False, promoted=promoted, champion_version="1", challenger_version="2", generation=3, reasons=("why",),
        gates=RESULTS, margins={"clean_f1": 0.005, "evasion": None}, seconds={"train_qlora": 312.0},
    )  # fmt: skip


@pytest.mark.parametrize("promoted", [True, False, None])
def test_what_is_written_is_read(promoted):
    written = json.loads(json.dumps(verdict(promoted).as_json()))
    assert PromotionVerdict.from_json(written) == verdict(promoted)


def test_the_backend_gives_every_number_back_as_a_float():
    assert PromotionVerdict.from_json(verdict().as_json() | {"generation": 3.0}).generation == 3


@pytest.mark.parametrize("key", verdict().as_json())
def test_a_field_that_is_missing_is_named(key):
    written = verdict().as_json()
    del written[key]
    with pytest.raises(InputError, match=f"the verdict has no field '{key}'"):
        PromotionVerdict.from_json(written)


@pytest.mark.parametrize("promoted", ["yes", 1, {}])
def test_only_true_is_promoted(promoted):
    with pytest.raises(InputError, match=r"promoted is .*, it has to be true or false"):
        PromotionVerdict.from_json(verdict().as_json() | {"promoted": promoted})


def test_only_true_is_a_gate_that_passed():
    document = verdict().as_json()
    document["gates"][0]["passed"] = "yes"
    with pytest.raises(InputError, match=r"gates\[0\].passed is a text"):
        PromotionVerdict.from_json(document)


def test_a_recorded_verdict_from_before_margins_were_kept_is_read():
    old = {"champion": 7, "gates": [asdict(result) for result in RESULTS]}
    assert RecordedVerdict.from_json(old) == RecordedVerdict(champion=7, gates=RESULTS, margins={})
