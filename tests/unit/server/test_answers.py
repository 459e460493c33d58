from dataclasses import replace

import pytest

from fakes import build_card
from hangtag.server.answers import doubt_thresholds
from hangtag.server.settings import Settings

SETTINGS = Settings(doubt_threshold=0.6, doubt_threshold_category=0.8)
CARD = build_card()


def card_with(**thresholds):
    heads = [replace(head, threshold=thresholds.get(head.column)) for head in CARD.heads]
    return replace(CARD, heads=heads, target_accuracy=0.98)


def test_what_is_doubtful_is_said_by_the_card_and_else_by_the_settings():
    assert doubt_thresholds(CARD, SETTINGS) == {"masterCategory": 0.8, "articleType": 0.8, "baseColour": 0.6}
    found = doubt_thresholds(card_with(masterCategory=0.5, articleType=0.7, baseColour=0.9), SETTINGS)
    assert found == {"masterCategory": 0.5, "articleType": 0.7, "baseColour": 0.9}


@pytest.mark.parametrize("confidence", [0.9999, 1.0])
def test_a_level_that_never_reached_the_target_is_always_doubtful(confidence):
    found = doubt_thresholds(card_with(masterCategory=0.5), SETTINGS)
    assert confidence < found["articleType"]
    assert found["baseColour"] == 0.6
