"""The real predictor with a fault that $PREDICTOR_FAULT names, which shows only once it is warm.

``slow`` takes 0.7 s for every request, ``failing`` can not score every other one.
"""

import itertools
import os
import sys
import time

from content_arena.components.predictor import server
from content_arena.components.shared.scoring.filter import ContentFilter

windows, calls = ContentFilter.windows, itertools.count()


def faulty(self, texts):
    call = next(calls)
    is_warm = call > 0
    if is_warm and os.environ["PREDICTOR_FAULT"] == "slow":
        time.sleep(0.7)
    if is_warm and os.environ["PREDICTOR_FAULT"] == "failing" and call % 2:
        raise RuntimeError
    return windows(self, texts)


if __name__ == "__main__":
    ContentFilter.windows = faulty
    sys.exit(server.main())
