"""Languages as people write them."""

import pytest

from content_arena.components.shared.errors import InputError
from content_arena.components.shared.text.languages import language_code, require_code


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("en", "en"), ("EN", "en"), ("eng", "en"), ("English", "en"), (" english ", "en"), ("en-US", "en"),
        ("en_GB", "en"), ("Korean", "ko"), ("kor", "ko"), ("ko-KR", "ko"), ("한국어", "ko"), ("Deutsch", "de"),
        ("fra", "fr"), ("fre", "fr"), ("cmn", "zh"), ("Brazilian Portuguese", "pt"), ("sv", "sv"),
        ("", None), ("englsih", None), ("xx", None), ("jp", None), ("und", None), ("../en", None), ("unknown", None),
    ],
)  # fmt: skip
def test_reads_the_code_of_a_language(written, code):
    assert language_code(written) == code


def test_requires_a_language():
    assert require_code("English", "--lang") == "en"
    with pytest.raises(InputError, match="--lang 'englsih' is no language; give its ISO 639 code"):
        require_code("englsih", "--lang")
