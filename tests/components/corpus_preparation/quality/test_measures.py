"""The quality of labelled texts: what is measured, what stops a run, and the page."""

import json
import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from content_arena.components.corpus_preparation.prepare import examine, prepare
from content_arena.components.corpus_preparation.quality import page as quality_page
from content_arena.components.corpus_preparation.quality.measures import Changes, Lengths, Repeated
from content_arena.components.corpus_preparation.scripts import NO_LETTERS, main_script
from content_arena.components.corpus_preparation.settings import CorpusSettings
from content_arena.components.shared.errors import InputError

WORDS = ["river", "stone", "cloud", "garden", "window", "silver", "quiet", "market", "signal", "bridge", "copper"]


def rows(n_toxic=80, n_benign=120, seed=3):
    rng = random.Random(seed)
    labels = ["toxic"] * n_toxic + ["benign"] * n_benign
    return [{"text": " ".join(rng.sample(WORDS, 9)), "label": label} for label in labels]


@pytest.fixture
def examined(tmp_path):
    def examined(content, lang="en", **options):
        path = tmp_path / "in.jsonl"
        path.write_text("\n".join(map(json.dumps, content)))
        return examine(str(path), lang, **options)

    return examined


def test_counts_what_was_read_dropped_and_kept(examined):
    same = {"text": "the same words again", "label": "benign"}
    both = [{"text": "one text, both labels", "label": label} for label in ("toxic", "benign")]
    content = [*rows(), same, same, same, *both, {"text": " ", "label": "toxic"}]
    found = examined(content).quality
    assert found.rows_read == 206
    assert {reason: n for reason, n in found.rows_dropped.items() if n} == {
        "empty": 1, "contradictory_label": 2, "exact_duplicate": 2,
    }  # fmt: skip
    assert found.labels == {"toxic": 80, "benign": 121}
    assert found.missing == {"text": 1}
    assert found.repeated == Repeated(n_texts=2, n_agreeing=1)
    assert sum(sum(labels.values()) for labels in found.splits.values()) == found.n_kept == found.n_drawn


def test_the_document_holds_the_figures_and_no_text(examined):
    document = json.dumps(examined([*rows(), {"text": "ｔｗｉｃｅ twice", "label": "benign"}] * 2).quality.as_json())
    assert {"rows_read", "rows_dropped", "labels", "splits", "scripts"} <= set(json.loads(document))
    assert not [word for word in (*WORDS, "twice") if word in document]


def test_a_draw_is_counted(examined):
    content = rows(120, 880)
    found = examined(content, max_texts=200).quality
    assert found.labels == {"toxic": 120, "benign": 880}
    assert found.drawn == {"toxic": 80, "benign": 120}
    assert examined(content, max_texts=200, settings=CorpusSettings(rare_share=0)).quality.drawn["toxic"] == 50


def test_examples_are_masked_short_and_only_on_the_page(examined):
    content = [*rows(), *[{"text": f"write to jane.doe@example.com {'x ' * 90}", "label": "benign"}] * 2]
    prepared = examined(content)
    (text,) = prepared.quality.dropped_examples["exact_duplicate"]
    assert text.startswith("write to [email] x x")
    assert len(text) <= 161
    assert "jane" not in prepared.page()
    assert "write to [email]" in prepared.page()


@pytest.mark.parametrize(
    ("content", "limit", "reason"),
    [
        ([*rows(), *[{"text": "", "label": "toxic"}] * 60], {"max_empty": 0.2}, "60 of 260 rows (23%) have no text"),
        ([*rows(), *rows(0, 15)], {"max_contradictory": 0.1}, "hold a text that has both labels"),
        ([*rows(), *rows()], {"max_dropped": 0.4}, "200 of 400 rows (50%) are not usable"),
    ],
)
def test_a_limit_stops_a_run_and_names_its_setting(examined, content, limit, reason):
    assert examined(content).stops == []
    (stop,) = examined(content, settings=CorpusSettings(**limit)).stops
    assert reason in stop
    assert f"{next(iter(limit))} ({next(iter(limit.values())):g}) in [corpus] of the settings file" in stop


def test_near_duplicates_with_the_other_label_leak_between_splits(examined):
    long = [" ".join([row["text"]] * 3) for row in rows(100, 0)]
    content = [
        {"text": text, "label": "toxic"} for text in long
    ] + [{"text": f"{text}.", "label": "benign"} for text in long]  # fmt: skip
    prepared = examined(content, settings=CorpusSettings(max_leaked=1))
    assert prepared.quality.n_leaked > 10
    assert any("near-duplicates of a training text with the other label" in line for line in prepared.warnings)
    (stop,) = examined(content).stops
    assert "max_leaked (0.1)" in stop


def test_too_few_texts_stop_a_run_and_still_have_a_page(examined, tmp_path, capsys):
    prepared = examined(rows(10, 80))
    assert prepared.stops[0].startswith("10 toxic and 80 benign texts are left, at least 50 of each are needed")
    assert "Nothing is trained on this data" in prepared.page()
    with pytest.raises(SystemExit):
        prepare(str(tmp_path / "in.jsonl"), "en", tmp_path / "corpus", page_path=tmp_path / "page.html")
    assert "10 toxic" in (tmp_path / "page.html").read_text()
    assert not (tmp_path / "corpus").exists()
    assert capsys.readouterr().out.splitlines()[-1].startswith("[prepare_corpus] error: 10 toxic and 80 benign")


def test_nothing_left_is_an_error(examined):
    with pytest.raises(InputError, match="no text is left of 3 rows"):
        examined([{"text": "", "label": "toxic"}] * 3)


def test_warnings_name_what_to_look_at(examined):
    rng = random.Random(1)
    long = [{"text": " ".join(rng.choices(WORDS, k=60)), "label": "toxic"} for _ in range(60)]
    korean = [{"text": "".join(rng.choices("가나다라마바사아자차", k=9)), "label": "benign"} for _ in range(60)]
    prepared = examined([*rows(0, 400), *long, *korean])
    text = "\n".join(prepared.warnings)
    assert "the length alone tells the labels apart" in text
    assert "toxic texts are longer" in text
    assert "12% of the texts are toxic" in text
    assert "most texts are written in Latin, but 12% Hangul" in text
    assert prepared.stops == []


def test_plain_data_has_no_warnings(examined):
    assert examined(rows()).warnings == []


def test_what_the_canonicaliser_and_a_reader_change(examined):
    # The two look-alikes are Cyrillic.
    texts = [f"you {chr(0x456)}d{chr(0x456)}ot number {n} {WORDS[n % len(WORDS)]}" for n in range(60)]
    disguised = [{"text": text, "label": "toxic"} for text in texts]
    prepared = examined([*rows(), *disguised], make_reader=lambda corpus: lambda text: text.replace("idiot", "fool"))
    assert (prepared.quality.canonicaliser.n_changed, prepared.quality.reader.n_changed) == (60, 60)
    assert any("the canonicaliser changes 23% of the texts" in line for line in prepared.warnings)
    assert "The Reader, after that, changes 60 of 260 texts" in prepared.page()
    assert examined(rows()).quality.reader is None


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("hello there", "Latin"),
        ("안녕 hello 하세요 여러분", "Hangul"),
        ("привет мир", "Cyrillic"),
        ("漢字とかな", "Han and kana"),
        ("@user [email] https://example.com 감사", "Hangul"),
        ("12:30 🙂!", NO_LETTERS),
        ("", NO_LETTERS),
    ],
)
def test_the_script_of_a_text(text, script):
    assert main_script(text) == script


@given(st.text(max_size=200))
def test_every_text_has_one_script(text):
    assert main_script(text) == main_script(text[::-1])


def test_lengths_and_their_outliers(examined):
    content = [*rows(), {"text": "x" * 4_000, "label": "benign"}, {"text": "hi", "label": "toxic"}]
    lengths = examined(content).quality.lengths
    assert (lengths["all"].smallest, lengths["all"].largest) == (2, 4_000)
    assert (lengths["all"].n_short, lengths["all"].n_long) == (1, 1)
    assert set(lengths) == {"all", "toxic", "benign"}


@settings(max_examples=40)
@given(st.text(max_size=80), st.text(max_size=80))
def test_hostile_text_stays_text_on_the_page(base_quality, one, other):
    shown = replace(
        base_quality,
        origin=one,
        rows_dropped={"empty": 1},
        dropped_examples={"empty": (one, other)},
        canonicaliser=Changes(1, 2, ((one, other),)),
        scripts={other: 1},
    )
    page = quality_page.render(shown, [one], [other])
    assert "<script" not in page
    assert page.count("<section") == page.count("</section>") == 5


@pytest.fixture(scope="module")
def base_quality(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "in.jsonl"
    path.write_text("\n".join(map(json.dumps, rows())))
    return examine(str(path), "en").quality


def test_settings_out_of_range_are_refused():
    with pytest.raises(InputError, match=r"rare_share is 0\.6"):
        CorpusSettings(rare_share=0.6)
    with pytest.raises(InputError, match="max_empty is 2"):
        CorpusSettings(max_empty=2)


def test_the_stage_logs_what_to_look_at(tmp_path, capsys):
    content = [*rows(), *[{"text": "", "label": "toxic"}] * 20]
    (tmp_path / "in.jsonl").write_text("\n".join(map(json.dumps, content)))
    prepare(str(tmp_path / "in.jsonl"), "en", tmp_path / "corpus")
    assert "20 of 220 rows have no text" in capsys.readouterr().out


def test_no_lengths_of_no_texts(base_quality):
    assert isinstance(base_quality.lengths["all"], Lengths)
    assert Repeated(0, 0).agreement is None
