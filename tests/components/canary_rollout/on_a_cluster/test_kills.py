"""Killed at random moments, resumed each time: the same end as if nobody had killed anything."""

import os
import random
import time

import pytest

from tests.components.canary_rollout.on_a_cluster import outcomes

pytestmark = pytest.mark.slow
#: A quarter of an hour for 50 in both modes.
_KILLS = int(os.environ.get("CONTENT_ARENA_TEST_KILLS", "5"))
#: Seconds from when a process holds the lease; one in so many dies before it has come so far.
_LONGEST, _EARLY = 12.0, 6
#: A window that was watched in pieces tells nothing, and has to be measured again.
_PATIENT = {"inconclusives": 1000, "deadline": 7200}


def test_killed_at_random_moments(installation, component):
    """One good challenger after the other, until enough processes were killed."""
    dice, killed, before = random.Random(0), 0, "1"
    phases = []
    while killed < _KILLS:
        version = str(int(before) + 1)
        installation.storage.put(version)
        process = component.begin(**_PATIENT)
        while not process.is_over:
            if killed == _KILLS:
                process.wait()
                break
            if dice.randrange(_EARLY):
                component.carries(process)
            time.sleep(dice.uniform(0, _LONGEST))
            if process.is_over:
                break
            process.kill()
            killed += 1
            state = component.state()
            is_begun = state.get("challenger") == version
            phases.append(f"{state['phase']} {state['step']}" if is_begun else "before it began")
            component.forget_the_dead()
            process = component.begin("resume") if is_begun else component.begin(**_PATIENT)
        assert process.code == 0, component.said
        outcomes.is_promoted(component, version, before)
        before = version
        installation.publish("challenger")
    print(f"\nkilled {killed} times: {', '.join(phases)}")
    assert outcomes.count_answers(component) == {}
