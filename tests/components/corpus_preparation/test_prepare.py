"""The whole stage: what it writes, counts, logs and refuses."""

import csv
import json
import random
from pathlib import Path

import pytest
from kfp import compiler, dsl

from content_arena.components import corpus_preparation
from content_arena.components.corpus_preparation.cleaning import REASONS
from content_arena.components.corpus_preparation.component import prepare_corpus
from content_arena.components.corpus_preparation.prepare import prepare
from content_arena.components.shared import records

WORDS = [
    "river",
    "stone",
    "cloud",
    "garden",
    "window",
    "silver",
    "quiet",
    "market",
    "signal",
    "bridge",
    "copper",
    "autumn",
    "letter",
    "engine",
    "pocket",
]
CORPORA = Path(corpus_preparation.__file__).with_name("corpus")
EMBEDDED = sorted(path for path in CORPORA.glob("*.jsonl") if "." not in path.stem)


def rows(n_toxic=120, n_benign=180):
    rng = random.Random(3)
    labels = ["toxic"] * n_toxic + ["benign"] * n_benign
    return [{"text": " ".join(rng.sample(WORDS, 9)), "label": label} for label in labels]


def write(path, content):
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(content[0]))
        writer.writeheader()
        writer.writerows(content)
    return str(path)


def test_writes_a_sample_table_and_counts_it(tmp_path, capsys):
    content = [*rows(), {"text": "  ", "label": "toxic"}, {"text": "mail me: a@example.com", "label": "benign"}]
    counts = prepare(write(tmp_path / "in.csv", content), "sv", tmp_path / "new" / "corpus.parquet")
    table = records.read(records.Sample, tmp_path / "new" / "corpus.parquet")
    assert "mail me: [email]" in set(table["text"])
    assert counts["read"] == 302
    assert counts["kept"] == len(table) == counts["toxic"] + counts["benign"] == 301
    assert counts["kept"] == sum(counts[split] for split in records.SPLITS)
    assert counts["test_toxic"] == ((table["split"] == "test") & (table["label"] == "toxic")).sum() == 18
    assert {f"dropped_{reason}" for reason in REASONS} <= set(counts)
    assert counts["dropped_empty"] == 1
    assert counts["seconds"] >= 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "[prepare_corpus] reading"
    assert lines[1] == "[prepare_corpus] read 302 rows of in.csv, text in 'text', labels in 'label'"
    assert lines[2] == "[prepare_corpus] note: kept 301 of 302 rows; dropped: empty 1"


def test_the_order_of_rows_changes_no_split(tmp_path):
    content = rows()
    tables = []
    for name in ("one", "other"):
        prepare(write(tmp_path / f"{name}.csv", content), "en", tmp_path / name, split_seed=5)
        table = records.read(records.Sample, tmp_path / name).set_index("sample_id").sort_index()
        tables.append(table.drop(columns="source"))
        content = content[::-1]
    assert tables[0].equals(tables[1])


def test_logs_that_nothing_was_dropped(tmp_path, capsys):
    prepare(write(tmp_path / "in.csv", rows()), "en", tmp_path / "out")
    assert "[prepare_corpus] kept 300 of 300 rows; nothing was dropped" in capsys.readouterr().out
    line = refused(capsys, write(tmp_path / "few.csv", rows(49, 60)), "en", tmp_path / "out")
    assert "needed (nothing was dropped); give more" in line


def test_notes_what_was_not_read_as_it_stands_and_which_rows_were_dropped(tmp_path, capsys):
    content = [{"text": row["text"], "clean": int(row["label"] == "benign")} for row in rows()]
    for row in (3, 8, 11, 200):
        content[row]["clean"] = ""
    counts = prepare(
        write(tmp_path / "in.csv", content), "en", tmp_path / "out", given={"label_column": "clean", "text_column": ""}
    )
    assert (counts["read"], counts["kept"], counts["dropped_unlabelled"]) == (300, 296, 4)
    notes = [line for line in capsys.readouterr().out.splitlines() if "note: " in line]
    assert notes == [
        "[prepare_corpus] note: in.csv: 1 in 'clean' was read as benign: the column is named for harmless texts",
        "[prepare_corpus] note: kept 296 of 300 rows; dropped: unlabelled 4 (rows 4, 9, 12 and more)",
    ]
    assert counts["toxic"] == 117


def test_draws_a_sample_and_logs_it(tmp_path, capsys):
    counts = prepare(write(tmp_path / "in.csv", rows()), "en", tmp_path / "out", max_texts=150)
    assert (counts["kept"], counts["toxic"], counts["dropped_over_max_texts"]) == (150, 60, 150)
    assert "drew 150 of 300 texts" in capsys.readouterr().out


def refused(capsys, *args, **kwargs):
    with pytest.raises(SystemExit) as caught:
        prepare(*args, **kwargs)
    assert caught.value.code == 2
    return capsys.readouterr().out.splitlines()[-1]


def test_refuses_too_few_texts_and_states_what_was_dropped(tmp_path, capsys):
    content = [*rows(49, 60), *rows(49, 0), *[{"text": " ", "label": "toxic"}] * 3]
    line = refused(capsys, write(tmp_path / "in.csv", content), "en", tmp_path / "out")
    assert line.startswith("[prepare_corpus] error: 49 toxic and 60 benign texts are left, at least 50 of each")
    assert "exact_duplicate 49, empty 3" in line
    assert not (tmp_path / "out").exists()


def test_refuses_bad_data_in_one_line(tmp_path, capsys):
    assert "error: no file" in refused(capsys, str(tmp_path / "none.csv"), "en", tmp_path / "out")
    assert "(max_texts in a pipeline) is 99" in refused(capsys, "embedded", "en", tmp_path / "out", max_texts=99)


@pytest.mark.parametrize("path", EMBEDDED, ids=lambda path: path.stem)
def test_prepares_the_embedded_corpus(tmp_path, path):
    counts = prepare("embedded", path.stem, tmp_path / "out")
    assert counts["kept"] >= 0.95 * counts["read"]
    assert records.read(records.Sample, tmp_path / "out")["categories"].map(len).eq(1).all()


def test_the_component_writes_the_table_its_counts_and_the_page(tmp_path):
    corpus = dsl.Dataset(name="corpus", uri=str(tmp_path / "corpus"))
    report = dsl.Metrics(name="report", uri=str(tmp_path / "report"))
    data = write(tmp_path / "in.csv", rows())
    quality = dsl.HTML(name="quality", uri=str(tmp_path / "quality"))
    options = {"lang": "en", "text_column": "", "label_column": "", "max_texts": 4_000, "settings": {}}
    prepare_corpus.python_func(corpus, report, quality, data=data, split_seed=2, **options)
    split = records.read(records.Sample, tmp_path / "corpus")["split"]
    assert (split != records.GUARD).sum() == report.metadata["kept"] == 300
    assert corpus.metadata["toxic"] == 120
    assert "300 rows were read" in (tmp_path / "quality").read_text()
    assert json.loads(json.dumps(corpus.metadata)) == corpus.metadata


def test_the_component_compiles(tmp_path):
    compiler.Compiler().compile(prepare_corpus, str(tmp_path / "component.yaml"))
    text = (tmp_path / "component.yaml").read_text()
    assert "split_seed" in text
    assert "pip install" not in text
