"""The canonicaliser: properties of any text, edits that it undoes, and texts that it leaves unchanged."""

import time
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from content_arena.components.shared.errors import BundleError
from content_arena.components.shared.text import canonical_v1, hangul
from content_arena.components.shared.text.canonical import CANONICAL_VERSION, MAX_GROWTH, canonicalise, canonicaliser
from content_arena.components.shared.text.letter_forms import letter_forms, look_alikes

# Characters that interact: look-alikes, marks, jamo, controls, gaps, forms, emoji and what joins them.
TRICKY = st.text(
    alphabet=list(
        "ab1IoO0@$!. -_*()[]\t\x08\u200b\u200d\u202e\u202cаеоіρο\u0301\u0336\u0323ㄱㄴㅏㅋㅠ가\u1100\u1161\u11a8éßﬁ①ﾊﾞが"
        "🅸🅰🇮🇰🇷ⓘ𝓲ｉ１ɪəᶦ★❤🙂♀\ufe0f🏽🏴\U000e0067\U000e007fกมي\ufdfaㅂ\uffa1"
        "{}n⓪⒜\u20e3©®°¢кнѕꓲᗷᑕʇıɐɔǝ\u0363\u030d\u0358丨乇๔ᶤ,"
    )
)


@given(st.text() | TRICKY)
@settings(max_examples=600, deadline=None)
@example("\u0308\u1100 . ")
@example("🅸 🅸 🅸🅸")
def test_is_idempotent(text):
    once = canonicalise(text)
    assert canonicalise(once) == once


@given(st.text() | TRICKY)
@settings(max_examples=400, deadline=None)
def test_grows_no_more_than_stated(text):
    assert len(canonicalise(text)) <= MAX_GROWTH * len(text)


@given(st.text() | TRICKY)
@settings(deadline=None)
def test_leaves_no_surrounding_or_double_space(text):
    assert canonicalise(text) == " ".join(canonicalise(text).split())


@given(st.text(alphabet=st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3)))
def test_keeps_hangul_syllables(text):
    assert canonicalise(text) == text


@given(st.text(alphabet=st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=60))
def test_alters_nothing_in_ascii_but_spaces_and_bracketed_letters(text):
    altered = canonicalise(text)
    assert altered == " ".join(text.split()) or any(bracket in text for bracket in "([{")


@given(st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3))
@example("훟")
def test_taking_a_syllable_apart_and_composing_it_gives_it_back(syllable):
    jamo = hangul.decompose(syllable)
    assert hangul.compose(*jamo) == syllable
    # Alone these jamo stand for laughing and crying; beside others they are letters of a syllable.
    is_emotion = not set("".join(jamo)) - set("ㅋㅎㅠㅜㅡㅗ")
    assert hangul.recompose("".join(jamo)) == ("".join(jamo) if is_emotion else syllable)
    assert hangul.recompose("ㅂㅏ" + "".join(jamo)) == f"바{syllable}"
    assert canonicalise(unicodedata.normalize("NFD", syllable)) == syllable


@pytest.mark.parametrize(
    "text",
    [
        # other scripts, and mixes of marks that are spelling
        "Мой злой йогурт", "а я и в лес пошёл", "мама", "привет, как дела", "I said мама", "ναι", "καλημέρα κόσμε",
        "น้ำ", "ก๋วยเตี๋ยว", "می‌خواهم", "क्‍ष", "ක්‍ය", "ᠮᠣᠩᠭᠣᠯ", "が ガ 日本語 中文 ｶﾀｶﾅ（笑）！",
        "feliz año nuevo", "es ist schwül", "bạn bán bàn ở đâu", "Sık geliyor", "ọ̀rẹ́ mi", "łódź øl þú", "naïve café",
        "이 집 밥 참 맛있다", "ㅋㅋㅋ ㅠㅠ ㅋㅋㅠㅠ ㅇㅈ", "µTorrent α-helix β", "[ˈɪdiət]",
        "chi̍t bo̍͘h o̤ g̃uahẽ", "M̧ajeļ n̄", "SMSка ITшник", "αvβ3 [kʊk]", "ʌðɚ ɹʌn ɔdɔ ssɐ", "sıradan kız", "ты а",
        # emoji and signs
        "👨‍❤️‍💋‍👨", "👩🏽‍🚀", "🏳️‍🌈", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "1️⃣ #️⃣", "❤️", "Ⓜ️ ℹ️", "🇰🇷 🇫🇷", "🇰🇷🇫🇷🇺🇸", "blood type 🅰 🅱", "🅰️ 🅱️", "★★★ ← ™ ©",
        "½ ① ℃ ㎏ №5 x² + yⁿ", "\ufdfa",
        "20°C 10°N 5★hotel", "1️⃣First 2️⃣Second", "①one ②two", "Ⓐ, Ⓑ, Ⓒ", "Ⓐ Ⓑ Ⓒ ⒜⒝⒞", "Acme® ©2020", "for life ◡̈⃝",
        # numbers, names, addresses, code
        "R2D2, the 4th, $5, 142,460", "H1N1, C3PO", "mp3 gpt4 2nd 10:30 100% C++ 3-1", "Straße 100€",
        "bob@example.com", "https://youtu.be/xK2F4G", "hi @user1 #tag", "a11y log4j W3Schools yes|no", "Great!Thanks",
        "for(i=0;i<n;i++) { a[i] = b[i]; }", "5(a)(1)(b)", "Art. 5 (a)(b)(c), (i)(j)(k)",
        "(a) (b) (c) {x}{y}{z}", "a·b", "h3llo i d i o t s.t.u.p.i.d st*pid",
    ],
)  # fmt: skip
def test_leaves_alone(text):
    assert canonicalise(text) == text


@pytest.mark.parametrize(
    ("perturbed", "expected"),
    [
        # forms of letters
        ("🅸🅳🅸🅾🆃", "IDIOT"), ("🅘🅓🅘🅞🅣", "IDIOT"), ("🇮 🇩 🇮 🇴 🇹", "IDIOT"), ("🇮🇩🇮🇴🇹", "IDIOT"), ("🄸🄳🄸🄾🅃", "IDIOT"),
        ("ꜱᴛᴜᴘɪᴅ ɪᴅɪᴏᴛ", "stupid idiot"), ("ⓘⓓⓘⓞⓣ", "idiot"), ("⒤⒟⒤⒪⒯", "idiot"), ("ᶦᵈᶦᵒᵗ", "idiot"),
        ("ᵢdᵢₒₜ", "idiot"),
        ("𝓲𝓭𝓲𝓸𝓽", "idiot"), ("ｉdi0t", "idi0t"), ("𝙞 𝙙 𝙞 𝙤 𝙩", "idiot"), ("ⓘ.ⓓ.ⓘ.ⓞ.ⓣ", "idiot"), ("🅱️itch", "Bitch"),
        ("ﬁlth", "filth"),
        ("\U0001ccde\U0001ccd9\U0001ccde\U0001cce4\U0001cce9", "IDIOT"),
        ("(i)(d)(i)(o)(t)", "idiot"), ("[i][d][i][o][t]", "idiot"),
        ("(i) (d) (i) (o) (t)", "idiot"), ("{i}{d}{i}{o}{t}", "idiot"), ("[i] [d] [i] [o] [t]", "idiot"),
        ("ᶤᵈᶤᵒᵗ", "idiot"), ("idi⓪t", "idi0t"), ("id①0t", "id10t"), ("f🅰️gg0️⃣t", "fAgg0t"), ("🅰1⃣", "A1"),
        # letters of other scripts
        ("іdіоt", "idiot"), ("ɑss", "ass"), ("you аѕѕ", "you ass"), ("stυpid", "stupid"),
        ("you ꓲꓓꓲꓳꓔ", "you IDIOT"), ("ѕнιт", "shit"), ("ƒυ¢к уσυ", "fuck you"), ("ᗷITᑕᕼ", "BITcH"),
        ("丨ᗪ丨ㄖㄒ", "iDiot"),
        ("уσυ αяє α ѕтυρι∂ ι∂ισт", "you are a stupid idiot"), ("ты ѕтυρι∂", "ты stupid"),
        ("ιԃισƚ", "idiot"), ("ɮɨȶƈɦ ʄʊƈӄ", "bitch fuck"),
        ("ʇoıpı ɐ ǝɹɐ noʎ", "you are a idiot"), ("you are so ʇoıpı!", "you are so idiot!"), ("ǝɹoɥʍ", "whore"),
        # what nobody sees
        ("id\u200biot", "idiot"), ("id\u200diot", "idiot"), ("id\u00adiot", "idiot"), ("i\U000e0061diot", "idiot"),
        ("id\ufe0fiot", "idiot"), ("ido\x08iot", "idiot"), ("idoo\x7f\x08iot", "idiot"), ("\u202etoidi\u202c", "idiot"),
        # marks
        ("i̷d̸i̴o̵t̶", "idiot"), ("ï̈d̈ï̈ö̈ẗ", "idiot"), ("i⃝d⃝i⃝o⃝t⃝", "idiot"), ("i̍d̍i̍o̍t̍", "idiot"),
        ("i⃣d⃣i⃣o⃣t⃣", "idiot"), ("i⃣ d⃣ i⃣", "i d i"), ("iͩiͦt uͤber", "idiot ueber"), ("idͣ̈̈ioͦ̈t", "idiot"),
        ("i̷diot you̍ iͦt", "idiot you it"),
        # Hangul taken apart
        ("ㅂㅏㅂㅗ", "바보"), ("ㄷㅏㄹㄱ", "닭"), ("ㅇㅏㄴㄴㅕㅇ", "안녕"), ("ᄇ\u200bᅡ보", "바보"), ("ﾲￂﾲￌ", "바보"),
    ],
)  # fmt: skip
def test_undoes(perturbed, expected):
    assert canonicalise(perturbed) == expected


@pytest.mark.parametrize(
    ("perturbed", "expected"),
    [
        ("id🙂iot", "id 🙂 iot"),
        ("i★d★i★o★t", "i ★ d ★ i ★ o ★ t"),
        ("love❤you", "love ❤ you"),
        ("love❤️you", "love ❤️ you"),
        ("t®️ash bit©h", "t®ash bit©h"),
    ],
)
def test_sets_signs_apart_from_letters(perturbed, expected):
    assert canonicalise(perturbed) == expected


def test_every_form_of_a_letter_is_undone_in_a_word():
    for form, letters in letter_forms().items():
        if not letters.isalpha() or "\U0001f1e6" <= form <= "\U0001f1ff":
            continue
        assert canonicalise(f"x{form}{form}x") == f"x{letters}{letters}x", f"U+{ord(form):04X}"


def test_every_look_alike_is_undone_among_latin_letters():
    for source, letter in look_alikes().items():
        if unicodedata.normalize("NFC", source) == source:
            assert canonicalise(f"xx{source}xx") == f"xx{letter}xx", f"U+{ord(source):04X}"


@pytest.mark.parametrize(
    "unit",
    [
        "a\x08",
        "\ufdfa",
        "а",
        "a★",
        "(i)",
        "i̷",
        "🇮 ",
        "𝓲 ",
        "ᄇ",
        "ｉ.",
        "é",
        "\u200b",
        "ㅂㅏ",
        "ʇ",
        "ʇ ",
        "so ʇ",
        "ѕн",
        "{i} ",
        "a⃣",
        "a⓪",
        "aͣ",
        "¢",
        "卂ᗪ",
        "1⃣",
    ],
)
def test_takes_linear_time(unit):
    started = time.perf_counter()
    canonicalise(unit * 20_000)
    assert time.perf_counter() - started < 20


def test_one_character_does_not_become_many():
    assert len(canonicalise("\ufdfa" * 5000)) == 5000


def test_takes_an_empty_text():
    assert canonicalise("") == ""
    assert canonicalise("\u200b\u3164") == ""
    assert canonicalise("\ud800 a") == "\ud800 a"


def test_knows_both_versions_and_no_other():
    assert canonicaliser("1")("h3llo") == canonical_v1.canonicalise("h3llo") == "hello"
    assert canonicaliser(CANONICAL_VERSION) is canonicalise
    with pytest.raises(BundleError, match="canonicaliser 3"):
        canonicaliser("3")
