"""The forms in which data sets are published: their headers and the spelling of their labels, with rows of our own."""

import json

from tests.components.corpus_preparation.tables.written_tables import read, refusal, texts_and_labels, write

A, B, C, D = "you are a fool", "good morning to all", "go away, idiot", "the bus is late again"


def test_jigsaw(tmp_path):
    header = '"id","comment_text","toxic","severe_toxic","obscene","threat","insult","identity_hate"\n'
    path = write(tmp_path / "train.csv", header + f'"0","{A}\n\nand more",1,0,0,0,1,0\n"1","{B}",0,0,0,0,0,0\n')
    assert texts_and_labels(path) == [(f"{A}\n\nand more", "toxic"), (B, "benign")]
    named = "toxic,severe_toxic,obscene,threat,insult,identity_hate"
    assert read(path, label_columns=named).table["categories"].tolist() == [["toxic", "insult"], []]
    test = write(tmp_path / "test_labels.csv", header + f'"2","{A}",-1,-1,-1,-1,-1,-1\n"3","{B}",0,0,0,0,0,0\n')
    assert "-1=none to drop such rows" in refusal(test)
    assert texts_and_labels(test, label_map="-1=none") == [(B, "benign")]


def test_civil_comments(tmp_path):
    path = write(
        tmp_path / "train.csv",
        "id,target,comment_text,severe_toxicity,obscene,identity_attack,insult,threat,rating\n"
        f'59848,0.893617,"{A}",0.02,0.0,0.0,0.87,0.0,approved\n59849,0.0,"{B}",0.0,0.0,0.0,0.0,0.0,approved\n',
    )
    assert "'>=0.5=toxic,*=benign'" in refusal(path)
    assert texts_and_labels(path, label_map=">=0.5=toxic,*=benign") == [(A, "toxic"), (B, "benign")]


def test_davidson(tmp_path):
    path = write(
        tmp_path / "labeled_data.csv",
        ",count,hate_speech,offensive_language,neither,class,tweet\n"
        f'0,3,0,0,3,2,"{B}"\n1,3,0,3,0,1,"{A}"\n2,3,3,0,0,0,{D}\n',
    )
    assert "for example '2=benign,*=toxic'" in refusal(path)
    assert [label for _, label in texts_and_labels(path, label_map="2=benign,*=toxic")] == ["benign", "toxic", "toxic"]


def test_hatexplain(tmp_path):
    post = {"post_id": "1", "annotators": [{"label": "hatespeech"}], "post_tokens": A.split()}
    path = write(tmp_path / "dataset.json", json.dumps({"1": post, "2": post}))
    assert "one JSON object that holds 2 others" in refusal(path)
    path = write(tmp_path / "flat.csv", f"text,label\n{A},hatespeech\n{B},normal\n{D},offensive\n")
    assert [label for _, label in texts_and_labels(path)] == ["toxic", "benign", "toxic"]


def test_olid(tmp_path):
    path = write(
        tmp_path / "olid-training-v1.0.tsv",
        "id\ttweet\tsubtask_a\tsubtask_b\tsubtask_c\n"
        f'86426\t@USER "{A}\tOFF\tUNT\tNULL\n90194\t"@USER {B}\tNOT\tNULL\tNULL\n90195\t{D}" URL\tNOT\tNULL\tNULL\n',
    )
    assert texts_and_labels(path) == [
        (f'@USER "{A}', "toxic"),
        (f'"@USER {B}', "benign"),
        (f'{D}" URL', "benign"),
    ]


def test_beep(tmp_path):
    path = write(
        tmp_path / "train.tsv",
        "comments\tcontain_gender_bias\tbias\thate\n"
        '"정말 한심한 사람이다\tFalse\tnone\thate\n'
        "좋은 하루 되세요\tFalse\tnone\tnone\n"
        '별로 재미없네"\tTrue\tgender\toffensive\n',
    )
    assert [label for _, label in texts_and_labels(path, "ko")] == ["toxic", "benign", "toxic"]


UNSMILE = (
    "여성/가족", "남성", "성소수자", "인종/국적", "연령", "지역", "종교", "기타 혐오", "악플/욕설", "clean", "개인지칭",
)  # fmt: skip


def test_unsmile(tmp_path):
    rows = [
        ("한심한 사람아", "00000000100"),
        ("점심 먹으러 가자", "00000000010"),
        ("남자들은 다 그래", "01000000100"),
        ("표시가 없는 글", "00000000000"),
    ]
    content = "".join("\t".join(row) + "\n" for row in [("문장", *UNSMILE), *[(text, *marks) for text, marks in rows]])
    path = write(tmp_path / "unsmile_train_v1.0.tsv", content)
    assert "'clean'" in refusal(path, "ko")
    found = read(path, "ko", label_columns=",".join(UNSMILE[:-1]))
    assert found.table["label"].tolist() == ["toxic", "benign", "toxic"]
    assert found.table["categories"].tolist() == [["악플/욕설"], [], ["남성", "악플/욕설"]]
    assert found.dropped["unlabelled"] == 1
    assert [label for _, label in texts_and_labels(path, "ko", label_column="clean")][:2] == ["toxic", "benign"]


def test_k_mhas(tmp_path):
    path = write(tmp_path / "kmhas_train.txt", "document\tlabel\n한심한 사람아\t2,3\n점심 먹자\t8\n저리 가라\t0\n")
    assert "with --label-map" in refusal(path, "ko")
    assert [label for _, label in texts_and_labels(path, "ko", label_map="8=benign,*=toxic")] == [
        "toxic",
        "benign",
        "toxic",
    ]


def test_kold(tmp_path):
    rows = [
        {
            "guid": "a",
            "source": "news",
            "title": "제목",
            "comment": "한심한 사람아",
            "OFF": True,
            "TGT": "individual",
            "GRP": None,
        },
        {
            "guid": "b",
            "source": "news",
            "title": "제목",
            "comment": "점심 먹자",
            "OFF": False,
            "TGT": None,
            "GRP": None,
        },
    ]
    path = write(tmp_path / "kold_v1.json", json.dumps(rows, ensure_ascii=False, indent=2))
    found = read(path, "ko")
    assert found.table["label"].tolist() == ["toxic", "benign"]
    assert found.table["source"].tolist() == ["news", "news"]


def test_apeach(tmp_path):
    path = write(tmp_path / "test.csv", "text,class,topic\n한심한 사람아,Spoiled,1\n점심 먹자,Default,2\n")
    assert "'Spoiled', 'Default'" in refusal(path, "ko")
    assert texts_and_labels(path, "ko", label_map="Spoiled=toxic,Default=benign") == [
        ("한심한 사람아", "toxic"),
        ("점심 먹자", "benign"),
    ]
    path = write(tmp_path / "coded.csv", "text,class,topic\n한심한 사람아,1,1\n점심 먹자,0,2\n")
    assert [label for _, label in texts_and_labels(path, "ko")] == ["toxic", "benign"]


def test_csv_as_a_german_spreadsheet_exports_it(tmp_path):
    content = 'sep=;\r\n;Text;Wertung;;\r\n1;"Du Blödmann; geh weg";0,9;;\r\n2;Schöne Grüße;0,1;;\r\n;;;;\r\n'
    path = write(tmp_path / "export.csv", content, "cp1252")
    found = texts_and_labels(path, "de", label_column="Wertung", label_map=">=0.5=toxic,*=benign")
    assert found == [("Du Blödmann; geh weg", "toxic"), ("Schöne Grüße", "benign")]
