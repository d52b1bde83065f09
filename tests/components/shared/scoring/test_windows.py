"""Windows cover a text, with their own characters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from content_arena.components.shared.scoring.windows import BATCH_TOKENS, WINDOW_STRIDE, Window, batches, cut, limit

LENGTH = 24


@pytest.fixture(scope="module")
def tokenizer():
    made = Tokenizer(models.WordLevel({"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "a": 3}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    limit(made, LENGTH)
    return made


@given(text=st.text(alphabet=list("ab é\ud800바,"), max_size=200))
def test_windows_cover_the_text_and_fit(tokenizer, text):
    windows = cut(tokenizer, [text])
    readable = text.encode("utf-8", "replace").decode()
    assert all(len(window.ids) <= LENGTH for window in windows)
    assert all(window.text in readable for window in windows)
    if len(windows) == 1:
        assert windows[0].text == readable
    else:
        for word in readable.split():
            assert any(part in window.text for window in windows for part in (word, word[:1]))


def test_windows_overlap_and_name_their_text(tokenizer):
    words = [f"w{i}" for i in range(60)]
    windows = cut(tokenizer, ["short", " ".join(words)])
    assert windows[0].text_index == 0
    long = sorted((w.text for w in windows if w.text_index == 1), key=lambda part: int(part.split()[0][1:]))
    assert long[0].split()[-WINDOW_STRIDE:] == long[1].split()[:WINDOW_STRIDE]
    assert {word for part in long for word in part.split()} == set(words)


@given(st.lists(st.integers(1, 2 * BATCH_TOKENS), max_size=40), st.integers(1, 9))
def test_batches_hold_every_window_once_within_their_bounds(sizes, most):
    windows = [Window(index, [0] * size, "") for index, size in enumerate(sizes)]
    made = batches(windows, most)
    assert sorted(window.text_index for batch in made for window in batch) == list(range(len(sizes)))
    assert [len(window.ids) for batch in made for window in batch] == sorted(sizes)
    assert all(len(batch) <= most for batch in made)
    assert all(len(batch) == 1 or len(batch) * len(batch[-1].ids) <= BATCH_TOKENS for batch in made)
