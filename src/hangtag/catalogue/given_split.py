"""The split that a catalogue comes with, as published data sets do: how its parts may be called."""

from collections.abc import Mapping
from typing import Final

from hangtag.catalogue.assign import DROPPED, TEST, TRAIN, VALIDATION

GIVEN_COLUMN: Final = "split"
"""The column of a catalogue's table that says which part of a published division a product belongs to."""

SPLIT_NAMES: Final[Mapping[str, str]] = {
    "train": TRAIN,
    "training": TRAIN,
    "validation": VALIDATION,
    "valid": VALIDATION,
    "val": VALIDATION,
    "dev": VALIDATION,
    "test": TEST,
    "testing": TEST,
    DROPPED: DROPPED,
}
"""What the parts are called elsewhere, in small letters."""


def read_split_name(name: str) -> str | None:
    """Return the split that a name stands for, None if it stands for none."""
    return SPLIT_NAMES.get(name.strip().lower())
