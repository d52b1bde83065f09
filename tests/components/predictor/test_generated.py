"""Some hundred made-up requests over every API; ``tests/benchmarks/generated_requests.py`` sends thousands."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, given, settings

pytest.importorskip("schemathesis", reason="needs schemathesis of the extra dev")

from . import generated
from .adapters.conftest import adapters, suggestions  # noqa: F401


@pytest.fixture(scope="module")
def kinds(adapters):  # noqa: F811
    return list(generated.kinds(adapters.url))


def test_no_request_makes_a_5xx_and_every_answer_fits_the_schema(kinds, adapters):  # noqa: F811
    for kind in kinds:
        n_examples = 40 if kind.name == "raw bytes" else 8

        @settings(
            max_examples=n_examples,
            suppress_health_check=list(HealthCheck),
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.generate],
        )
        @given(send=kind.requests)
        def answered(send):
            send()

        answered()
    assert "Traceback" not in adapters.log
    assert adapters.process.poll() is None
    assert adapters.predict(json={"instances": ["you idiot"]}).json()["predictions"][0]["is_toxic"]
