"""The built wheel, installed by itself with nothing but its own dependencies, labels photos."""

import csv
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
UV = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
NOT_REACHED = re.compile(
    "Failed to fetch|error sending request|Connection refused|were not found in the cache"
)

pytestmark = pytest.mark.skipif(UV is None, reason="uv is not installed")


def run(*words, folder, **more):
    """Run a command outside of the checkout, without what the tests' own Python would lend it."""
    lent = ("PYTHONPATH", "VIRTUAL_ENV", "HANGTAG_MODELS")
    environment = {name: value for name, value in os.environ.items() if name not in lent} | more
    return subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The commands of a bare virtual environment that has the wheel and what it depends on."""
    folder = tmp_path_factory.mktemp("wheel")
    built = run(
        *(
            UV,
            "build",
            "--wheel",
            "--no-build-isolation",
            "--python",
            sys.executable,
            "--out-dir",
            folder,
            ROOT,
        ),
        folder=folder,
        HANGTAG_WITHOUT_PAGE="1",
    )
    assert built.returncode == 0, built.stderr
    (wheel,) = folder.glob("hangtag-*.whl")
    venv = folder / "venv"
    assert run(UV, "venv", "--python", sys.executable, venv, folder=folder).returncode == 0
    done = run(
        *(UV, "pip", "install", "--python", venv / "bin" / "python"),
        *("--constraint", ROOT / "requirements" / "dev.txt", wheel),
        folder=folder,
    )
    if NOT_REACHED.search(done.stderr):
        pytest.skip("the packages that the wheel depends on cannot be fetched here")
    assert done.returncode == 0, done.stderr
    return venv / "bin"


def test_the_command_labels_its_samples(installed, tmp_path):
    assert run(installed / "hangtag", "samples", "photos", folder=tmp_path).returncode == 0
    done = run(installed / "hangtag", "predict", "photos", "--output", "labels.csv", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    with (tmp_path / "labels.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["status"] for row in rows} == {"labelled"}
    assert {Path(row["path"]).stem: row["articleType"] for row in rows}["tshirt"] == "Tshirts"


def test_python_imports_it(installed, tmp_path):
    script = "import hangtag; print(hangtag.__version__, hangtag.load_model())"
    done = run(installed / "python", "-c", script, folder=tmp_path)
    assert done.returncode == 0, done.stderr


def test_what_is_not_installed_is_said(installed, tmp_path):
    """A command that needs an extra names it, instead of showing a traceback."""
    done = run(installed / "hangtag", "train", "default", "--catalogue", tmp_path, folder=tmp_path)
    assert done.returncode == 2
    assert "hangtag[train]" in done.stderr
    assert "Traceback" not in done.stderr
