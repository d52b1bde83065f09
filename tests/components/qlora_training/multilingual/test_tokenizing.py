"""The pruned tokenizer: what is kept, and that it reads kept pieces as the whole one does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from content_arena.components.qlora_training.multilingual import pruning, tokenizing
from content_arena.components.qlora_training.multilingual.packed import Vocabulary
from tests import packed_e5

VOCABULARY = Vocabulary(packed_e5.PIECES, tuple(packed_e5.scores()), bos=0, eos=2, pad=1, unk=3)
RARE = VOCABULARY.pieces.index("▁rare")
WHOLE = tokenizing.build(VOCABULARY, list(range(len(VOCABULARY.pieces))))


def kept(lang):
    return [VOCABULARY.pieces[i] for i in pruning.kept_ids(VOCABULARY, lang)]


def test_korean_keeps_hangul_and_english_does_not():
    assert {"▁바보", "안녕", "하세요", "▁idiot", "...", "바"} <= set(kept("ko"))
    assert {"▁slovo", "▁слово", "слово"}.isdisjoint(kept("ko"))
    assert {"▁바보", "안녕", "하세요", "▁слово"}.isdisjoint(kept("en"))


def test_special_tokens_and_single_characters_are_always_kept():
    for lang in ("ko", "en"):
        assert [piece for piece in VOCABULARY.pieces if len(piece) < 2 or piece in packed_e5.SPECIAL] == [
            piece for piece in kept(lang) if len(piece) < 2 or piece in packed_e5.SPECIAL
        ]


def test_a_language_without_a_list_of_scripts_keeps_everything():
    assert kept("ru") == list(VOCABULARY.pieces)


def test_rare_ascii_words_are_left_out(monkeypatch):
    assert "▁rare" in kept("ko")
    monkeypatch.setattr(pruning, "MAX_ASCII_ID", RARE)
    assert "▁rare" not in kept("ko")
    assert "▁idiot" in kept("ko")


@pytest.mark.parametrize("lang", ["ko", "en"])
def test_known_characters_stay_known(lang):
    pruned = tokenizing.build(VOCABULARY, pruning.kept_ids(VOCABULARY, lang))
    for piece in VOCABULARY.pieces[len(packed_e5.SPECIAL) :]:
        text = piece.replace("▁", "")
        if text and tokenizing.UNK not in WHOLE.encode(" ".join(text)).tokens:
            assert tokenizing.UNK not in pruned.encode(" ".join(text)).tokens


@given(st.lists(st.sampled_from(["you", "idiot", "바보", "안녕하세요", "나", "a", "ㅋㅋ", "...", "!"])).map(" ".join))
def test_texts_of_kept_pieces_are_read_as_by_the_whole_tokenizer(text):
    pruned = tokenizing.build(VOCABULARY, pruning.kept_ids(VOCABULARY, "ko"))
    assert pruned.encode(text).tokens == WHOLE.encode(text).tokens


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_every_text_is_between_the_begin_and_the_end_token(text):
    encoding = WHOLE.encode(text)
    assert (encoding.tokens[0], encoding.tokens[-1]) == (tokenizing.BOS, tokenizing.EOS)
    assert max(encoding.ids) < len(VOCABULARY.pieces)


@pytest.mark.parametrize(
    ("text", "same_as"),
    [("you\tidiot", "you idiot"), (" you  idiot ", "you idiot"), ("ｙｏｕ", "you"), ("you\u3000idiot", "you idiot"),
     ("you\u0001", "you"), ("바보", "바보")],
)  # fmt: skip
def test_normalises_as_sentencepiece_does(text, same_as):
    assert WHOLE.encode(text).ids == WHOLE.encode(same_as).ids


def test_the_words_of_special_tokens_in_a_text_are_the_special_tokens_of_the_model():
    # The original tokenizer does the same; what matters is that no id is out of range.
    assert set(WHOLE.encode("<s> <pad>").ids) <= {0, 1, 2, 4}
