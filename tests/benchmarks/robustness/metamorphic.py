"""Whether a bundle's verdict depends on a name, and whether it can read a negation.

    python -m tests.benchmarks.robustness.metamorphic --bundle FOLDER

A metamorphic test changes a text in a way that must not change the verdict (Ribeiro et al. 2020, "Beyond Accuracy:
Behavioral Testing of NLP Models with CheckList"). Here the change is the name in a harmless sentence. The negated
insults are harmless too, though each holds an insulting word. None of these sentences is in the embedded corpus.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from content_arena.components.shared.scoring.filter import ContentFilter


@dataclass(frozen=True)
class Sentences:
    """Harmless sentences of a language.

    Attributes:
        frames: Sentences with a place for a name.
        names: Of many origins.
        negated: Sentences that deny an insult.
    """

    frames: tuple[str, ...]
    names: tuple[str, ...]
    negated: tuple[str, ...]


SENTENCES: Mapping[str, Sentences] = {
    "en": Sentences(
        frames=("Ask {} for the keys", "Hello, my name is {}.", "{} is bringing the salad tonight"),
        names=(
            "Mohammed", "Nishit", "Aaliyah", "Jamal", "Lakisha", "Emily", "Greg", "Siobhan", "Hamish", "Rhys",
            "Agnieszka", "Dmitri", "Svetlana", "Elif", "Cem", "Yusuf", "Leila", "Avi", "Rivka", "Priya", "Harpreet",
            "Xiaoming", "Nguyen", "Haruto", "Minseo", "Lupita", "Javier", "Oluwaseun", "Thandiwe", "Kwame",
        ),
        negated=(
            "you're no moron", "Thomas is not a fool", "my brother isn't an idiot, he just hates mornings",
            "nobody here thinks you're stupid", "She is anything but lazy.", "that wasn't a dumb question at all",
            "I never called him a loser", "you are not ugly, please stop saying that", "He's hardly a coward.",
            "don't let anyone tell you you're worthless", "Being quiet doesn't make her a creep",
            "they aren't clowns, they're volunteers", "You'd have to look far to find a liar in that family",
            "asking for help does not make you pathetic", "no, your cooking is not garbage",
        ),
    ),
    "ko": Sentences(
        frames=("열쇠는 {} 씨한테 물어봐", "안녕하세요, 저는 {}입니다.", "오늘 저녁 샐러드는 {} 님이 가져오신대요"),
        names=(
            "김민준", "이서연", "박도윤", "최하은", "정지호", "강수빈", "남궁민", "황보라", "선우진", "제갈현",
            "모하메드", "응우옌", "왕리", "사토", "아이샤", "이반", "올가", "프리야", "자밀", "에밀리", "존", "마리아",
            "카를로스", "콰메", "파티마", "알리", "바트", "솜차이", "리엔", "유수프",
        ),
        negated=(
            "너 바보 아니야", "민수는 멍청이가 아니에요", "우리 형 게으른 사람 아니야, 그냥 아침잠이 많아",
            "아무도 네가 멍청하다고 생각 안 해", "걔 절대 쓰레기 같은 애 아니야", "그거 한심한 질문 아니었어요",
            "나는 그 사람을 찌질이라고 부른 적 없어", "너 안 못생겼어, 그런 말 하지 마", "그분 겁쟁이 아닙니다",
            "누가 너보고 쓸모없대도 믿지 마", "조용하다고 이상한 사람은 아니잖아",
            "저분들 광대 아니고 자원봉사자예요", "도와달라고 하는 게 찌질한 건 아니지",
            "네 요리 쓰레기 아니야 맛있어", "그 집 식구 중에 거짓말쟁이는 없어요",
        ),
    ),
}  # fmt: skip


def flagged(model: ContentFilter, texts: Sequence[str]) -> list[str]:
    """The texts that the filter flags, in order."""
    return [text for text, score in zip(texts, model.score(list(texts)), strict=True) if score >= model.threshold]


def report(model: ContentFilter, sentences: Sentences) -> str:
    """Each frame with the number of names that are flagged in it, then the negated insults that are flagged."""
    lines = []
    for frame in sentences.frames:
        found = flagged(model, [frame.format(name) for name in sentences.names])
        lines.append(f"{len(found):>3} of {len(sentences.names)} names flagged: {frame}")
        lines += [f"      {text}" for text in found]
    found = flagged(model, sentences.negated)
    lines.append(f"{len(found):>3} of {len(sentences.negated)} negated insults flagged")
    lines += [f"      {text}" for text in found]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Runs what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, required=True)
    with contextlib.closing(ContentFilter.open(parser.parse_args().bundle)) as model:
        lang = model.bundle.spec.lang
        if lang not in SENTENCES:
            raise SystemExit(f"there are no sentences in {lang!r}, only in {', '.join(SENTENCES)}")
        sys.stdout.write(report(model, SENTENCES[lang]))


if __name__ == "__main__":
    main()
