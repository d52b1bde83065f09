"""Texts are taken out of tables, documents, pages and logs, and everything else stays."""

import html
import json

import hypothesis.strategies as st
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from markupsafe import Markup

from content_arena.components.corpus_preparation.dropped_rows import example
from content_arena.components.corpus_preparation.splits import id_of
from content_arena.components.corpus_versions import pages
from content_arena.components.corpus_versions.cutting import ERASED, DamagedError, cut
from content_arena.components.corpus_versions.wanted import Wanted, key_of
from content_arena.components.labeling import queue
from content_arena.components.shared import records
from content_arena.components.shared.pages import display
from tests.components.labeling.battles import battle
from tests.components.shared.mlflow_tracking.test_tracking import labelled

TEXT = "You are a <lukewarm> potato & nothing else"
OTHER = "The lukewarm potato is on the table"
#: Without lone surrogates and NUL characters, which no corpus has.
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=60)


def wanted(*texts):
    return Wanted(frozenset(map(key_of, texts)), frozenset(texts))


def after(path, *texts):
    """The file without the texts, and in how many places they were."""
    found = cut(path, wanted(*texts))
    if found is None:
        return None
    found.write(path.with_name("after"))
    return path.with_name("after"), found.n_places


def page_of(*pairs, single=()):
    """A page as the templates write it."""
    pair = Markup(
        '<div class="texts"><div><span class="hostile">{}</span></div>'
        '<div><bdi class="hostile" dir="auto">{}</bdi></div></div>'
    )
    shown = [pair.format(display.visible(one), display.changes(one, other)) for one, other in pairs]
    alone_form = Markup('<details><span class="hostile">{}</span></details>')
    alone = [alone_form.format(display.visible(text)) for text in single]
    return "<!doctype html>\n<html><p>prose</p>" + "".join(shown) + "</details>" + "".join(alone) + "</html>"


@given(TEXTS)
def test_what_a_page_shows_can_be_read_back(text):
    # Line breaks are shown by a sign and a break, carriage returns in markup are the markup's own.
    assert pages.text_of(str(display.visible(text))) == text


@settings(max_examples=60)
@given(TEXTS, TEXTS, TEXTS)
def test_a_page_loses_a_text_and_what_was_made_of_it(text, attacked, other):
    assume(key_of(text) and key_of(text) not in (key_of(other), key_of(attacked)))
    page = page_of((text, attacked), (other, other), single=(text, other))
    rest, n_places = pages.without(page, wanted(text), ERASED)
    assert n_places == 3
    assert rest == page_of((ERASED, ERASED), (other, other), single=(ERASED, other))


def test_a_page_loses_a_text_that_it_shows_shortened():
    text = " ".join(f"word{place}" for place in range(100))
    page = page_of(single=(example(text), example(f"other {text}")))
    rest, n_places = pages.without(page, wanted(text), ERASED)
    assert n_places == 1
    assert "other word0" in rest


def test_a_table_loses_the_rows(tmp_path):
    table = pd.concat([labelled(TEXT), labelled("an attack").assign(original_text=TEXT.upper()), labelled(OTHER)])
    records.write(records.LabelledAttack, table, tmp_path / "t")
    path, n_places = after(tmp_path / "t", TEXT)
    rest = records.read(records.LabelledAttack, path)
    assert n_places == 2
    assert rest["perturbed_text"].tolist() == [OTHER]
    assert TEXT.encode() not in path.read_bytes()
    assert after(path, TEXT) is None


@given(st.lists(TEXTS, min_size=1, max_size=6))
def test_a_review_queue_loses_the_rows_and_keeps_the_others(tmp_path_factory, texts):
    assume(key_of(texts[0]))
    path = tmp_path_factory.mktemp("queue") / "review"
    columns = ["base_id", "original_text", "perturbed_text", "score"]
    rows = pd.DataFrame([["b", text, text, 0.25] for text in texts], columns=columns)
    rows.to_csv(path, index=False)
    kept = rows[[not wanted(texts[0]).matches(text) for text in texts]]
    assert after(path, texts[0])[1] == len(rows) - len(kept) >= 1
    assert path.with_name("after").read_bytes() == kept.to_csv(index=False).encode()


def test_a_document_loses_the_examples(tmp_path):
    examples = [{"original": text, "perturbed": f"{text}!", "score": 0.123456789} for text in (TEXT, OTHER)]
    document = {"examples": examples, "note": TEXT, "n": 2, "label": "toxic"}
    (tmp_path / "evaluation").write_text(json.dumps(document))
    path, n_places = after(tmp_path / "evaluation", TEXT)
    assert json.loads(path.read_text()) == document | {"examples": examples[1:], "note": ERASED}
    assert n_places == 2


@pytest.mark.parametrize("unfinished", ["", '{"original_text": "cut o'])
@given(texts=st.lists(TEXTS, min_size=1, max_size=4))
@settings(max_examples=20)
def test_a_file_of_lines_loses_those_with_the_text(tmp_path_factory, texts, unfinished):
    path = tmp_path_factory.mktemp("lines") / "written.jsonl"
    lost = [{"original_text": TEXT, "texts": {"text": "of it"}}, {"original_text": "a b", "texts": {"text": TEXT}}]
    kept = [{"original_text": text, "texts": {"text": "of another"}} for text in texts if key_of(text) != key_of(TEXT)]
    path.write_text("".join(f"{json.dumps(line)}\n\n" for line in [*kept, *lost]) + unfinished)
    rest, n_places = after(path, TEXT)
    assert [json.loads(line) for line in rest.read_text().split("\n") if line] == kept
    assert n_places == 2


def test_one_word_takes_no_label_and_no_name_along(tmp_path):
    (tmp_path / "d").write_text(json.dumps({"label": "toxic", "examples": [{"original": "Toxic"}, {"original": "a"}]}))
    path, _ = after(tmp_path / "d", "toxic")
    assert json.loads(path.read_text()) == {"label": "toxic", "examples": [{"original": "a"}]}
    (tmp_path / "log").write_text("[label_attacks] 3 toxic texts")
    assert after(tmp_path / "log", "toxic") is None


def test_a_log_loses_the_text_alone(tmp_path):
    (tmp_path / "log").write_bytes(f"ValueError: {TEXT!r}\n{TEXT}, {OTHER}\n".encode() + b"\xff\n")
    path, n_places = after(tmp_path / "log", TEXT)
    assert path.read_bytes() == f"ValueError: {ERASED!r}\n{ERASED}, {OTHER}\n".encode() + b"\xff\n"
    assert n_places == 2


def test_other_files_are_not_touched(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"\0" + TEXT.encode())
    (tmp_path / "page.html").write_text(f"<!doctype html><p>{html.escape(TEXT)}</p>")
    assert after(tmp_path / "model.onnx", TEXT) is None
    assert after(tmp_path / "page.html", TEXT) is None


def test_a_table_that_is_cut_off_is_damaged(tmp_path):
    records.write(records.LabelledAttack, labelled(TEXT), tmp_path / "t")
    (tmp_path / "t").write_bytes((tmp_path / "t").read_bytes()[:-20])
    with pytest.raises(DamagedError):
        cut(tmp_path / "t", wanted(TEXT))


def test_a_record_that_names_texts_by_their_ids_loses_them(tmp_path):
    """An id that a text got when it was read is a plain hash of it."""
    ids = [id_of(key_of(text)) for text in (TEXT, OTHER)]
    (tmp_path / "r.json").write_text(json.dumps({"doubtful": [{"sample_id": each, "label": "toxic"} for each in ids]}))
    path, n_places = after(tmp_path / "r.json", TEXT)
    assert n_places == 1
    assert [each["sample_id"] for each in json.loads(path.read_text())["doubtful"]] == ids[1:]
    (tmp_path / "log.txt").write_text(f"labels that look wrong: {', '.join(ids)}\n")
    path, n_places = after(tmp_path / "log.txt", TEXT)
    assert path.read_text() == f"labels that look wrong: {ERASED}, {ids[1]}\n"


@pytest.mark.parametrize("kind", ["csv", "labelstudio"])
def test_what_is_handed_out_for_a_review_loses_the_texts(tmp_path, kind):
    formula = f"={TEXT}"
    asked = queue.one_per_text(battle(TEXT, formula, OTHER).assign(battle="b"))
    (tmp_path / "q").write_text(queue.FORMATS[kind](asked), newline="")
    path, n_places = after(tmp_path / "q", TEXT, formula)
    assert n_places == 2
    assert "lukewarm potato &" not in path.read_text()
    assert OTHER in path.read_text()
