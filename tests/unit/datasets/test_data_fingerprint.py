import pyarrow as pa
import pytest

from hangtag.datasets.splits import data_fingerprint
from hangtag.imaging.preprocess import Preprocessing

SIZE = Preprocessing(width=12, height=16, detail_width=24, detail_height=32)


def table(*rows):
    columns = ("photo", "gender", "season", "split")
    return pa.table(
        {name: list(values) for name, values in zip(columns, zip(*rows, strict=True), strict=True)}
    )


ROWS = [
    ("1.jpg", "Men", "Fall", "train"),
    ("2.jpg", "Women", None, "validation"),
    ("3.jpg", "Men", "Fall", "test"),
]


def test_the_same_training_has_the_same_fingerprint_whatever_else_is_in_the_table():
    expected = data_fingerprint(table(*ROWS), ["gender"], SIZE)
    assert (
        data_fingerprint(table(*ROWS[:2], ("4.jpg", "Boys", None, "dropped")), ["gender"], SIZE) == expected
    )
    assert data_fingerprint(table(*ROWS).append_column("note", pa.array("abc")), ["gender"], SIZE) == expected


@pytest.mark.parametrize(
    "changed",
    [
        [("9.jpg", *ROWS[0][1:]), *ROWS[1:]],
        [ROWS[0], (*ROWS[1][:3], "train"), ROWS[2]],
        [(ROWS[0][0], "Girls", *ROWS[0][2:]), *ROWS[1:]],
        [*ROWS[:2], (*ROWS[2][:3], "train")],
    ],
    ids=["photo", "side", "label", "more"],
)
def test_other_rows_have_another_fingerprint(changed):
    assert data_fingerprint(table(*changed), ["gender"], SIZE) != data_fingerprint(
        table(*ROWS), ["gender"], SIZE
    )


def test_other_columns_and_sizes_have_another_fingerprint():
    expected = data_fingerprint(table(*ROWS), ["gender"], SIZE)
    assert data_fingerprint(table(*ROWS), ["gender", "season"], SIZE) != expected
    larger = Preprocessing(width=24, height=32, detail_width=24, detail_height=32)
    assert data_fingerprint(table(*ROWS), ["gender"], larger) != expected
    with pytest.raises(KeyError):
        data_fingerprint(table(*ROWS), ["usage"], SIZE)
