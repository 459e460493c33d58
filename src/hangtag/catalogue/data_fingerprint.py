"""The hash by which a model's card knows its data: whether a split table is the one that a model was trained with."""

import hashlib
import json
from collections.abc import Sequence
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from hangtag.catalogue.assign import TRAIN, VALIDATION
from hangtag.catalogue.split import PHOTO_COLUMN, SPLIT_COLUMN
from hangtag.imaging.preprocess import Preprocessing

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
