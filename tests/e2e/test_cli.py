"""The real command line in a process of its own, with a real bundle, on photos of every kind of trouble."""

import contextlib
import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import time

import openpyxl
import pyarrow.parquet as pq
import pytest
from PIL import Image

from hangtag import load_model
from hangtag.bundle.file import write_bundle
from hangtag.imaging.samples import load_sample_photos
from tiny_bundle import build_tiny_card, build_tiny_graph

UPRIGHT_BY_EXIF = {6: Image.Transpose.ROTATE_90, 3: Image.Transpose.ROTATE_180}
ROTATED = 6


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A folder with the models `default` and `other`."""
    folder = tmp_path_factory.mktemp("models")
    for name, seed in (("default", 0), ("other", 7)):
        graph = build_tiny_graph(seed=seed)
        write_bundle(graph, build_tiny_card(graph, name=name), folder / f"{name}.onnx")
    return folder


@pytest.fixture
def start(models, tmp_path):
    """Start the command line in the test's folder; what still runs after the test is killed."""
    with contextlib.ExitStack() as started:

        def start(*arguments, **options):
            command = [sys.executable, "-m", "hangtag.cli.main", *map(str, arguments)]
            environment = os.environ | {"HANGTAG_MODELS": str(models), "COLUMNS": "160"}
            pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
            process = subprocess.Popen(command, env=environment, cwd=tmp_path, **(pipes | options))
            started.enter_context(process)
            started.callback(process.kill)
            return process

        yield start


@pytest.fixture
def run(start):
    """Run the command line to its end and return its status, output and messages."""

    def run(*arguments):
        process = start(*arguments)
        out, err = process.communicate(timeout=120)
        return process.returncode, out, err

    return run


@pytest.fixture
def run_here(call, models, tmp_path, monkeypatch):
    """Run the command line in this process, in the test's folder: for what a process of its own cannot change."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HANGTAG_MODELS", str(models))
    monkeypatch.setenv("COLUMNS", "160")
    return call


def encode(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.fixture
def photos(tmp_path):
    """The folder `photos`: four photos that can be labelled, four that cannot, and a file that is none."""
    shirt, watch = (load_sample_photos()[name] for name in ("tshirt", "watch"))
    exif = Image.Exif()
    exif[0x0112] = ROTATED
    clear = watch.convert("RGBA")
    clear.putdata(
        [(*pixel[:3], 0 if pixel[:3] == (255, 255, 255) else 255) for pixel in clear.get_flattened_data()]
    )
    files = {
        "cmyk.jpg": encode(shirt.convert("CMYK"), "JPEG"),
        "empty.jpg": b"",
        "good.jpg": encode(shirt, "JPEG"),
        "lossless.png": encode(watch, "PNG"),
        "rotated.jpg": encode(shirt.transpose(UPRIGHT_BY_EXIF[ROTATED]), "JPEG", exif=exif),
        "text.jpg": b"This is not a photo, whatever its name says.\n" * 40,
        "transparent.png": encode(clear, "PNG"),
        "truncated.jpg": encode(shirt, "JPEG")[:2500],
        "notes.txt": b"bring the other shoe",
    }
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def read_csv(text):
    return {row["path"]: row for row in csv.DictReader(io.StringIO(text, newline=""))}


@pytest.mark.usefixtures("photos")
def test_every_photo_gets_its_labels_or_its_reason(run):
    status, out, err = run("predict", "photos", "photos/missing.jpg", "--output", "-")
    rows = read_csv(out)
    assert status == 3
    assert {path.removeprefix("photos/"): row["reason"] for path, row in rows.items()} == {
        "cmyk.jpg": "",
        "empty.jpg": "empty",
        "good.jpg": "",
        "lossless.png": "",
        "rotated.jpg": "",
        "text.jpg": "not_a_photo",
        "transparent.png": "",
        "truncated.jpg": "truncated",
        "missing.jpg": "not_found",
    }
    for row in rows.values():
        assert row["status"] == ("failed" if row["reason"] else "labelled")
        assert bool(row["masterCategory"]) == bool(row["masterCategory_confidence"]) == (not row["reason"])
    assert "5 of 9 photos labelled, 4 not" in err
    assert "1 file without a photo's extension skipped" in err


@pytest.mark.usefixtures("photos")
def test_a_photo_gets_the_same_labels_however_it_was_stored(run):
    rows = read_csv(run("predict", "photos", "--output", "-", "--precision", "fp32")[1])
    assert rows["photos/transparent.png"] | {"path": ""} == rows["photos/lossless.png"] | {"path": ""}
    for name in ("rotated.jpg", "cmyk.jpg"):
        found, expected = rows[f"photos/{name}"], rows["photos/good.jpg"]
        assert found["articleType"] == expected["articleType"]
        confidences = [float(row["articleType_confidence"]) for row in (found, expected)]
        assert confidences[0] == pytest.approx(confidences[1], abs=0.02)


def test_labels_are_those_of_the_python_interface(run_here, photos, models):
    rows = read_csv(
        run_here("predict", "photos/good.jpg", "--output", "-", "--precision", "fp32", "--top-k", 3)[1]
    )
    model = load_model(models / "default.onnx", precision="fp32")
    (prediction,) = model.predict(photos / "good.jpg").rows(3)
    row = rows["photos/good.jpg"]
    for column, candidates in prediction.candidates.items():
        assert row[column] == candidates[0].value
        assert row[f"{column}_confidence"] == f"{candidates[0].confidence:.4f}"
        assert row[f"{column}_top"] == "|".join(
            f"{label.value}:{label.confidence:.4f}" for label in candidates
        )


@pytest.mark.usefixtures("photos")
def test_every_format_holds_the_same_table(run_here, tmp_path):
    for ending in ("csv", "xlsx", "jsonl", "parquet"):
        status, out, _ = run_here("predict", "photos", "-o", f"out.{ending}", "--precision", "fp32")
        assert status == 3
        assert "5 of 8 photos labelled" in out
    with (tmp_path / "out.csv").open(newline="", encoding="utf-8") as file:
        from_csv = [
            (row["path"], row["reason"] or None, row["articleType"] or None) for row in csv.DictReader(file)
        ]
    json_rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text("utf-8").splitlines()]
    from_parquet = pq.read_table(tmp_path / "out.parquet").to_pylist()
    assert [(row["path"], row["reason"], row["articleType"]) for row in json_rows] == from_csv
    assert [(row["path"], row["reason"], row["articleType"]) for row in from_parquet] == from_csv
    sheet = openpyxl.load_workbook(tmp_path / "out.xlsx").active
    header, *body = sheet.iter_rows(values_only=True)
    assert [
        tuple(row[header.index(name)] for name in ("path", "reason", "articleType")) for row in body
    ] == from_csv


@pytest.mark.usefixtures("photos")
def test_without_an_output_a_table_is_shown(run):
    status, out, _ = run("predict", "photos")
    assert status == 3
    for name in ("photos/good.jpg", "photos/truncated.jpg"):
        assert name in out
    assert " › " in out
    assert "the file is cut off" in out
    assert "5 of 8 photos labelled, 3 not" in out
    assert "1 × truncated" in out


def test_the_samples_are_all_labelled(run_here, tmp_path):
    assert run_here("samples", "samples")[0] == 0
    status, out, _ = run_here("predict", "samples")
    assert status == 0
    assert all(path.name in out for path in (tmp_path / "samples").iterdir())


@pytest.mark.usefixtures("photos")
def test_models_are_compared_photo_by_photo(run_here):
    status, out, _ = run_here(
        "predict", "photos/good.jpg", "photos/empty.jpg", "-m", "default", "-m", "other", "-o", "-"
    )
    rows = list(csv.DictReader(io.StringIO(out, newline="")))
    assert status == 3
    assert [(row["path"], row["model"]) for row in rows] == [
        (f"photos/{name}.jpg", model) for name in ("good", "empty") for model in ("default", "other")
    ]
    assert [row["reason"] for row in rows] == ["", "", "empty", "empty"]


@pytest.mark.usefixtures("photos")
def test_a_format_without_an_output_goes_to_standard_output(run):
    status, out, err = run("predict", "photos/good.jpg", "--format", "jsonl")
    assert status == 0
    assert [json.loads(line)["path"] for line in out.splitlines()] == ["photos/good.jpg"]
    assert "1 of 1 photo labelled" in err


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ([], "Missing argument"),
        (["photos", "-o", "out.txt"], "no table format ends in '.txt'"),
        (["photos", "--resume"], "this needs an --output that is a file or a folder"),
        (["photos", "-o", "-", "--format", "xlsx"], "xlsx cannot go to standard output"),
        (["photos", "--format", "parquet"], "parquet cannot go to standard output"),
        (["photos", "--format", "csv", "--resume"], "this needs an --output that is a file or a folder"),
        (
            ["photos", "-o", "out.csv", "--retry-failed", "--restart"],
            "--retry-failed and --restart cannot be used together",
        ),
        (["photos", "-m", "defualt"], "Did you mean default?"),
        (["photos", "-m", "other", "-m", "other"], "a model is given twice"),
        (["photos", "--top-k", "0"], "--top-k"),
        (["bare"], "there are no photos"),
        (["bare", "-o", "out.csv"], "there are no photos"),
        (["ftp://host/1.jpg"], "does not read addresses that start with ftp://"),
        (["https://host/1.zip"], "can only be read from this machine"),
        (["photos", "--connections", "0"], "--connections"),
    ],
)
@pytest.mark.usefixtures("photos")
def test_wrong_usage_is_said_in_a_line_and_labels_nothing(run_here, tmp_path, arguments, problem):
    (tmp_path / "bare").mkdir()
    status, out, err = run_here("predict", *arguments)
    assert (status, out) == (2, "")
    assert problem in err
    assert "Traceback" not in err


@pytest.fixture
def many(tmp_path):
    """A folder of 3,000 links to one large photo: enough work to be in the middle of it."""
    photo = tmp_path / "large.jpg"
    load_sample_photos()["dress"].resize((1200, 1600)).save(photo)
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(3_000):
        (folder / f"{number:04}.jpg").symlink_to(photo)
    return folder


def wait_for_rows(folder):
    deadline = time.monotonic() + 60
    while not any(log.stat().st_size for log in folder.glob(".out.csv.job/*.rows")):
        assert time.monotonic() < deadline, "the run never began to write"
        time.sleep(0.02)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for a child")
def test_an_interrupted_run_leaves_no_table_and_says_how_to_go_on(start, tmp_path, many):
    process = start("predict", many, "--output", "out.csv")
    wait_for_rows(tmp_path)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    kept, interrupted = err.splitlines()
    assert re.fullmatch(
        r"[\d,]+ photos are finished: run the same command with --resume to label the others", kept
    )
    assert interrupted == "interrupted"
    assert [path.name for path in tmp_path.glob("*out*")] == [".out.csv.job"]


def test_a_killed_run_leaves_no_table_under_the_name(start, tmp_path, many):
    (tmp_path / "out.csv").write_text("yesterday")
    process = start("predict", many, "--output", "out.csv")
    wait_for_rows(tmp_path)
    process.kill()
    process.communicate(timeout=60)
    assert (tmp_path / "out.csv").read_text() == "yesterday"


def test_a_reader_that_leaves_early_is_no_accident(start, photos):
    for number in range(2000):
        (photos / f"{number:04}.png").symlink_to(photos / "lossless.png")
    process = start("predict", "photos", "--output", "-")
    process.stdout.readline()
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=60) == 1
    assert err == ""
