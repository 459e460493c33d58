from typing import get_args

import pytest

from hangtag.exporting.words import LANGUAGES
from hangtag.server.routes import names

NAMES = "/api/v1/names"


@pytest.mark.parametrize(
    ("language", "colour", "tshirts"),
    [
        ("en-GB", "colour", ["T-shirt", "T-shirts"]),
        ("en-US", "color", ["T-shirt", "T-shirts"]),
        ("de", "Farbe", ["T-Shirt", "T-Shirts"]),
        ("fr", "couleur", ["t-shirt", "t-shirts"]),
        ("es", "color", ["camiseta", "camisetas"]),
    ],
)
def test_columns_and_labels_have_names_in_every_language(client, language, colour, tshirts):
    answer = client.get(NAMES, params={"language": language}).json()
    assert answer["language"] == language
    assert answer["columns"]["baseColour"] == colour
    assert [word.casefold() for word in answer["labels"]["articleType"]["Tshirts"]] == [
        word.casefold() for word in tshirts
    ]


def test_the_api_offers_all_languages_that_there_are_words_in():
    assert get_args(names.Language) == LANGUAGES


def test_a_language_without_words_is_refused(client):
    assert client.get(NAMES, params={"language": "tlh"}).status_code == 422
