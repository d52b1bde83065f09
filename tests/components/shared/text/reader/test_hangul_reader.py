"""Hangul through the Reader: what it restores, what it leaves alone, laws for any text."""

import itertools
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from content_arena.components.shared.text import hangul
from content_arena.components.shared.text.canonical import canonicalise
from content_arena.components.shared.text.reader import hangul_lexicon, hangul_signs, hanja
from content_arena.components.shared.text.reader.hangul_reader import HangulReader, Thresholds
from content_arena.components.shared.text.reader.hangul_slips import Prices, jamo, meant, scaled
from content_arena.components.shared.text.reader.hangul_words import HangulWords, is_odd
from content_arena.components.shared.text.reader.lexicon import JAMO, Lexicon
from content_arena.components.shared.text.reader.reader import Reader

STEMS = "바보 멍청 있 없 사람 생각 좋 싫 먹 가 나 너 우리 오늘 날씨 정말 진짜 친구 학교 집 밥 맛있 거지 기다 노래 음악"
WORDS = "바보 멍청이 있어요 있어 없어 사람 사람들 생각해 좋아 좋아요 싫어 먹어 오늘 날씨 정말 진짜 친구 학교 노래"
ENDINGS = (
    "이 가 은 는 을 를 에 에서 도 만 들 야 아 어 어요 어서 다 고 지 하고 해 해서 요 네 게 이야 이다 었다 았다 으로"
)
SYLLABLES = "".join(dict.fromkeys((STEMS + WORDS + ENDINGS).replace(" ", "")))


@pytest.fixture(scope="module")
def lexicon():
    starts = {piece: 5.0 + rank / 10 for rank, piece in enumerate(dict.fromkeys(f"{WORDS} {STEMS}".split()))}
    inside = {piece: 3.0 + rank / 10 for rank, piece in enumerate(dict.fromkeys(ENDINGS.split()))}
    inside |= {syllable: 11.0 for syllable in SYLLABLES if syllable not in inside}
    starts |= {syllable: 11.0 for syllable in SYLLABLES if syllable not in starts}
    return Lexicon(starts, alphabet=JAMO, inside=inside)


@pytest.fixture(scope="module")
def reader(lexicon):
    return Reader(lexicon)


@pytest.mark.parametrize(
    ("written", "restored"),
    [
        ("빠뽀야", "바보야"),  # tense initials
        ("파포야", "바보야"),  # aspirated ones
        ("바뵤야", "바보야"),  # a near vowel
        ("밟봃야", "바보야"),  # finals put in
        ("이써요", "있어요"),  # a final written as it is pronounced
        ("시러", "싫어"),
        ("조아요", "좋아요"),  # a silent final left out
        ("사라믈", "사람을"),
        ("샤럄들이", "사람들이"),
        ("멍쳥이", "멍청이"),
        ("바1보야", "바보야"),
        ("바★보야", "바보야"),
        ("바 보야", "바보야"),
        ("멍 청 이!", "멍청이!"),
        ("㉯는 ㈏는", "나는 나는"),
        ("ㅂr보야", "바보야"),
        ("ㅓㄱ는", "나는"),
        ("보바는", "바보는"),  # syllables swapped
        ("家고", "가고"),
    ],
)
def test_restores(reader, written, restored):
    assert reader.read(canonicalise(written)) == restored


@pytest.mark.parametrize(
    "text",
    [
        "바보야",
        "오늘 날씨 정말 좋아요!",
        "ㅋㅋㅋ 진짜 ㅠㅠ 좋아 ㅎㅎ~",
        "ㅇㅇ ㄴㄴ ㅇㅋ",
        "아이폰15 3명이 2~3개 (정말) '진짜' 친구=학교 밥/집",
        "LG가 PC방에서 www.example.com @user [email]",
        "大韓民國",
        "hello you idi0t",
        "좋아 🙂 👨‍👩‍👧",
        "",
    ],
)
def test_leaves_alone(reader, text):
    assert reader.read(text) == text


def test_a_known_word_is_read_at_a_smaller_margin_than_pieces_of_one_syllable(lexicon):
    def reads(written, **thresholds):
        return HangulReader(lexicon.costs, lexicon.inside, thresholds=Thresholds(**thresholds)).read(written)

    # 바보 is a word of the lexicon, 거지는 is made of 거지 and 는.
    assert reads("빠뽀 꺼찌는", margin=0.0, whole_margin=0.0) == "바보 거지는"
    assert reads("빠뽀 꺼찌는", margin=99.0, whole_margin=0.0) == "바보 꺼찌는"
    assert reads("빠뽀 꺼찌는", margin=0.0, whole_margin=99.0) == "바보 거지는"


def test_a_sign_between_syllables_joins_them_at_a_smaller_price(lexicon):
    costs = lexicon.costs | {"바": 4.0, "보": 4.0, "바보": 6.5}
    assert HangulReader(costs, lexicon.inside).read("바 보") == "바 보"
    assert HangulReader(costs, lexicon.inside).read("바 ★ 보") == "바보"


@given(st.text(st.sampled_from(SYLLABLES + " abㅋㅠㅏㄱ★1.!家㉮긶뷁"), max_size=30))
def test_laws(reader, text):
    read = reader.read(text)
    assert read == " ".join(read.split())
    assert len(read) <= 4 * len(text)
    assert reader.read(text) == read, "the cache changes nothing"


@given(st.text(max_size=40))
def test_a_text_without_hangul_keeps_its_tokens(reader, text):
    plain = "".join(char for char in text if not ("ㄱ" <= char <= "ㆎ" or "가" <= char <= "힣" or "㈀" <= char <= "㉿"))
    assert reader.read(plain) == " ".join(plain.split())


@given(
    st.lists(st.sampled_from([w + e for w in WORDS.split()[:8] for e in ENDINGS.split()[:8]]), max_size=6).map(" ".join)
)
def test_likely_words_stay(reader, text):
    assert reader.read(text) == text


def test_a_lexicon_is_the_same_after_a_round_trip(lexicon, tmp_path):
    lexicon.save(tmp_path / "lexicon.json")
    loaded = Lexicon.load(tmp_path / "lexicon.json")
    assert loaded == Lexicon(lexicon.costs, alphabet=JAMO, inside=lexicon.inside) or loaded.inside.keys() == (
        lexicon.inside.keys()
    )
    assert Reader(loaded).read("빠뽀야") == "바보야"


def test_a_dearer_edit_restores_less(lexicon):
    dear = Reader(Lexicon(lexicon.costs, alphabet=JAMO, inside=lexicon.inside, edit_price=50))
    assert dear.read("빠뽀야") == "빠뽀야"


@given(
    st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3), st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3)
)
def test_a_syllable_may_always_have_been_meant_as_it_is_written(one, other):
    for before, after, taken in itertools.product((None, jamo(other)), (None, jamo(other)), (False, True)):
        found = meant(jamo(one), before, after, taken, Prices())
        initial = "ㅇ" if taken else jamo(one).initial
        assert found.heads[initial, jamo(one).vowel] == 0
        assert (0.0, False) in found.tails[jamo(one).final]
        assert min(found.heads.values()) == 0
        for head, final in itertools.product(found.heads, found.tails):
            assert hangul.is_syllable(hangul.compose(*head, final))


def test_prices_are_scaled():
    assert scaled(Prices(), 2).vowel == 2 * Prices().vowel


def test_no_division_is_cheaper_than_the_one_that_is_found(lexicon):
    words = HangulWords({"가": 4.0, "가나": 9.0}, {"나": 3.0, "다": 2.0, "나다": 4.5})
    assert words.as_written("가나다") == 8.5
    assert words.divide("가나다") == ["가", "나다"]
    assert words.divide("긶") == ["긶"]


def test_rows_of_ks_x_1001():
    assert not is_odd("가")
    assert not is_odd("힝")
    assert is_odd("긶")


@pytest.mark.parametrize(
    ("char", "syllable"),
    [("家", "가"), ("下", "하"), ("高", "고"), ("大", "대"), ("人", "인"), ("a", ""), ("가", ""), ("㐀", "")],
)
def test_readings_of_chinese_characters(char, syllable):
    assert hanja.reading(char) == syllable


def test_the_readings_are_those_of_every_character_of_the_standard():
    ends, syllables = hanja._table()
    assert ends[-1] == 4888
    assert len(ends) == len(syllables)
    assert all(map(hangul.is_syllable, syllables))


@pytest.mark.parametrize("reading", hangul_signs.READINGS)
@given(text=st.text(max_size=20))
def test_readings_of_signs_leave_ordinary_syllables(reading, text):
    syllables = "".join(filter(hangul.is_syllable, text))
    assert reading(syllables) == syllables


def texts(*words, times=3):
    return [f"{word} {i}" for word in words for i in range(times)]


def vocabulary(marked):
    pieces = [chr(code) for code in range(0xAC00, 0xAC00 + 1100)]
    return {token: i for i, token in enumerate([*(marked(piece) for piece in pieces), "나", "다"])}


def test_pieces_come_from_the_vocabulary_and_from_texts():
    built = hangul_lexicon.build(vocabulary(lambda piece: f"▁{piece}"), texts("틀딱이", "틀딱은", "홍길동", times=2))
    assert "틀딱" in built.starts
    assert "홍길동" not in built.starts, "a word of too few texts may be a name"
    assert "나" in built.inside


def test_a_word_piece_vocabulary_marks_what_goes_on():
    built = hangul_lexicon.build({**vocabulary(lambda piece: piece), "##는": 9999}, texts("나는"))
    assert "는" in built.inside
    assert "나" in built.starts


def test_a_vocabulary_without_hangul_gives_none():
    assert hangul_lexicon.build({"▁you": 0}, texts("바보")) is None


@pytest.mark.parametrize(
    ("given_texts", "expected"), [(["바보 idiot"], False), (["바보야 ok"], True), (["you"], False), ([], False)]
)
def test_which_texts_are_korean(given_texts, expected):
    assert hangul_lexicon.is_korean(given_texts) is expected


def test_decomposed_jamo_are_joined_by_the_canonicaliser_first(reader):
    assert reader.read(canonicalise(unicodedata.normalize("NFD", "바보야"))) == "바보야"
    assert reader.read(canonicalise("ㅂㅏㅂㅗㅇㅑ")) == "바보야"
