import json
import re
import subprocess
import sys

import numpy as np
import pytest

from hangtag.cli.main import main
from hangtag.datasets.out_of_fold import HeadGuesses, OutOfFold, write_out_of_fold


@pytest.fixture
def run(capsys):
    """Run `hangtag check` in this process; return its exit status, standard output and standard error."""

    def run_check(*arguments):
        with pytest.raises(SystemExit) as leaving:
            main(["check", *map(str, arguments)])
        captured = capsys.readouterr()
        return leaving.value.code or 0, captured.out, captured.err

    return run_check


def repair(folder):
    """Take away what is wrong with the tiny catalogue, but for its duplicate photos."""
    table = folder / "styles.csv"
    lines = [line for line in table.read_text().splitlines() if not line.startswith("1024,")]
    row = next(line for line in lines if line.startswith("1000,"))
    lines = [row.replace("1000,", "1001,", 1) if line.startswith("1001,") else line for line in lines]
    table.write_text("\n".join(lines) + "\n")


def test_findings_are_listed_and_told_by_the_status(run, tiny_catalogue):
    status, out, err = run(tiny_catalogue, "--decode")
    assert status == 1
    assert "tiny: 60 products, 59 photos (all opened)" in out
    assert "missing_photo" in out
    assert "duplicates_disagree" in out
    assert "1 error, 3 warnings, 2 info" in out
    assert err == ""


def test_nothing_above_info_is_success(run, tiny_catalogue):
    repair(tiny_catalogue)
    status, out, _ = run(tiny_catalogue, "--decode")
    assert status == 0
    assert "0 errors, 0 warnings, 2 info" in out


def test_without_decode_the_photos_are_only_counted(run, tiny_catalogue):
    repair(tiny_catalogue)
    status, out, _ = run(tiny_catalogue)
    assert status == 0
    assert "not opened; --decode opens them" in out
    assert "0 errors, 0 warnings, 0 info" in out


def test_the_files_are_written_only_when_asked_for(run, tiny_catalogue, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    run(tiny_catalogue, "--decode")
    assert sorted(tmp_path.rglob("*")) == before
    status, out, _ = run(tiny_catalogue, "--decode", "--output", tmp_path / "found")
    assert status == 1
    assert "findings.csv" in out
    assert json.loads((tmp_path / "found" / "findings.json").read_text())["catalogue"] == "tiny"


def write_guesses(path, wrong):
    """Write out-of-fold predictions of the gender that agree with the tiny catalogue but for one product."""
    ids = tuple(str(number) for number in range(1000, 1060))
    labels = tuple("Women" if int(id_) % 2 else "Men" for id_ in ids)
    probabilities = np.array([[0.9, 0.1] if label == "Men" else [0.1, 0.9] for label in labels], np.float32)
    probabilities[ids.index(wrong)] = probabilities[ids.index(wrong)][::-1]
    head = HeadGuesses(labels, ("Men", "Women"), probabilities)
    photos = tuple(f"{id_}.jpg" for id_ in ids)
    write_out_of_fold(OutOfFold(ids, photos, (1,) * len(ids), {"gender": head}, {"folds": 2}), path)


def test_suspect_labels_are_shown_and_written(run, tiny_catalogue, tmp_path):
    repair(tiny_catalogue)
    write_guesses(tmp_path / "guesses.parquet", "1007")
    status, out, _ = run(
        tiny_catalogue, "--labels", tmp_path / "guesses.parquet", "--output", tmp_path / "found"
    )
    assert status == 1
    assert "suspect_label" in out
    assert re.search(r"gender\W+60\W+60\W+1\W+1.7%", out)
    assert re.search(r"gender\W+1007.jpg\W+Women \(10%\)\W+Men \(90%\)", out)
    assert "suspects.csv" in out
    assert "1007,1007.jpg,gender,Women,Men,0.1,0.9,1" in (tmp_path / "found" / "suspects.csv").read_text()


def test_a_model_is_no_witness_of_its_own_labels(run, tiny_catalogue, tmp_path):
    (tmp_path / "own.onnx").write_bytes(b"")
    status, out, err = run(tiny_catalogue, "--labels", tmp_path / "own.onnx")
    assert (status, out) == (2, "")
    assert "--folds" in err


def test_the_noise_ceiling_is_shown_where_photos_were_opened(run, tiny_catalogue):
    _, out, _ = run(tiny_catalogue, "--decode")
    assert "Noise ceiling, photos with identical pixels" in out
    assert re.search(r"gender\W+1\W+2\W+100.0%\W+50.0%", out)
    assert "near-duplicate photos:" not in out
    assert "Noise ceiling" not in run(tiny_catalogue)[1]


def test_something_that_is_no_catalogue_is_wrong_usage(run, tmp_path):
    status, out, err = run(tmp_path / "absent")
    assert (status, out) == (2, "")
    assert err.startswith("error: ")
    assert "styles.csv" in err


def test_names_with_brackets_are_shown_as_they_are(run, tiny_catalogue):
    folder = tiny_catalogue.rename(tiny_catalogue.with_name("[red]tiny"))
    (folder / "images" / "[bold]x.jpg").write_bytes(b"")
    status, out, _ = run(folder)
    assert status == 1
    assert "[red]tiny: 60 products, 60 photos" in out
    assert "[bold]x.jpg" in out


def test_an_interruption_leaves_quietly(tiny_catalogue):
    code = (
        "import hangtag.catalogue.check as module\n"
        "def interrupt(*_): raise KeyboardInterrupt\n"
        "module.inspect_photo = interrupt\n"
        "from hangtag.cli.main import main\n"
        f"main(['check', {str(tiny_catalogue)!r}, '--decode'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")
