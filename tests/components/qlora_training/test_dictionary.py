"""The dictionary: insults and rare words that the Reader has to leave alone."""

from content_arena.components.qlora_training import dictionary


def test_english_has_insults_and_rare_words():
    found = dictionary.words("en")
    insults = {"rapist", "slut", "retard", "faggot", "kike", "thot", "tranny", "wetback"}
    assert insults <= found
    assert {"shinto", "shiite", "vegan", "niggle", "scowl"} <= found
    assert all(word == word.casefold() and word.isalpha() for word in found)


def test_other_languages_have_none():
    assert dictionary.words("ko") == frozenset()
