"""The server, with a quarter of a second for every batch, and little time for bodies and for its end."""

import functools
import sys
import time

from content_arena.components.predictor import limits, server, startup
from content_arena.components.predictor.rest import server as rest
from content_arena.components.shared.scoring.filter import ContentFilter

score_windows = ContentFilter.score_windows


def slowly(self, batch):
    time.sleep(0.25)
    return score_windows(self, batch)


if __name__ == "__main__":
    ContentFilter.score_windows = slowly
    rest.DRAIN_SECONDS = 2
    startup.Limits = functools.partial(limits.Limits, body_seconds=2.0)
    sys.exit(server.main())
