"""A good challenger goes all the way, and no answer is lost."""

import pytest

from tests.components.canary_rollout.on_a_cluster import outcomes

pytestmark = pytest.mark.slow


def test_a_good_challenger_is_promoted_and_no_answer_is_lost(installation, component):
    installation.storage.put("2")
    process = component.run()
    assert process.code == 0, component.said
    outcomes.is_promoted(component)
    assert outcomes.count_answers(component) == {}
    assert {"RolloutStarted", "RolloutShifting", "RolloutMove", "RolloutPromoted"} <= outcomes.events(component)
