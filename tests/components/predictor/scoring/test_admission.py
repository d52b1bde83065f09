"""What may wait, for any order of requests that come and go."""

from itertools import count

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from content_arena.components.predictor.scoring.admission import (
    SMALL_REQUEST_TOKENS,
    Admission,
    OverloadedError,
    is_small,
)

CAPACITY = 8_192
SIZES = st.integers(1, 2 * SMALL_REQUEST_TOKENS)


class Requests(RuleBasedStateMachine):
    """Requests that were admitted, by name, with what each takes."""

    admitted = Bundle("admitted")

    def __init__(self):
        super().__init__()
        self.admission, self.taken, self.names = Admission(CAPACITY), {}, count()

    def room(self, tokens, without=None):
        part = CAPACITY // 4 if is_small(tokens) else CAPACITY - CAPACITY // 4
        others = (n for name, n in self.taken.items() if name != without and is_small(n) == is_small(tokens))
        return part - sum(others)

    @rule(target=admitted, tokens=SIZES)
    def come(self, tokens):
        name = next(self.names)
        if tokens > self.room(tokens):
            with pytest.raises(OverloadedError):
                self.admission.admit(tokens)
            return name
        self.admission.admit(tokens)
        self.taken[name] = tokens
        return name

    @rule(name=admitted, tokens=SIZES)
    def turn_out(self, name, tokens):
        """What a request costs is known once it was read."""
        if (held := self.taken.get(name)) is None:
            return
        if tokens > held and tokens > self.room(tokens, without=name):
            with pytest.raises(OverloadedError):
                self.admission.admit(tokens, held)
        else:
            self.admission.admit(tokens, held)
            self.taken[name] = tokens

    @rule(name=consumes(admitted))
    def go(self, name):
        if (held := self.taken.pop(name, None)) is not None:
            self.admission.leave(held)

    @invariant()
    def the_largest_that_fits_is_let_in_and_no_larger_one(self):
        for part in (SMALL_REQUEST_TOKENS, CAPACITY):
            if (room := min(part, self.room(part))) > 0 and is_small(room) == is_small(part):
                self.admission.admit(room)
                self.admission.leave(room)


test_requests_that_come_and_go = Requests.TestCase
