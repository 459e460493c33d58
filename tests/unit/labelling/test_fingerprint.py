from dataclasses import replace
from types import SimpleNamespace

import pytest

from fakes import build_card
from hangtag.labelling.outputs import Layout
from hangtag.labelling.plan import Fingerprint

BEFORE = Fingerprint(
    models={"default": "a" * 64},
    precisions={"default": "fp32"},
    top_k=1,
    columns={"path": "text", "season": "text", "season_confidence": "confidence"},
)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"models": {"default": "b" * 64}},
            "the file of model default has changed (SHA-256 aaaaaaaaaaaa… to bbbbbbbbbbbb…)",
        ),
        (
            {"models": {"other": "b" * 64}, "precisions": {"other": "fp32"}},
            "the models were default and are now other",
        ),
        (
            {"precisions": {"default": "bf16"}},
            "model default ran in fp32 and would now run in bf16",
        ),
        ({"top_k": 3}, "`top_k` was 1 and is now 3"),
        (
            {"columns": {"path": "text", "usage": "text"}},
            "the table has lost season, season_confidence and gained usage",
        ),
        (
            {"columns": dict(reversed(BEFORE.columns.items()))},
            "the columns of the table have a different order or type",
        ),
    ],
)
def test_every_change_is_said_in_words(changes, said):
    now = replace(BEFORE, **changes)
    assert BEFORE.describe_changes(now) == [said]
    assert now.sha256 != BEFORE.sha256


def test_the_same_is_the_same():
    again = Fingerprint(**BEFORE.to_json())
    assert again.describe_changes(BEFORE) == []
    assert again.sha256 == BEFORE.sha256


def fingerprint_of(precision, card):
    model = SimpleNamespace(
        sha256="a" * 64, card=card, engine=SimpleNamespace(precision=precision, card=card)
    )
    return Fingerprint.of({"default": model}, Layout())


def test_int8_forms_of_one_model_are_told_apart():
    first, second = (build_card(created=day) for day in ("2025-01-01", "2025-01-02"))
    assert fingerprint_of("int8", first) == fingerprint_of("int8", first)
    assert fingerprint_of("int8", first) != fingerprint_of("int8", second)
    assert fingerprint_of("fp32", first) == fingerprint_of("fp32", second)
