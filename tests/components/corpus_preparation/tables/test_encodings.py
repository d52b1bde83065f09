"""Files that are not UTF-8: decoded if the result is plausible, refused with a guess otherwise, never mojibake."""

import pytest

from tests.components.corpus_preparation.tables.written_tables import read, refusal, texts_and_labels, write

ENGLISH = [
    f"that’s what {name} said, “don’t” – and it’s fine"
    for name in ("Ann", "Bob", "Eve", "Joe", "Kim", "Lee", "Max", "Pat", "Sam", "Zoë")
]
FRENCH = ["l’été dernier, j’ai mangé à l’hôtel", "où est le garçon naïf ?", "ÉCOLE FERMÉE", "c’est déjà créé, cœur"]
GERMAN = ["schöne Grüße aus Köln", "das ist mir zu blöd, du Blödmann", "ÜBER 100 €", "„ja“, sagte sie"]
KOREAN = ["너 진짜 바보 아니야", "오늘 날씨가 참 좋네요", "점심은 김치찌개 먹자", "꺼져 이 멍청아 ㅋㅋ"]
RUSSIAN = ["привет, как дела", "ты дурак", "сегодня хорошая погода", "пошёл вон отсюда"]
GREEK = ["καλημέρα σας", "είσαι βλάκας", "τι κάνεις σήμερα", "ωραία μέρα"]
JAPANESE = ["お前は馬鹿だ", "今日はいい天気ですね", "ありがとうございます", "消えろ"]
CHINESE = ["你这个笨蛋", "今天天气很好", "谢谢你的帮助", "滚开"]
POLISH = ["zażółć gęślą jaźń", "jesteś głupi", "dziękuję bardzo", "miło cię widzieć"]
TRADITIONAL = ["你這個笨蛋", "今天天氣很好", "謝謝你的幫助", "滾開"]
HEBREW = ["שלום לך", "אתה טיפש", "בוקר טוב", "תודה רבה"]


def table(texts, encoding, *, plain=0):
    rows = [*texts, *[f"plain text number {number}" for number in range(plain)]]
    return ("text,label\n" + "".join(f'"{text}",{number % 2}\n' for number, text in enumerate(rows))).encode(encoding)


@pytest.mark.parametrize(
    ("texts", "lang", "encoding"),
    [
        (ENGLISH, "en", "cp1252"),
        (FRENCH, "fr", "cp1252"),
        (GERMAN, "de", "cp1252"),
        (["mañana será otro día", "¿qué haces, niño?", "¡fuera!", "pingüino"], "es", "cp1252"),
        (["não é possível", "coração", "você está louco", "às três horas"], "pt", "cp1252"),
        (["það er gott", "þú ert fífl", "Ísland æðislegt", "góðan daginn"], "is", "cp1252"),
        (KOREAN, "ko", "cp949"),
        ([*KOREAN, "plain words"], "ko", "euc_kr"),
    ],
)
@pytest.mark.parametrize("plain", [0, 6, 400])
def test_decodes_the_usual_encoding_of_a_language_and_says_so(tmp_path, texts, lang, encoding, plain):
    path = write(tmp_path / "a.csv", table(texts, encoding, plain=plain))
    found = read(path, lang)
    assert found.table["text"].tolist()[: len(texts)] == texts
    assert not found.dropped["undecodable"]
    assert any(note.startswith("it was decoded as cp") for note in found.notes)


@pytest.mark.parametrize("lang", ["en", "fr", "ko", "ru"])
@pytest.mark.parametrize(
    ("texts", "encoding"),
    [
        (RUSSIAN, "cp1251"),
        (RUSSIAN, "koi8_r"),
        (RUSSIAN, "cp866"),
        (GREEK, "cp1253"),
        (HEBREW, "cp1255"),
        (JAPANESE, "cp932"),
        (JAPANESE, "euc_jp"),
        (CHINESE, "gb18030"),
        (TRADITIONAL, "big5"),
        (POLISH, "cp1250"),
        (KOREAN, "cp949"),
        (ENGLISH, "mac_roman"),
        (FRENCH, "mac_roman"),
        (GERMAN[:2], "cp850"),
    ],
)
@pytest.mark.parametrize("plain", [0, 6])
def test_nothing_becomes_mojibake(tmp_path, lang, texts, encoding, plain):
    if (lang, encoding) == ("ko", "cp949"):
        return
    raw = table([text.replace("Zoë", "Zoe") for text in texts], encoding, plain=plain)
    message = refusal(write(tmp_path / "a.csv", raw), lang)
    assert "is not UTF-8 in" in message
    assert "--encoding (encoding in a pipeline)" in message


def test_a_refusal_has_a_guess(tmp_path):
    path = write(tmp_path / "a.csv", table(RUSSIAN * 5, "cp1251"))
    assert "reads like cp1251 (a guess)" in refusal(path)
    assert [text for text, _ in texts_and_labels(path, "ru", encoding="cp1251")] == RUSSIAN * 5


def test_the_encoding_that_is_named_is_taken(tmp_path):
    path = write(tmp_path / "a.csv", table(POLISH, "cp1250"))
    assert [text for text, _ in texts_and_labels(path, "pl", encoding="windows-1250")] == POLISH
    assert "is not in the encoding utf-8" in refusal(path, "pl", encoding="utf-8")
    assert "'utf-99' is none" in refusal(path, "pl", encoding="utf-99")
    assert "'base64' is none" in refusal(path, "pl", encoding="base64")


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_reads_utf_16_without_a_mark(tmp_path, encoding):
    path = write(tmp_path / "a.csv", table(["plain words", "café ’n’ more"], encoding))
    assert [text for text, _ in texts_and_labels(path)] == ["plain words", "café ’n’ more"]


def test_a_few_broken_lines_of_a_utf_8_file_are_dropped_and_named(tmp_path):
    texts = [*GERMAN, *KOREAN] * 3
    raw = table(texts, "utf-8") + "caf\u00e9,1\n".encode("cp1252")
    found = read(write(tmp_path / "a.csv", raw), "de")
    assert found.table["text"].tolist() == texts
    assert found.dropped["undecodable"] == 1
    assert found.first_rows["undecodable"] == (len(texts) + 1,)


def test_many_broken_lines_of_a_utf_8_file_are_refused(tmp_path):
    raw = table(GERMAN, "utf-8") + "".join(f"blöd {n},1\n" for n in range(3)).encode("cp1252")
    assert "is not UTF-8 in 3 of 8 lines" in refusal(write(tmp_path / "a.csv", raw), "de")


def test_a_row_with_a_nul_is_dropped_and_named(tmp_path):
    lines = [f"text number {number},{number % 2}" for number in range(1870)]
    lines[1023] = "text with\0a hole,1"
    found = read(write(tmp_path / "a.csv", "\n".join(["text,label", *lines])))
    assert (found.n_read, len(found.table), found.dropped["nul_character"]) == (1870, 1869, 1)
    assert found.first_rows["nul_character"] == (1024,)
    json_lines = '{"text": "a\0b", "label": 1}\n{"text": "a\\u0000b", "label": 1}\n' + '{"text": "a", "label": 0}\n' * 9
    assert read(write(tmp_path / "a.jsonl", json_lines)).dropped["nul_character"] == 2


@pytest.mark.parametrize("magic", [b"PK\x03\x04", b"PAR1", b"\xd0\xcf\x11\xe0"])
def test_another_kind_of_file_is_named(tmp_path, magic):
    assert "is a binary file (a" in refusal(write(tmp_path / "a.csv", magic + b"\0more"))
