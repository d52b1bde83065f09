"""Which attributes a text has by its categories."""

import pandas as pd
import pytest

from content_arena.components.shared.scoring.attributes import ATTRIBUTES, attributes_of, is_known, truth


@pytest.mark.parametrize(
    ("categories", "attributes"),
    [
        (["insult"], {"INSULT"}),
        (["harassment", "insult"], {"INSULT"}),
        (["Veiled Threat", "identity-attack"], {"THREAT", "IDENTITY_ATTACK"}),
        (["sexual_harassment", "profanity"], {"SEXUALLY_EXPLICIT", "PROFANITY"}),
        (["toxic", "severe_toxic", "obscene", "identity_hate"], {"PROFANITY", "IDENTITY_ATTACK"}),
        (["sarcasm", "friendly_profanity"], set()),
        ([], set()),
    ],
)
def test_categories_name_attributes(categories, attributes):
    assert attributes_of(categories) == attributes


def test_of_a_toxic_text_without_categories_nothing_is_known():
    assert is_known("benign", [])
    assert is_known("toxic", ["sarcasm"])
    assert not is_known("toxic", [])


def test_every_attribute_has_a_row_for_each_text():
    found = truth(pd.DataFrame({"categories": [["threat"], []]}))
    assert tuple(found) == ATTRIBUTES
    assert found["THREAT"].tolist() == [True, False]
    assert not found["INSULT"].any()
