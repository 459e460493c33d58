import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from hangtag.datasets.out_of_fold import (
    HeadGuesses,
    OutOfFold,
    join_out_of_fold,
    read_out_of_fold,
    write_out_of_fold,
)
from hangtag.domain.errors import UsageError


def draw_guesses(ids=("7", "9", "11"), fold=1):
    colours = np.array([[0.25, 0.75], [1.0, 0.0], [np.nan, 0.5]], np.float32)
    kinds = np.array([[0.1, 0.2, 0.7]] * 3, np.float32)
    heads = {
        "baseColour": HeadGuesses(("Red", None, "Blue"), ("Blue", "Red"), colours),
        "articleType": HeadGuesses(("Shirts", "Caps", "Caps"), ("Caps", "Jeans", "Shirts"), kinds),
    }
    photos = tuple(f"{id_}.jpg" for id_ in ids)
    return OutOfFold(ids, photos, (fold,) * 3, heads, {"recipe": "tiny", "folds": 2})


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "out_of_fold.parquet"
    guesses = draw_guesses()
    write_out_of_fold(guesses, path)
    found = read_out_of_fold(path)
    assert (found.ids, found.photos, found.folds, found.facts) == (
        guesses.ids,
        guesses.photos,
        guesses.folds,
        guesses.facts,
    )
    for column, head in guesses.heads.items():
        assert (found.heads[column].labels, found.heads[column].classes) == (head.labels, head.classes)
        assert found.heads[column].probabilities == pytest.approx(head.probabilities, abs=1e-3, nan_ok=True)
    assert pa.types.is_float16(
        pyarrow.parquet.read_schema(path).field("baseColour_probabilities").type.value_type
    )


def test_folds_are_joined_in_their_order(tmp_path):
    joined = join_out_of_fold([draw_guesses(), draw_guesses(("1", "2", "3"), fold=2)])
    write_out_of_fold(joined, tmp_path / "all.parquet")
    found = read_out_of_fold(tmp_path / "all.parquet")
    assert found.ids == ("7", "9", "11", "1", "2", "3")
    assert found.folds == (1, 1, 1, 2, 2, 2)
    assert found.heads["baseColour"].probabilities.shape == (6, 2)


def test_a_bundle_is_refused_with_the_reason(tmp_path):
    path = tmp_path / "default.onnx"
    path.write_bytes(b"")
    with pytest.raises(UsageError, match=r"has memorised the wrong ones.*--folds"):
        read_out_of_fold(path)


@pytest.mark.parametrize("name", ["table.parquet", "table.csv"])
def test_another_table_is_refused(tmp_path, name):
    path = tmp_path / name
    pyarrow.parquet.write_table(pa.table({"id": ["1"]}), path)
    with pytest.raises(UsageError, match="no out-of-fold predictions"):
        read_out_of_fold(path)


@pytest.mark.parametrize("name", ["absent.parquet", "absent"])
def test_an_absent_file_is_a_clear_error(tmp_path, name):
    with pytest.raises(UsageError, match=r"no such file.*--folds"):
        read_out_of_fold(tmp_path / name)
