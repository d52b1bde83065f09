"""Korean as communities write it.

Source: seen in Korean chat and comments; many of the respellings of insults are in Lee et al. 2025, "KOTOX".
"""

from __future__ import annotations

from random import Random

from content_arena.components.attack_generation.strategies.base import Span, Strategy
from content_arena.components.attack_generation.strategies.words import edit_words
from content_arena.components.shared.text import hangul

#: By the beginning of a word, the longest first: a stem carries endings.
_STEMS: dict[str, tuple[str, ...]] = {
    stem: tuple(others.split("/"))
    for stem, others in sorted({
        "시발": "ㅅㅂ/쉬발/시팔/씹알/18", "씨발": "ㅆㅂ/쓰발/씨팔/씌발/18", "병신": "ㅂㅅ/븅신/빙신/병딱",
        "지랄": "ㅈㄹ/쥐랄/지럴", "개새끼": "ㄱㅅㄲ/개색히/개쉐이", "새끼": "ㅅㄲ/색히/쉐끼/새퀴",
        "존나": "ㅈㄴ/졸라/존내/조낸", "미친": "ㅁㅊ/미췬/믜친", "꺼져": "ㄲㅈ/꺼졍/껒여", "꺼지": "ㄲㅈ/껒이",
        "닥쳐": "ㄷㅊ/닥춰/닥치셈", "바보": "ㅂㅂ/빠가/바부/바보탱", "멍청": "멍충/멍텅/뭉청",
        "쓰레기": "쓰렉/쓰뤠기/씨레기", "찌질": "찐질/ㅉㅈ", "한심": "핸심/한씸", "죽어": "주거/쥬거",
        "죽여": "쥬겨/주겨", "진짜": "ㄹㅇ/찐짜/레알", "정말": "ㄹㅇ/레알/증말", "너무": "넘/넘나/느무",
        "완전": "완죤/왕전", "인정": "ㅇㅈ", "감사": "ㄱㅅ/캄사", "고마워": "ㄱㅁㅇ/고마웡", "축하": "ㅊㅋ/추카",
        "죄송": "ㅈㅅ/죄숑", "안녕": "ㅎㅇ/안뇽", "사랑": "샤릉/사룽", "친구": "칭구/칭긔", "선생님": "쌤/썜",
        "사람": "닝겐/사뢈", "인간": "닝겐/잉간", "빨리": "빨랑/빠리", "재미있": "잼있/재밌", "귀여": "커여/기여",
        "맛있": "마싯/마딧", "대박": "머박/ㄷㅂ", "아무도": "암도", "그런": "구런/글언", "저런": "져런/절언",
        "이런": "요런/일언", "무슨": "먼/뭔", "뭐": "머/모", "어떻게": "어케/어뜨케", "게임": "겜",
        "얼굴": "얼귤/얼구리", "머리": "멀이",
    }.items(), key=lambda entry: -len(entry[0]))
}  # fmt: skip
_ENDINGS: dict[str, tuple[str, ...]] = {
    "습니다": ("슴다", "슴미다", "습니당"), "니다": ("니당", "니닷"), "세요": ("세염", "세용", "셈"),
    "요": ("여", "염", "용"), "잖아": ("자나", "쟈나"), "했어": ("햇어", "해써"), "있어": ("잇어", "이써"),
    "다": ("당", "따", "다능"), "네": ("넹", "네염"), "야": ("양", "얌"), "지": ("징", "쥐"), "까": ("깡", "까염"),
    "라": ("랑", "라긔"), "해": ("행", "함"), "어": ("엉", "음"), "아": ("앙", "아욥"),
}  # fmt: skip


class KoSlang(Strategy):
    """Writes words as Korean communities do: initials, respellings, playful endings (``ㅂㅅ``, ``색히``, ``해염``)."""

    name = "ko_slang"
    family = "slang"
    langs = frozenset({"ko"})
    by_default = False

    def perturb(self, text: str, rng: Random, intensity: float, span: Span | None = None) -> str:
        """See :meth:`Strategy.perturb`; a place is a word with a listed stem or ending."""

        def edit(word: str) -> str:
            return rng.choice(_spellings(word))

        return edit_words(text, rng, intensity, span, edit, lambda word: bool(_spellings(word)))


def _spellings(word: str) -> list[str]:
    """How a word may be respelt: its stem if that is listed, or else its ending."""
    if not hangul.has_syllable(word):
        return []
    for stem, others in _STEMS.items():
        if word.startswith(stem):
            return [other + word[len(stem) :] for other in others]
    for ending, others in _ENDINGS.items():
        if word.endswith(ending) and len(word) > len(ending):
            return [word[: -len(ending)] + other for other in others]
    return []
