import json

import pytest

from hangtag.domain.errors import CatalogueError
from hangtag.tables.tables import write_json


def test_a_file_is_on_the_disk_before_it_has_its_name(tmp_path, synced):
    write_json({"Größe": 1}, tmp_path / "new" / "facts.json")
    assert json.loads((tmp_path / "new" / "facts.json").read_text("utf-8")) == {"Größe": 1}
    file, folder = synced
    assert file.startswith(".facts.json.")
    assert folder == "new"


@pytest.mark.parametrize("place", ["file/facts.json", "folder"])
def test_what_cannot_be_written_is_said_of_the_file_itself(tmp_path, place):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(CatalogueError, match="the file cannot be written") as error:
        write_json({}, tmp_path / place)
    assert error.value.where == str(tmp_path / place)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]
