"""The queue goes out as a file, somebody answers, and the answers come back."""

import contextlib
import csv
import io
import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from content_arena.components.labeling import queue, review
from content_arena.components.labeling.answers import Said, applied, contradicted, settled
from content_arena.components.labeling.importing import matched
from content_arena.components.labeling.returned import read
from content_arena.components.shared import records
from content_arena.components.shared.errors import InputError
from tests.components.labeling.battles import battle

TEXTS = ["=HYPERLINK(0)", "@you idiot\r\nsecond line;=1+1", "+1, \"quoted\"", "-바보", "\tstarts", "plain"]  # fmt: skip
#: What MLflow and Parquet hold: no lone surrogates.
ANY = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)
NONE = records.validate(records.Answer, battle("x").iloc[:0][["attack_id", "base_id", "lang", "original_text",
    "perturbed_text"]].assign(answer="", reviewer="", day="", is_rewritten=False))  # fmt: skip


def asked(*texts):
    return queue.one_per_text(battle(*texts).assign(battle="battle 1"))


def written(tmp_path, content, encoding="utf-8"):
    path = tmp_path / "file"
    path.write_bytes(content.encode(encoding) if isinstance(content, str) else content)
    return path


def filled_in(sheet, answer="benign", reviewer="ann", separator=","):
    """The CSV as somebody saves it who answered everything."""
    rows = list(csv.DictReader(io.StringIO(sheet.removeprefix("\ufeff"), newline="")))
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, rows[0], delimiter=separator)
    writer.writeheader()
    writer.writerows(row | {"answer": answer, "reviewer": reviewer} for row in rows)
    return out.getvalue()


def annotated(tasks, answer="benign", **annotation):
    """Label Studio's export of tasks that somebody answered."""
    choice = {"from_name": "answer", "to_name": "text", "type": "choices", "value": {"choices": [answer]}}
    done = {"id": 1, "completed_by": 7, "was_cancelled": False, "result": [choice], **annotation}
    return [{"id": place, **task, "annotations": [done]} for place, task in enumerate(tasks)]


def outcome(path, table, known=NONE):
    return matched(read(path), table, known, reviewer="", day="2026-11-29")


def test_what_an_llm_wrote_waits_and_an_answer_about_it_says_nothing_of_the_original(tmp_path):
    original, twin = "you are an idiot", "you are an artist"
    attacks = battle(original, twin, "you are an 1diot", before=0.99)[list(records.Attack.to_schema().columns)]
    params = ["{}", json.dumps({"original_label": "toxic", "written": twin}), "{}"]
    gold = ["toxic", "benign", "toxic"]
    table = review.label(attacks.assign(original_text=original, base_id="b", params=params, label_gold=gold))
    assert table["needs_review"].tolist() == [False, True, False]
    sheet = queue.spreadsheet(queue.one_per_text(table[table["needs_review"]].assign(battle="battle 1")))
    found = outcome(written(tmp_path, filled_in(sheet)), table)
    said = settled(found.answers)
    assert found.contradicted == ()
    after = applied(table, said)
    assert after["label"].tolist() == gold
    assert not after["needs_review"].any()
    # Nor does what people say of the original hold for the twin.
    by_original = applied(table, Said({}, {original: "toxic"}))
    assert by_original["needs_review"].tolist() == [False, True, False]
    assert contradicted(table, Said({}, {original: "toxic"})) == []


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_spreadsheet_comes_back_whatever_its_separator(tmp_path, separator):
    sheet = queue.spreadsheet(asked(*TEXTS))
    found = outcome(written(tmp_path, filled_in(sheet, separator=separator)), battle(*TEXTS))
    assert set(found.answers["perturbed_text"]) == set(TEXTS)
    assert set(found.answers["answer"]) == {"benign"}
    assert set(found.answers["reviewer"]) == {"ann"}


@settings(max_examples=25)
@given(st.lists(ANY, min_size=1, max_size=4, unique=True))
def test_no_cell_is_a_formula_and_every_text_comes_back(tmp_path_factory, texts):
    sheet = queue.spreadsheet(asked(*texts))
    for row in csv.reader(io.StringIO(sheet.removeprefix("\ufeff"), newline="")):
        assert not any(re.match(r"[=+\-@\t\r\n]", cell) for cell in row)
    path = written(tmp_path_factory.mktemp("sheet"), filled_in(sheet))
    assert {each.text for each in read(path)} == set(texts)


def test_tasks_show_the_vote_as_a_prediction():
    tasks = json.loads(queue.label_studio(asked(*TEXTS)))
    assert {task["data"]["text"] for task in tasks} == set(TEXTS)
    for task in tasks:
        (prediction,) = task["predictions"]
        (result,) = prediction["result"]
        assert result["value"]["choices"] == [task["data"]["voted"]]
        assert 0 <= prediction["score"] <= 1
        assert f'name="{result["to_name"]}" value="$text"' in queue.LABEL_CONFIG
        assert f'<Choices name="{result["from_name"]}"' in queue.LABEL_CONFIG


def test_label_studios_formats_say_the_same(tmp_path):
    tasks = json.loads(queue.label_studio(asked(*TEXTS)))
    flat = [{**task["data"], "id": 3, "annotator": 7, "answer": "benign"} for task in tasks]
    sheet = io.StringIO(newline="")
    writer = csv.DictWriter(sheet, flat[0])
    writer.writeheader()
    writer.writerows(flat)
    exports = [
        json.dumps(annotated(tasks)),
        json.dumps(annotated(tasks, completed_by={"id": 7, "email": "ann@example.org"})),
        json.dumps(flat),
        json.dumps([row | {"answer": {"choices": ["benign"]}} for row in flat]),
        sheet.getvalue(),
    ]
    found = [outcome(written(tmp_path, export), battle(*TEXTS)).answers for export in exports]
    assert all(table.equals(found[0]) for table in found)
    assert set(found[0]["reviewer"]) == {"7"}


def test_what_nobody_answered_is_left_out(tmp_path):
    one, two, three = json.loads(queue.label_studio(asked("one", "two", "three")))
    skipped = annotated([two], was_cancelled=True)
    path = written(tmp_path, json.dumps([*annotated([one]), *skipped, three]))
    assert [each.text for each in read(path)] == [one["data"]["text"]]
    nothing = written(tmp_path, queue.spreadsheet(asked("one")))
    with pytest.raises(InputError, match="nobody has answered"):
        outcome(nothing, battle("one"))


def test_the_same_file_again_adds_nothing_and_a_new_mind_is_told(tmp_path):
    sheet = queue.spreadsheet(asked("one", "two"))
    first = outcome(written(tmp_path, filled_in(sheet)), battle("one", "two")).answers
    again = outcome(written(tmp_path, filled_in(sheet)), battle("one", "two"), first)
    assert (len(again.answers), again.n_known, again.n_changed) == (0, 2, 0)
    other = outcome(written(tmp_path, filled_in(sheet, "toxic")), battle("one", "two"), first)
    assert (len(other.answers), other.n_known, other.n_changed, other.disputed) == (2, 0, 2, ())
    somebody = outcome(written(tmp_path, filled_in(sheet, "toxic", "bo")), battle("one", "two"), first)
    assert somebody.n_changed == 0
    assert len(somebody.disputed) == 2


def test_ids_from_elsewhere_are_named_and_all_of_them_refused(tmp_path):
    path = written(tmp_path, filled_in(queue.spreadsheet(asked("one", "two"))))
    found = outcome(path, battle("one"))
    assert found.unknown == (records.sha256_of("two")[:16],)
    assert found.answers["perturbed_text"].tolist() == ["one"]
    with pytest.raises(InputError, match=r"none of its 2 ids .* another arena"):
        outcome(path, battle("three"))


def test_a_column_that_was_sorted_alone_is_refused(tmp_path):
    rows = list(csv.reader(io.StringIO(filled_in(queue.spreadsheet(asked("one", "two", "three"))))))
    ids = [row[0] for row in rows[1:]]
    shifted = [rows[0], *([ids[place - 1], *row[1:]] for place, row in enumerate(rows[1:]))]
    out = io.StringIO(newline="")
    csv.writer(out).writerows(shifted)
    with pytest.raises(InputError, match="row 2, row 3, row 4: was a column sorted"):
        outcome(written(tmp_path, out.getvalue()), battle("one", "two", "three"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('[{"data": {"attack_id": "a"', "no whole JSON"),
        ("[1]", "task 1 is no object"),
        ('[{"data": {}, "annotations": {}}]', "no list of annotations"),
        ('[{"data": {}, "annotations": [1]}]', "annotation without a result"),
        ('[{"attack_id": "a", "answer": "maybe"}]', "task 1 has an answer that is none of toxic, benign, unreadable"),
        ('[{"attack_id": "a", "answer": {"choices": ["toxic", "benign"]}}]', "task 1 has 2 answers"),
        ('[{"answer": "toxic"}]', "task 1 has an answer and no attack_id"),
        ('[{"attack_id": 5, "answer": "toxic"}]', "no attack_id"),
        ("attack_id,text\n1,a\n", "no column answer"),
        ("", "no column attack_id and no column answer"),
        ("attack_id,answer\n1,yes\n", "row 2 has an answer that is none of"),
        ("attack_id,answer\n1,toxic,more\n", "row 2 has 3 cells"),
        ("\ufeffattack_id,answer\n1,독\n".encode("utf-16"), "not UTF-8"),
        ("[" * 100_000, "it is"),
    ],
)
def test_what_is_no_file_of_answers_is_refused_with_the_place(tmp_path, content, message):
    with pytest.raises(InputError, match=message):
        read(written(tmp_path, content))


@given(st.text() | st.binary())
def test_any_file_is_read_or_refused(tmp_path_factory, content):
    raw = content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
    with contextlib.suppress(InputError):
        assert isinstance(read(written(tmp_path_factory.mktemp("any"), raw)), list)
