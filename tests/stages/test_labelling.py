"""The labelling stage: a folder of photos and a bundle in, a table out."""

import shutil

import pytest

from hangtag.bundle.file import write_bundle
from hangtag.domain.errors import UsageError
from hangtag.domain.reasons import Reason
from hangtag.imaging.samples import write_sample_photos
from hangtag.inference.model import load_model
from hangtag.labelling.inputs import PhotoWalk
from hangtag.labelling.outputs import Output, open_table
from hangtag.labelling.run import Labeller
from tiny_bundle import build_tiny_card, build_tiny_graph


@pytest.fixture
def model(tmp_path):
    graph = build_tiny_graph()
    write_bundle(graph, build_tiny_card(graph), tmp_path / "tiny.onnx")
    return load_model(tmp_path / "tiny.onnx", precision="fp32")


@pytest.fixture
def folder(tmp_path):
    """The eight samples many times over, in sub-folders, and two broken files among them."""
    write_sample_photos(tmp_path / "photos" / "00")
    for number in range(1, 12):
        shutil.copytree(tmp_path / "photos" / "00", tmp_path / "photos" / f"{number:02}")
    (tmp_path / "photos" / "03" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 cut off")
    (tmp_path / "photos" / "07" / "nothing.jpg").touch()
    (tmp_path / "photos" / "styles.csv").touch()
    return tmp_path / "photos"


def test_a_folder_becomes_a_table_with_a_row_for_each_photo(model, folder, tmp_path, read_csv):
    labeller = Labeller({"tiny": model}, threads=2)
    seen = []
    with open_table(Output.parse(str(tmp_path / "out.csv")), labeller.layout) as writer:
        summary = labeller.label(PhotoWalk([folder]), writer, lambda *done: seen.append(done))
    rows = read_csv(tmp_path / "out.csv")
    assert [row["path"] for row in rows] == sorted(str(path) for path in folder.glob("*/*"))
    assert (summary.photos, summary.failed, summary.other_files) == (98, 2, 1)
    assert summary.reasons == {Reason.TRUNCATED: 1, Reason.EMPTY: 1}
    assert tuple(map(sum, zip(*seen, strict=True))) == (98, 2)
    assert summary.categories["tiny"].total() == 96
    labels = {}
    for row in rows:
        if row["status"] == "labelled":
            labels.setdefault(row["path"].rsplit("/", 1)[1], set()).add((row["articleType"], row["gender"]))
    assert len(labels) == 8
    assert all(len(found) == 1 for found in labels.values())


def test_the_table_says_what_the_model_says(model, folder, tmp_path, read_csv):
    labeller = Labeller({"tiny": model}, top_k=2)
    with open_table(Output.parse(str(tmp_path / "out.csv")), labeller.layout) as writer:
        labeller.label(PhotoWalk([folder / "00"]), writer)
    rows = read_csv(tmp_path / "out.csv")
    expected = model.predict([row["path"] for row in rows]).rows(2)
    for row, prediction in zip(rows, expected, strict=True):
        for column, candidates in prediction.candidates.items():
            assert row[f"{column}_top"] == "|".join(f"{one.value}:{one.confidence:.4f}" for one in candidates)
        assert row["season"] == row["season_top"] == ""


def test_a_folder_without_photos_is_refused_and_writes_nothing(model, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").touch()
    labeller = Labeller({"tiny": model})
    with (
        pytest.raises(UsageError, match="there are no photos") as refused,
        open_table(Output.parse(str(tmp_path / "out.csv")), labeller.layout) as writer,
    ):
        labeller.label(PhotoWalk([tmp_path / "empty"]), writer)
    assert "one file with other extensions" in str(refused.value)
    assert not (tmp_path / "out.csv").exists()
