"""What a command writes is checked before it works: it can be written, and replaces nothing that is needed."""

import contextlib
import os
import shutil

import pytest

from hangtag.bundle.file import write_bundle
from hangtag.cli.main import main
from hangtag.datasets.folder import CLEANED_FILES
from hangtag.domain.errors import UsageError
from hangtag.pipelines.arguments import Destination, check_destinations
from tiny_bundle import build_tiny_card, build_tiny_graph
from tiny_catalogue import build_tiny_catalogue


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A folder with a catalogue, what was made from it, and models."""
    folder = tmp_path_factory.mktemp("prepared")
    graph = build_tiny_graph()
    build_tiny_catalogue(folder / "tiny")
    for name in ("m", "other"):
        write_bundle(graph, build_tiny_card(graph), folder / f"{name}.onnx")
    with contextlib.chdir(folder):
        run("clean", "tiny", "-o", "cleaned")
        run("split", "cleaned", "--catalogue", "tiny", "-o", "split.parquet", "--min-examples", "2")
    for label in ("Caps", "Shirts"):
        (folder / "classes" / label).mkdir(parents=True)
        shutil.copy(folder / "tiny" / "images" / "1000.jpg", folder / "classes" / label)
    (folder / "photos.csv").write_text("photo\ntiny/images/1000.jpg\n")
    return folder


@pytest.fixture
def place(prepared, tmp_path, monkeypatch):
    """Stand next to a copy of all that, with links to the table that names photos."""
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    (tmp_path / "hard.csv").hardlink_to(tmp_path / "photos.csv")
    (tmp_path / "soft.csv").symlink_to("photos.csv")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments):
    with pytest.raises(SystemExit) as leaving:
        main([str(argument) for argument in arguments])
    return leaving.value.code or 0


def state(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} | {
        path: None for path in folder.rglob("*") if path.is_dir()
    }


SPLIT = "--catalogue tiny --split-table split.parquet"
REPLACED = [
    f"quantise m.onnx {SPLIT} -o m.onnx",
    f"quantise m.onnx {SPLIT} -o other.onnx",
    f"evaluate m.onnx {SPLIT} -o m.onnx",
    f"evaluate m.onnx {SPLIT} -o other.onnx",
    f"evaluate m.onnx {SPLIT} -o split.parquet",
    f"evaluate m.onnx {SPLIT} -o tiny/styles.csv",
    f"evaluate m.onnx {SPLIT} --report report -o report/report.json",
    "evaluate m.onnx --on photos.csv -o photos.csv",
    "count cleaned --by gender -o cleaned/cleaned.csv",
    "count cleaned/cleaned.parquet --by gender -o cleaned/cleaned.parquet",
    "count tiny --by gender -o tiny/styles.csv",
    "split cleaned --catalogue tiny -o cleaned/cleaned.parquet",
    "split cleaned --catalogue tiny -o tiny/styles.parquet",
    "split cleaned --catalogue tiny -o fingerprints.parquet",
    "clean cleaned/cleaned.csv -o cleaned",
    "predict tiny/images/1000.jpg -m m.onnx -o both.csv --summary both.csv",
    "predict tiny/images/1000.jpg -m m.onnx -o both.csv --explain both.csv",
    "predict photos.csv -m m.onnx --summary photos.csv -o p2.csv",
    "predict photos.csv -m m.onnx -o photos.csv",
    "predict photos.csv -m m.onnx -o hard.csv",
    "predict photos.csv -m m.onnx -o soft.csv",
    "predict photos.csv -m m.onnx --summary tiny/images/1000.jpg",
    "predict tiny/images -m m.onnx --explain tiny/images",
    "predict photos.csv -m m.onnx --summary m.onnx",
]
UNUSABLE = [
    ("predict photos.csv -m m.onnx --summary tiny", "tiny: this is a folder"),
    ("predict photos.csv -m m.onnx --summary none/s.json", "none: there is no such folder for s.json"),
    (
        "predict tiny/images -m m.onnx --explain tiny/images/maps",
        "tiny/images/maps: this is within tiny/images, and",
    ),
    ("predict tiny/** -m m.onnx --explain tiny/maps", "tiny/maps: this is within tiny, and"),
    ("predict tiny/*/*.png -m m.onnx --explain tiny/maps", "tiny/maps: this is within tiny, and"),
    ("describe classes -o classes/text", "classes/text: this is within classes, and"),
    ("describe tiny -o tiny/images/text", "tiny/images/text: this is within tiny/images, and"),
    ("evaluate m.onnx --on classes --report classes/report", "classes/report: this is within classes, and"),
    ("predict photos.csv -m m.onnx --explain photos.csv/maps", "photos.csv: this is a file"),
    (f"evaluate m.onnx {SPLIT} -o tiny", "tiny: this is a folder"),
    (f"evaluate m.onnx {SPLIT} --report photos.csv", "photos.csv: this is a file"),
    ("check tiny --output tiny/images/1000.jpg", "tiny/images/1000.jpg: this is a file"),
    ("clean tiny -o photos.csv", "photos.csv: this is a file"),
    ("describe tiny -o photos.csv", "photos.csv: this is a file"),
    ("samples tiny/images/1000.jpg", "tiny/images/1000.jpg: this is a file"),
    ("count tiny --by gender -o tiny", "tiny: no table ends like this"),
    ("split cleaned --catalogue tiny -o split.txt", "split.txt: no table ends like this"),
]


@pytest.mark.parametrize("call", REPLACED)
def test_no_command_replaces_what_it_reads_nor_a_model_nor_its_other_output(place, call, monkeypatch, capsys):
    monkeypatch.setattr("hangtag.pipelines.quantise.require_extra", lambda *_: None)
    before = state(place)
    capsys.readouterr()
    assert run(*call.split()) == 2
    said = capsys.readouterr()
    assert said.err.startswith("error: ")
    assert said.err.count("\n") == 1
    assert said.out == ""
    assert state(place) == before


@pytest.mark.parametrize(("call", "message"), UNUSABLE)
def test_what_cannot_be_written_is_said_at_once_by_the_name_that_was_given(place, call, message, capsys):
    before = state(place)
    capsys.readouterr()
    assert run(*call.split()) == 2
    said = capsys.readouterr()
    assert said.err.startswith(f"error: {message}")
    assert said.out == ""
    assert state(place) == before


@pytest.mark.parametrize(
    "call",
    [
        "clean tiny -o tiny",
        "count cleaned --by gender -o cleaned/counts.json",
        "split cleaned --catalogue tiny -o cleaned/split.parquet --min-examples 2",
        "predict photos.csv -m m.onnx -o labels.csv --summary labels.json --explain maps",
        "predict tiny/images -m m.onnx -o tiny/images/labels.csv",
        "predict photos.csv -m m.onnx -o labels/ --resume",
        f"evaluate m.onnx {SPLIT} -o figures.json",
    ],
)
@pytest.mark.usefixtures("place")
def test_the_same_output_is_written_again(call):
    assert run(*call.split()) == 0
    assert run(*call.split()) == 0


@pytest.mark.parametrize(
    "call",
    [
        "count tiny --by gender -o new/deep/counts.csv",
        "split cleaned --catalogue tiny -o new/deep/split.parquet --min-examples 2",
        f"evaluate m.onnx {SPLIT} -o new/deep/figures.json",
    ],
)
def test_the_folders_of_an_output_are_made(place, call):
    assert run(*call.split()) == 0
    assert len(list((place / "new" / "deep").iterdir())) >= 1


@pytest.mark.usefixtures("place")
def test_a_folder_that_cannot_be_made_is_said_at_once(capsys):
    assert run("count", "tiny", "--by", "gender", "-o", "photos.csv/new/counts.csv") == 2
    assert capsys.readouterr().err.startswith("error: photos.csv: this is a file")


def test_a_missing_input_does_no_harm(tmp_path):
    check_destinations([Destination("output", tmp_path / "a.csv")], [tmp_path / "none"])
    with pytest.raises(UsageError, match="`output` would replace it"):
        check_destinations([Destination("output", tmp_path / "a.csv")], [tmp_path / "x" / ".." / "a.csv"])


def test_the_files_of_a_folder_are_inputs_and_the_folder_is_not(tmp_path):
    one = Destination("output", tmp_path, is_folder=True, files=CLEANED_FILES)
    check_destinations([one], [tmp_path])
    with pytest.raises(UsageError, match="the command reads this"):
        check_destinations([one], [tmp_path / CLEANED_FILES[0]])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_cannot_be_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="not a regular file"):
        check_destinations([Destination("output", tmp_path / "pipe")], [])
