"""The Reader: what it restores, what it leaves alone, laws for any text."""

import dataclasses
import itertools
import json
import math
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from content_arena.components.shared.errors import BundleError
from content_arena.components.shared.text.reader import rules
from content_arena.components.shared.text.reader.letters import LetterModel
from content_arena.components.shared.text.reader.lexicon import Lexicon, build, words_of
from content_arena.components.shared.text.reader.reader import LONGEST_TOKEN, Prices, Reader, Steps
from content_arena.components.shared.text.reader.segmentation import Segmenter
from content_arena.components.shared.text.reader.spelling import Speller

WORDS = (
    "the of and to a in is you that it he was for on are as with his they i at be this have from or one had by word but"
    " not what all were we when your can said there use an each which she do how their if will up other about out many"
    " then them these so some her would make like him into time has look two more write go see number no way could"
    " people my than first water been call who oil its now find long down day did get come made may part idiot stupid"
    " bitch shit trash moron hate dumb ass fuck ally schools love weather friend garden music coffee happy nice good"
    " very great thanks please never always again world stop being such pathetic loser disgusting garbage"
    " everyone knows well known cop mama shows daily backed rugby base fig win cent"
)
#: Words of a dictionary that are near a word of WORDS.
KEPT = frozenset({"shiite", "bitchy", "retard", "slut", "idiots", "mamas", "mami"})


@pytest.fixture(scope="module")
def lexicon():
    vocabulary = {word: rank for rank, word in enumerate(dict.fromkeys(WORDS.split()))}
    texts = ["you are a stupid idiot", "i am not an idiot", "what an idiot you are", "a i a i", "a i"]
    return build(vocabulary, texts, kept=KEPT | {"idiot"}, censored=("bitch", "shit", "slut"))


@pytest.fixture(scope="module")
def reader(lexicon):
    return Reader(lexicon)


@pytest.mark.parametrize(
    ("text", "restored"),
    [
        ("you are an idi0t", "you are an idiot"),
        ("$tup1d a$$ sh!t 5h1t", "stupid ass shit shit"),
        ("st*pid st#pid", "stupid stupid"),
        ("b***h s*** (sl*t) bit** b-itch", "bitch shit (slut) bitch bitch"),
        ("that* h***", "that h***"),
        ("an idoit's shi't, Takumi’s", "an idiot's shit, Takumi’s"),
        ("i.d.i.o.t s-t-u-p-i-d", "idiot stupid"),
        ("i d i o t", "idiot"),
        ("i ★ d ★ i ★ o ★ t", "idiot"),
        ("id 🙂 iot", "idiot"),
        ("stu pid idi ot f uck", "stupid idiot fuck"),
        ("idiooooot", "idiot"),
        ("stüpid ıdıot іdіоt", "stupid idiot idiot"),
        ("youareanidiot", "you are an idiot"),
        ("youareanidiot!!", "you are an idiot!!"),
        ("stupd idoit stupido stoopid stpd", "stupid idiot stupid stupid stupid"),
        ("You are AN iidiot.", "You are AN idiot."),
        ("stu=pid st\\upid stu{pid stu(pid 1d10t= {1d10t} id<iot", "stupid stupid stupid stupid idiot= {idiot} idiot"),
        ("i d i o t! a n i d i o t's, y o u've s h i t.", "idiot! an idiot's, you've shit."),
        ("s_t_u_p_i_d-i_d_i_o_t i·diot's ha'te he'r", "stupid-idiot idiot's hate her"),
        ("y★ou st★upid id★iot, th★e id★iot's", "you stupid idiot, the idiot's"),
        ("id i ot, st u pid stu p i d mo r on", "idiot, stupid stupid moron"),
        ("1 d 1 0 t, y o u a r e a n i d i o t", "idiot, you are an idiot"),
        ("he can call the \u0441\u043e\u0440", "he can call the cop"),  # Cyrillic letters alone
        ("s l u t sl.ut r3tard youareaslut slut!", "slut slut retard you are a slut slut!"),
    ],
)
def test_restores(reader, text, restored):
    assert reader.read(text) == restored


@pytest.mark.parametrize(
    "text",
    [
        "you are very nice",
        "You Are VERY nice!",
        "love ❤ you",
        "R2D2, the 4th, $5, 142,460 H1N1, C3PO mp3 gpt4 2nd 10:30 100% 3-1 a11y log4j W3Schools yes|no C++",
        "https://youtu.be/xK2F4G www.idi0t.com @user #id1ot [email] [phone] bob@idi0t.com &amp;",
        "for(i=0;i<n;i++) { a[i] = b[i]; }",
        "이 집 밥 참 맛있다 Мой злой йогурт น้ำ",
        "well-known you're, they've... what?!",
        "Angelique Kaepernick",
        "foo(bar) x=5 a\\b f{x} width=5 cos(t) list[int] <b>time</b> <br/> key=value C:\\temp\\new f(x)= a<b way(s)",
        "мама ναι και сор",
        "и сор и мама пошёл my friend",
        "f16 50cent base64 win32 CH4 Xbox360",
        "D.I.Y. s.o.s R G B, A B C D, F.B.I.",
        "look at you two, as he had it all in one way",
        "they love ★ you, well he ★ r",
        "yea,I'm well,I'll go,come-on they're he'll o'clock one.-Two",
        "she said n n I'm here",
        "rock'n'roll at five o'clock, y'all, he'd've x-number t-time",
        "you are a slut, a retard and bitchy Shiite",
        "Bich mamas",
        "Mam!!!",
        "schwül",
        "",
    ],
)
def test_leaves_alone(reader, text):
    assert reader.read(text) == text


@pytest.mark.parametrize(("token", "kept"), [("5h1t", False), ("mp3", True)])
def test_a_rewrite_counts_only_if_it_ends_in_a_word(reader, token, kept):
    assert (reader.read(token) == token) is kept


def test_without_a_step_its_restoring_is_left_out(lexicon):
    assert Reader(lexicon, steps=Steps(segment=False, spell=False)).read("youareanidiot idi0t") == "youareanidiot idiot"
    assert (
        Reader(lexicon, steps=Steps(rules=False, spell=False)).read("youareanidiot idi0t") == "you are an idiot idi0t"
    )


@given(st.text(alphabet=list("aditos*.0$! 🙂é가ж@#'-"), max_size=80))
@settings(deadline=None)
def test_every_token_is_short_enough_and_nothing_visible_is_made_up(reader, text):
    read = reader.read(" ".join(text.split()))
    assert all(len(token) <= LONGEST_TOKEN for token in read.split())
    assert bool(read) == bool(text.split())


@given(st.lists(st.sampled_from(WORDS.split()), max_size=12))
@settings(deadline=None)
def test_a_text_of_words_stays(lexicon, words):
    # Halves of a word that are words themselves may be joined; here none are.
    text = " ".join(word for word in words if len(word) > 3)
    assert Reader(lexicon, steps=Steps(spell=False)).read(text) == text


def test_breaks_what_a_tokenizer_would_give_up_on(reader):
    read = reader.read("ж" * 1000)
    assert max(map(len, read.split())) <= LONGEST_TOKEN
    assert read.replace(" ", "") == "ж" * 1000


def test_threads_read_the_same(reader):
    texts = [f"idi0t{i} stupd youareanidiot {i}" for i in range(50)]
    expected = [reader.read(text) for text in texts]
    found: list[list[str]] = []
    threads = [threading.Thread(target=lambda: found.append([reader.read(text) for text in texts])) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 4


def test_words_enter_from_three_different_texts_or_the_vocabulary():
    texts = ["zorg zorg zorg", "zorg again", "plim one", "plim two", "plim three"]
    found = build({"again": 5, "##ing": 6, "[CLS]": 7, "x": 8, "word": 9}, texts)
    assert set(found.costs) == {"again", "word", "plim"}


@pytest.mark.parametrize("mark", ["▁", "Ġ"])
def test_knows_which_pieces_begin_a_word(mark):
    assert set(build({f"{mark}word": 0, "ing": 1, f"{mark}two": 2}, []).costs) == {"word", "two"}


def test_costs_are_surprisals(lexicon):
    assert math.isclose(sum(math.exp(-cost) for cost in lexicon.costs.values()), 1.0, rel_tol=0.2)
    assert lexicon.cost("the") < lexicon.cost("garbage") < lexicon.cost("qzxv")
    assert lexicon.unknown("bicth") > lexicon.unknown("batch")
    assert lexicon.inflected("moronzz") == math.inf


def test_without_a_dictionary_a_rare_word_is_taken_for_a_misspelt_one(lexicon):
    without = dataclasses.replace(lexicon, kept=frozenset())
    assert Reader(without).read("you shiite") == "you shit"
    assert Reader(lexicon).read("you shiite shitt") == "you shiite shit"


def test_what_is_kept_is_no_target_of_corrections(lexicon):
    assert "idiots" not in lexicon
    assert lexicon.knows("idiots")
    assert lexicon.cost("idiots") <= lexicon.rarest
    assert lexicon.kept == KEPT, "a word of the lexicon is none that is only kept"
    assert Speller(lexicon, 5.5).best("retarb") is None


def test_an_ending_of_a_kept_word_is_known_from_the_words_of_the_lexicon():
    stems = ["".join(letters) for letters in itertools.product("bdfgkl", "aeiou", "mnp")]
    lexicon = Lexicon(dict.fromkeys(stems + [stem + "s" for stem in stems], 9.0), kept=frozenset({"slut"}))
    assert lexicon.inflected("sluts") < math.inf
    assert lexicon.inflected("slutx") == math.inf


def test_a_letter_left_over_beside_a_word_or_two_divides_nothing(lexicon):
    segmenter = Segmenter(lexicon)
    assert segmenter.words("retardq", Speller(lexicon, 5.5)) is None
    assert segmenter.words("youareanidiotq", Speller(lexicon, 5.5))[0][:4] == ["you", "are", "an", "idiot"]


def test_a_name_is_read_otherwise_at_a_higher_price(lexicon):
    assert Reader(lexicon, Prices(name=0.0)).read("Bich bich Idoit") == "bitch bitch idiot"
    assert Reader(lexicon).read("Bich bich Idoit") == "Bich bitch idiot"


def test_a_lexicon_comes_back_from_its_file(lexicon, tmp_path):
    lexicon.save(tmp_path / "lexicon.json")
    again = Lexicon.load(tmp_path / "lexicon.json")
    assert again.costs.keys() == lexicon.costs.keys()
    assert again.edit_price == lexicon.edit_price
    assert again.kept == lexicon.kept == KEPT
    assert all(math.isclose(again.costs[word], cost, abs_tol=0.005) for word, cost in lexicon.costs.items())


def test_a_lexicon_without_kept_words_reads_as_before(lexicon, tmp_path):
    path = tmp_path / "lexicon.json"
    lexicon.save(path)
    content = json.loads(path.read_text("utf-8"))
    del content["kept"]
    path.write_text(json.dumps(content), "utf-8")
    assert Lexicon.load(path).kept == frozenset()


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"format": 2}', '{"format": 1, "words": {"a": "x"}}'])
def test_a_broken_lexicon_is_refused(tmp_path, content):
    (tmp_path / "lexicon.json").write_text(content)
    with pytest.raises(BundleError, match="lexicon"):
        Lexicon.load(tmp_path / "lexicon.json")


def test_a_dearer_edit_corrects_less(lexicon):
    assert Speller(lexicon, 5.5).best("stupd") is not None
    assert Speller(lexicon, 50.0).best("stupd") is None


def test_segments_into_words_only(lexicon):
    segmenter = Segmenter(lexicon)
    assert segmenter.words("youareanidiot")[0] == ["you", "are", "an", "idiot"]
    assert segmenter.words("youarexqidiot") is None
    assert segmenter.words("idiot") is None


def test_letters_put_together_as_words_are_likelier():
    model = LetterModel(WORDS.split())
    assert model.cost("thing") < model.cost("tgnih")
    assert math.isfinite(model.cost("жж"))
    assert math.isfinite(model.cost(""))


def test_rules():
    assert "idiot" in set(rules.unleet("1d10t"))
    assert list(rules.unleet("12345")) == []
    assert list(rules.unleet("0" * 30 + "a1111111")) == []
    assert "stupid" in set(rules.filled_marks("st*pid"))
    assert list(rules.released("sooo")) == ["soo", "so", "so"]
    assert rules.plain_letters("đøłïаı") == "dolіai".replace("і", "i")
    assert words_of("You’re ABC's 12") == ["you're", "abc's"]
