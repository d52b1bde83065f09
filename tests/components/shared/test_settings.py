"""Settings are read from one section of a document, and unknown names are refused."""

from dataclasses import dataclass, field
from typing import ClassVar

import pytest

from content_arena.components.shared import settings
from content_arena.components.shared.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Sizes:
    SECTION: ClassVar[str] = "settings"
    size: int = 3
    rate: float = 0.5
    name: str = "usual"
    is_on: bool = False
    words: tuple[str, ...] = ()
    url: str | None = None
    limits: dict[str, float] = field(default_factory=dict)


def test_nothing_given_is_the_defaults():
    assert settings.make(Sizes, None) == settings.make(Sizes, {}) == settings.make(Sizes, {"other": {}}) == Sizes()


def test_values_become_of_their_type():
    # Kubeflow Pipelines hands every number in a dict over as a double.
    document = {"settings": {"size": 4.0, "rate": 1, "is_on": True, "words": ["a", "b"], "url": "http://there"}}
    made = settings.make(Sizes, document, name="named")
    assert made == Sizes(size=4, rate=1.0, is_on=True, words=("a", "b"), url="http://there", name="named")
    assert (type(made.size), type(made.rate)) == (int, float)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"siz": 1}, "no siz; there is: size, rate, name, is_on, words, url"),
        ({"size": 1.5}, "size is 1.5, wanted a whole number"),
        ({"size": True}, "size is True, wanted a whole number"),
        ({"size": None}, "size is None, wanted a whole number"),
        ({"rate": float("nan")}, "rate is nan, wanted a number"),
        ({"rate": "1"}, "rate is '1', wanted a number"),
        ({"is_on": 1}, "is_on is 1, wanted true or false"),
        ({"name": 1}, "name is 1, wanted a text"),
        ({"words": "ab"}, "words is 'ab', wanted a list"),
        ({"words": [1]}, "words is 1, wanted a text"),
        ({"rate": 0.1, "name": "twice"}, "name: set the parameter of this name instead"),
        ("size = 1", "wanted names and values"),
    ],
)
def test_what_cannot_be_used_is_refused(given, message):
    with pytest.raises(InputError, match=message):
        settings.make(Sizes, {"settings": given}, name="named") if "twice" in str(given) else settings.make(
            Sizes, {"settings": given}
        )


def test_a_stage_refuses_with_one_line(capsys):
    with pytest.raises(SystemExit) as stopped:
        settings.read("some_stage", Sizes, {"settings": {"siz": 1}})
    assert stopped.value.code == 2
    assert capsys.readouterr().out.startswith("[some_stage] error: settings: [settings] has no siz")
