import pyarrow as pa
import pytest

from hangtag.domain.errors import CatalogueError
from hangtag.training.joining import SuspectLabel, drop_suspects, read_suspects


@pytest.fixture
def table():
    rows = {
        "id": ["1", "2", "3", "4", "5", "6"],
        "articleType": ["Shirts", "Shirts", "Caps", "Jeans", "Shirts", "Shirts"],
        "gender": ["Men", None, "Men", "Men", "Women", "Women"],
        "split": ["train", "train", "train", "train", "validation", "test"],
    }
    return pa.table(rows).replace_schema_metadata({"hangtag.split": "{}"})


def test_suspect_labels_of_train_rows_become_unknown_in_their_column_only(table):
    suspects = [SuspectLabel(id_, "articleType", "Shirts") for id_ in ("1", "5", "6")]
    found, counts = drop_suspects(table, suspects)
    assert found["articleType"].to_pylist() == [None, "Shirts", "Caps", "Jeans", "Shirts", "Shirts"]
    assert found["gender"].to_pylist() == table["gender"].to_pylist()
    assert counts == {"articleType": 1}
    assert found.schema == table.schema


def test_a_class_never_loses_all_of_its_labels(table):
    suspects = [SuspectLabel(id_, "articleType", "Shirts") for id_ in ("1", "2")]
    suspects += [SuspectLabel("3", "articleType", "Caps"), SuspectLabel("1", "gender", "Men")]
    found, counts = drop_suspects(table, suspects)
    assert found["articleType"].to_pylist() == table["articleType"].to_pylist()
    assert found["gender"].to_pylist() == [None, None, "Men", "Men", "Women", "Women"]
    assert counts == {"articleType": 0, "gender": 1}


def test_a_label_that_was_corrected_since_is_kept(table):
    found, counts = drop_suspects(table, [SuspectLabel("1", "articleType", "Caps")])
    assert (found, counts) == (table, {"articleType": 0})


def test_what_the_table_does_not_have_is_passed_over(table):
    suspects = [SuspectLabel("1", "usage", "Casual"), SuspectLabel("99", "gender", "Men")]
    found, counts = drop_suspects(table, suspects)
    assert (found, counts) == (table, {"gender": 0})


def test_suspects_are_read_from_the_table_of_a_check(tmp_path):
    path = tmp_path / "suspects.csv"
    path.write_text("id,photo,column,given,suggested,rank\n007,007.jpg,gender,Men,Women,1\n")
    assert read_suspects(path) == [SuspectLabel("007", "gender", "Men")]


def test_another_table_is_refused(tmp_path):
    path = tmp_path / "suspects.csv"
    path.write_text("id,photo\n1,1.jpg\n")
    with pytest.raises(CatalogueError, match="no column column or given"):
        read_suspects(path)
