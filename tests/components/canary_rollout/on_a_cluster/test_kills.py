"""A rollout that is killed at random moments and resumed ends as if it had never been killed."""

import os
import random
import time

import pytest

from tests.components.canary_rollout.on_a_cluster import outcomes

pytestmark = pytest.mark.slow
#: A quarter of an hour for 50 in both modes.
_KILLS = int(os.environ.get("CONTENT_ARENA_TEST_KILLS", "5"))
#: Longest time from the lease to the kill, in seconds; and one process in so many is killed before it has the lease.
_LONGEST, _EARLY = 12.0, 6
#: Many judgements are inconclusive, because a window that was interrupted has to be measured again. On a busy
#: machine the processes of a few kills take longer to start than pods may.
_PATIENT = {"inconclusives": 1000, "deadline": 7200, "start_timeout": 900}


def test_killed_at_random_moments(installation, cli):
    """Rolls out one good challenger after the other, until enough processes were killed."""
    dice, killed, before = random.Random(0), 0, "1"
    phases = []
    while killed < _KILLS:
        version = str(int(before) + 1)
        installation.storage.put(version)
        process = cli.begin(**_PATIENT)
        while not process.is_over:
            if killed == _KILLS:
                process.wait()
                break
            if dice.randrange(_EARLY):
                cli.wait_for_lease(process)
            time.sleep(dice.uniform(0, _LONGEST))
            if process.is_over:
                break
            process.kill()
            killed += 1
            state = cli.state()
            is_begun = state.get("challenger") == version
            phases.append(f"{state['phase']} {state['step']}" if is_begun else "before it began")
            cli.delete_lease()
            process = cli.begin("resume") if is_begun else cli.begin(**_PATIENT)
        assert process.code == 0, cli.output
        outcomes.is_promoted(cli, version, before)
        before = version
        installation.publish("challenger")
    print(f"\nkilled {killed} times: {', '.join(phases)}")
    assert outcomes.count_answers(cli) == {}
