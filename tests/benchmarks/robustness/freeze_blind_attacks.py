"""Freezes attacks that other people's packages make, so that they can be looked at once, after everything else.

    python -m tests.benchmarks.robustness.freeze_blind_attacks --data FILE --out FOLDER

Needs, in an environment of their own beside the project: textnoisr==1.2.0, nlpaug==1.1.11, textattack==0.3.11
(``pip install --no-deps textattack``: of it only the four transformations of its DeepWordBug recipe are used, without
its victims and search, because a frozen attack has no victim). Everything is drawn by one seed, so the same versions
write the same file. Toxic texts are attacked at three strengths, benign ones at one of the three, as a battle does.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import importlib
import json
import random
import sys
import types
from collections.abc import Callable, Mapping
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from tests.benchmarks.robustness.texts import undrawn_texts

#: Packages whose versions are written beside the attacks.
PACKAGES = ("textnoisr", "nlpaug", "textattack", "numpy")
#: From weak to strong: the share of characters that textnoisr changes, and of words that the others edit.
NOISE_LEVELS = (0.03, 0.06, 0.10)
WORD_SHARES = (1 / 3, 2 / 3, 1.0)
_SEEDS = (0, 1)
Attack = Callable[[str], str]


def textnoisr(rung: int) -> Attack:
    """Insertions, deletions, swaps and substitutions of characters, anywhere."""
    from textnoisr.noise import CharNoiseAugmenter

    augmenter = CharNoiseAugmenter(NOISE_LEVELS[rung])

    def attack(text: str) -> str:
        augmenter.random.seed(random.random())
        return augmenter.add_noise(text)

    return attack


def nlpaug_characters(name: str, rung: int) -> Attack:
    """``KeyboardAug`` or ``OcrAug``: neighbouring keys, or characters that a scanner takes for each other."""
    from nlpaug.augmenter import char

    share = WORD_SHARES[rung]
    augmenter = getattr(char, name)(aug_word_p=share, aug_word_max=None, aug_char_p=0.2, aug_char_min=1, aug_char_max=2)
    return lambda text: _only(augmenter.augment(text), text)


def nlpaug_words(name: str, rung: int) -> Attack:
    """``SplitAug`` or ``SpellingAug``: words cut in two, or spelt as people misspell them."""
    from nlpaug.augmenter import word

    augmenter = getattr(word, name)(aug_p=WORD_SHARES[rung], aug_max=None)
    return lambda text: _only(augmenter.augment(text), text)


def deepwordbug(rung: int) -> Attack:
    """The four transformations of DeepWordBug (Gao et al. 2018) by TextAttack, on a share of the words."""
    swaps = _deepwordbug_swaps()

    def attack(text: str) -> str:
        words = text.split(" ")
        places = [i for i, word in enumerate(words) if sum(map(str.isalpha, word)) >= 3]
        if not places:
            return text
        for place in random.sample(places, max(1, round(WORD_SHARES[rung] * len(places)))):
            found = random.choice(swaps)._get_replacement_words(words[place])
            words[place] = found[0] if found else words[place]
        return " ".join(words)

    return attack


@functools.cache
def _deepwordbug_swaps() -> list[types.SimpleNamespace]:
    """TextAttack's classes, past its package's own start, which loads a dozen libraries that are not needed here."""
    found = find_spec("textattack")
    if found is None or not found.submodule_search_locations:
        raise SystemExit("textattack is not installed: pip install --no-deps textattack==0.3.11")
    root = Path(found.submodule_search_locations[0])
    for name in ("textattack", "textattack.transformations", "textattack.transformations.word_swaps"):
        package = types.ModuleType(name)
        package.__path__ = [str(root.joinpath(*name.split(".")[1:]))]
        sys.modules[name] = package
    sys.modules["textattack.transformations"].Transformation = object
    return [
        getattr(importlib.import_module(f"textattack.transformations.word_swaps.{module}"), name)()
        for module, name in (
            ("word_swap_neighboring_character_swap", "WordSwapNeighboringCharacterSwap"),
            ("word_swap_random_character_substitution", "WordSwapRandomCharacterSubstitution"),
            ("word_swap_random_character_deletion", "WordSwapRandomCharacterDeletion"),
            ("word_swap_random_character_insertion", "WordSwapRandomCharacterInsertion"),
        )
    ]


def compound(*parts: Attack) -> Attack:
    """One attack after the other."""

    def attack(text: str) -> str:
        for part in parts:
            text = part(text)
        return text

    return attack


KINDS: Mapping[str, Callable[[int], Attack]] = {
    "textnoisr": textnoisr,
    "nlpaug_keyboard": lambda rung: nlpaug_characters("KeyboardAug", rung),
    "nlpaug_ocr": lambda rung: nlpaug_characters("OcrAug", rung),
    "nlpaug_split": lambda rung: nlpaug_words("SplitAug", rung),
    "nlpaug_spelling": lambda rung: nlpaug_words("SpellingAug", rung),
    "deepwordbug": deepwordbug,
    "compound_split_textnoisr": lambda rung: compound(nlpaug_words("SplitAug", rung), textnoisr(rung)),
    "compound_spelling_deepwordbug": lambda rung: compound(nlpaug_words("SpellingAug", rung), deepwordbug(rung)),
}


def _only(found: list[str] | str, text: str) -> str:
    return (found[0] if found else text) if isinstance(found, list) else found


def _seed(*parts: str | int) -> int:
    return int(hashlib.sha256("\x1f".join(map(str, parts)).encode()).hexdigest()[:8], 16)


def freeze(data: Path, lang: str, out: Path, seed: int, sizes: dict[str, int]) -> str:
    """Writes ``attacks.jsonl`` and ``attacks.json`` (its SHA-256, versions, counts) and returns the hash."""
    samples = undrawn_texts(data, lang, _SEEDS, sizes)
    out.mkdir(parents=True, exist_ok=True)
    rows = []
    for kind, make in KINDS.items():
        ladder = [make(rung) for rung in range(len(WORD_SHARES))]
        for row in samples.itertuples(index=False):
            drawn = _seed(seed, row.base_id, kind)
            rungs = range(len(ladder)) if row.label == "toxic" else [drawn % len(ladder)]
            for rung in rungs:
                random.seed(drawn + rung)
                np.random.seed((drawn + rung) % 2**32)
                attacked = ladder[rung](row.text)
                rows.append({"base_id": row.base_id, "kind": kind, "rung": rung, "label": row.label,
                             "original": row.text, "text": attacked})  # fmt: skip
    file = out / "attacks.jsonl"
    file.write_text("".join(json.dumps(row, ensure_ascii=False, sort_keys=True) + "\n" for row in rows), "utf-8")
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    changed = {kind: sum(r["text"] != r["original"] for r in rows if r["kind"] == kind) for kind in KINDS}
    about = {"sha256": sha256, "seed": seed, "rows": len(rows), "texts": len(samples), "changed_rows": changed,
             "versions": {name: version(name) for name in PACKAGES}}  # fmt: skip
    (out / "attacks.json").write_text(json.dumps(about, indent=2) + "\n", "utf-8")
    return sha256


def main() -> None:
    """Runs what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="labelled texts, as arena run --data takes them")
    parser.add_argument("--out", type=Path, required=True, help="folder for the attacks")
    parser.add_argument("--lang", default="en")
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--toxic", type=int, default=500)
    parser.add_argument("--benign", type=int, default=1_000)
    given = parser.parse_args()
    sizes = {"toxic": given.toxic, "benign": given.benign}
    sys.stdout.write(freeze(given.data, given.lang, given.out, given.seed, sizes) + "\n")


if __name__ == "__main__":
    main()
