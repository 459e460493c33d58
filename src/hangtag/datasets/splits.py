"""Split tables: their columns, their settings, and how the parts of a published split may be called."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

import pyarrow as pa
import pyarrow.compute as pc

from hangtag.domain.errors import UsageError
from hangtag.imaging.preprocess import Preprocessing

TRAIN: Final = "train"
VALIDATION: Final = "validation"
TEST: Final = "test"
DROPPED: Final = "dropped"
SPLITS: Final = (TRAIN, VALIDATION, TEST, DROPPED)

PHOTO_COLUMN: Final = "photo"
GROUP_COLUMN: Final = "group"
SPLIT_COLUMN: Final = "split"
NOTE_COLUMN: Final = "note"
ADDED_COLUMNS: Final = {
    PHOTO_COLUMN: pa.string(),
    GROUP_COLUMN: pa.int64(),
    SPLIT_COLUMN: pa.string(),
    NOTE_COLUMN: pa.string(),
}
METADATA_KEY: Final = b"hangtag.split"

NO_PHOTO: Final = "no_photo"
NO_LABEL: Final = "no_label"
"""Notes on dropped products."""

PRODUCT_GROUP_COLUMN: Final = "product_group"
"""The column of a catalogue's table whose values are kept on one side, as a catalogue.toml names it with `group`."""

GIVEN_COLUMN: Final = SPLIT_COLUMN
"""The column of a catalogue's table that says which part of a published split a product belongs to."""

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

Strategy = Literal["grouped", "year", "random", "given"]
Rare = Literal["keep", "drop"]


@dataclass(frozen=True, slots=True)
class SplitSettings:
    """How to split.

    - `strategy`: `grouped` keeps duplicate photos on one side and each label in its share; `random` does the
      latter only; `year` puts the newest years into test, the ones before them into validation; `given` keeps
      the division that the table's column `split` says, and draws validation or test, if it has none, from train.
    - `validation`, `test`: shares of the products that are not dropped; train has the rest.
    - `group_by`: a column whose values are kept on one side too, such as the SKU of which there are several photos. By
      default the one that a catalogue.toml names with `group`.
    - `min_examples`, `rare`: labels of `stratify_by` with fewer products are dropped, or kept and reported.

    Raises `UsageError` for values that cannot mean anything.
    """

    strategy: Strategy = "grouped"
    seed: int = 42
    validation: float = 0.05
    test: float = 0.10
    stratify_by: str = "articleType"
    min_examples: int = 100
    rare: Rare = "keep"
    group_by: str | None = None

    def __post_init__(self) -> None:
        for name, value, choices in (("strategy", self.strategy, Strategy), ("rare", self.rare, Rare)):
            if value not in get_args(choices):
                raise UsageError(f"{name} is one of {', '.join(get_args(choices))}, not {value!r}")
        if self.group_by is not None and self.strategy in {"random", "year"}:
            problem = f"the strategy {self.strategy} keeps nothing on one side"
            raise UsageError(problem, fix="Choose the strategy grouped, or no column to group by.")
        if not (0 < self.validation < 1 and 0 < self.test < 1 and self.validation + self.test < 1):
            raise UsageError(
                f"validation {self.validation} and test {self.test} leave nothing for one of the splits",
                fix="Give shares above 0 that add up to less than 1.",
            )


def read_split_name(name: str) -> str | None:
    """Return the split that a name stands for, None if it stands for none."""
    return SPLIT_NAMES.get(name.strip().lower())


def read_split_facts(table: pa.Table) -> dict[str, Any]:
    """Return a split table's settings and counts; empty where it has none, as after a detour through CSV."""
    said = (table.schema.metadata or {}).get(METADATA_KEY)
    facts: dict[str, Any] = {} if said is None else json.loads(said)
    return facts


_SEEN_SPLITS: Final = (TRAIN, VALIDATION)


def data_fingerprint(split_table: pa.Table, columns: Sequence[str], preprocessing: Preprocessing) -> str:
    """Return the SHA-256 of what a training sees: its train and validation photos, their labels, its preprocessing.

    Two split tables have the same fingerprint when the same photos, in the same order, with the same labels in
    `columns`, are in train and in validation. Raises `KeyError` for a column that the table lacks.
    """
    seen = {
        split: split_table.filter(pc.equal(split_table[SPLIT_COLUMN], split))
        .select([PHOTO_COLUMN, *columns])
        .to_pydict()
        for split in _SEEN_SPLITS
    }
    text = json.dumps([seen, preprocessing.to_json()], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
