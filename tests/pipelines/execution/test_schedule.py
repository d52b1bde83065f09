"""Cron expressions: five fields are translated, nonsense is refused in one line."""

import pytest

from content_arena.components.shared.errors import InputError
from content_arena.pipelines.execution.schedule import six_fields


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("*/5 * * * *", "0 */5 * * * *"),
        ("0 3 * * 1-5", "0 0 3 * * 1-5"),
        ("30 2 1,15 jan-mar mon", "0 30 2 1,15 jan-mar mon"),
        ("15 30 2 * * ?", "15 30 2 * * ?"),
        (" @Daily ", "@daily"),
    ],
)
def test_what_kubeflow_pipelines_reads(given, wanted):
    assert six_fields(given) == wanted


@pytest.mark.parametrize(
    "given",
    ["garbage", "* * * *", "* * * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 7",
     "*/0 * * * *", "5-1 * * * *", "? * * * *", "@reboot", "", "a,b * * * *", "1, * * * *"],
)  # fmt: skip
def test_nonsense_is_refused(given):
    with pytest.raises(InputError, match="--cron is"):
        six_fields(given)
