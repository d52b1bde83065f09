"""The attribute head: what it learns from a corpus, and that the verdict does not change by a bit."""

from dataclasses import replace

import numpy as np
import onnx
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from content_arena.components.qlora_training import attribute_head
from content_arena.components.shared.scoring import bundle as bundles
from content_arena.components.shared.scoring.filter import ContentFilter

from ...tiny_bundle import BENIGN_WORDS, TOXIC_WORDS, WINDOW_WORDS


def corpus(n_insults=40, n_threats=5):
    """Insults with a toxic word, threats without any, benign texts, and toxic texts of which no harm is known."""
    rng = np.random.default_rng(0)
    kinds = [("toxic", ["insult"], True)] * n_insults + [("toxic", ["veiled threat"], False)] * n_threats
    kinds += [("benign", [], False)] * 60 + [("toxic", [], True)] * 10
    rows = []
    for number, (label, categories, is_rude) in enumerate(kinds):
        words = [*rng.choice(BENIGN_WORDS, 3), *([rng.choice(list(TOXIC_WORDS))] if is_rude else [])]
        split = ("train", "validation", "train", "test")[number % 4]
        rows.append((str(number), " ".join(rng.permutation(words)), label, categories, split))
    return pd.DataFrame(rows, columns=["sample_id", "text", "label", "categories", "split"])


def added(made, texts=None, **options):
    """A bundle after a head was added, open, and what was added."""
    found = attribute_head.add(made, corpus() if texts is None else texts, **options)
    return ContentFilter(replace(made, spec=replace(made.spec, attributes=found)), threads=1), found


def test_the_scores_of_toxicity_do_not_change_by_a_bit(make_bundle):
    plain = make_bundle("plain")
    filled = ["you idiot " * WINDOW_WORDS, "!?", "", *corpus()["text"]]
    before = ContentFilter(plain, threads=1).score(filled)
    scorer, _ = added(make_bundle("other"))
    assert scorer.attributes == ("INSULT",)
    assert scorer.score(filled).tobytes() == before.tobytes()
    assert scorer.score_all(filled)[:, 0].tobytes() == before.tobytes()


def test_an_attribute_is_learnt_from_its_categories(make_bundle):
    scorer, thresholds = added(make_bundle())
    insulting, harmless = scorer.score_all(["you idiot", "the garden is nice"])[:, 1]
    assert insulting >= thresholds["INSULT"] > harmless


def test_what_has_too_few_texts_is_not_scored(make_bundle):
    made = make_bundle()
    before = made.model_path.read_bytes()
    assert attribute_head.add(made, corpus(), least=200) == {}
    assert attribute_head.add(made, corpus().assign(categories=[[]] * len(corpus()))) == {}
    assert made.model_path.read_bytes() == before
    line = attribute_head.describe(corpus(), {"INSULT": 0.4}, least=20)
    assert "INSULT (30 texts)" in line
    assert "fewer than 20 texts have IDENTITY_ATTACK (0), PROFANITY (0), SEXUALLY_EXPLICIT (0), THREAT (4)" in line


def test_nothing_is_learnt_from_tests_and_from_toxic_texts_without_categories():
    rows = attribute_head.learnt_from(corpus())
    assert set(rows["split"]) == {"train", "validation"}
    assert all(rows.loc[rows["label"] == "toxic", "categories"].map(bool))


def test_a_text_of_several_windows_teaches_nothing(make_bundle):
    long = corpus()
    long["text"] = [
        f"{text} " * WINDOW_WORDS if names == ["insult"] else text
        for text, names in zip(long["text"], long["categories"], strict=True)
    ]
    assert attribute_head.add(make_bundle(), long) == {}
    long["text"] = f"{long['text'][0]} " * WINDOW_WORDS
    assert attribute_head.add(make_bundle("all_long"), long) == {}


@given(st.integers(6, 90), st.randoms())
def test_a_draw_has_equal_parts_of_each_kind_and_weights_that_give_their_shares_back(most, random):
    rows = attribute_head.learnt_from(corpus())
    found, weights = attribute_head.drawn(rows, most)
    assert len(found) == len(weights) == min(most, len(rows))
    assert list(found.index) == [index for index in rows.index if index in set(found.index)]
    kinds = lambda table: table["categories"].map(tuple)  # noqa: E731
    numbers, sizes = kinds(found).value_counts(), kinds(rows).value_counts()
    wanted = min(most // 3, sizes.min())
    assert all(numbers[kind] == sizes[kind] or numbers[kind] >= wanted for kind in sizes.index)
    for kind, number in sizes.items():
        assert weights[(kinds(found) == kind).to_numpy()].sum() / weights.sum() == pytest.approx(number / len(rows))
    shuffled = rows.sample(frac=1, random_state=random.randrange(1000))
    assert set(attribute_head.drawn(shuffled, most)[0]["sample_id"]) == set(found["sample_id"])


def layers(*shapes, between="Tanh"):
    """A graph of linear layers with weights of these shapes (outputs, inputs), named by their position."""
    nodes, weights, name = [], [], "vector"
    for number, shape in enumerate(shapes):
        weights.append(numpy_helper.from_array(np.zeros(shape, np.float32), f"weight{number}"))
        nodes += [
            helper.make_node("Gemm", [name, f"weight{number}"], [f"linear{number}"], transB=1),
            helper.make_node(between, [f"linear{number}"], [name := f"layer{number}"]),
        ]
    ends = [helper.make_tensor_value_info(end, TensorProto.FLOAT, None) for end in ("vector", name)]
    return helper.make_graph(nodes, "layers", ends[:1], ends[1:], weights)


@pytest.mark.parametrize(
    ("graph", "vector"),
    [
        (layers((2, 8)), "vector"),
        (layers((8, 8), (2, 8)), "vector"),
        (layers((8, 8), (8, 8), (2, 8)), "layer0"),
        (layers((8, 8), (2, 8), between="Softmax"), "layer0"),
        (layers((8, 8), (3, 8)), None),
        (layers((2, 8), (2, 2)), None),
    ],
)
def test_the_vector_is_what_enters_the_classifier(graph, vector):
    assert attribute_head.find_vector(graph) == vector


def test_a_model_whose_classifier_is_not_found_stays_as_it_is(make_bundle):
    made = make_bundle()
    model = onnx.load(made.model_path)
    model.graph.node[-2].op_type = "Mul"
    onnx.save(model, made.model_path)
    assert attribute_head.add(made, corpus()) == {}


def test_without_validation_texts_of_an_attribute_its_threshold_is_one_half():
    rows = attribute_head.learnt_from(corpus())
    rows = rows[~((rows["split"] == "validation") & rows["categories"].map(bool))]
    head = attribute_head.fit(np.random.default_rng(0).normal(size=(len(rows), 4)).astype(np.float32), rows, least=10)
    assert head.thresholds == {"INSULT": 0.5}
    assert (head.weights.shape, head.offsets.shape) == ((1, 4), (1,))


def test_a_sealed_bundle_with_a_head_can_be_loaded(make_bundle):
    made = make_bundle("scored", attributes={"THREAT": 0.25, "INSULT": 0.5})
    opened = ContentFilter(bundles.load(made.path), threads=1)
    assert opened.attributes == ("INSULT", "THREAT")
    assert opened.score_all(["you idiot"]).shape == (1, 3)
