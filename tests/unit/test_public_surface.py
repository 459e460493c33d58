"""What `import hangtag` offers: these names, light to import, with examples that run."""

import csv
import doctest
import subprocess
import sys

import pytest

import hangtag
from hangtag.domain.columns import CATALOGUE_COLUMNS
from hangtag.imaging.samples import load_sample_photos

FUNCTIONS = (
    "adapt",
    "check",
    "clean",
    "count",
    "describe",
    "evaluate",
    "export",
    "load_model",
    "predict",
    "read_catalogue",
    "split",
    "train",
)
TYPES = (
    "AdaptResult",
    "CatalogueTable",
    "Evaluation",
    "ExportResult",
    "Failure",
    "Flag",
    "Label",
    "Model",
    "Outcome",
    "Prediction",
    "Predictions",
    "Reason",
    "TrainResult",
)
ERRORS = (
    "BundleError",
    "CatalogueError",
    "HangtagError",
    "PhotoError",
    "RecipeError",
    "ServiceError",
    "TrainingError",
    "UsageError",
)
LABELS = {
    "tshirt": ("Apparel", "Topwear", "Tshirts"),
    "cap": ("Accessories", "Headwear", "Caps"),
}


def test_the_public_names():
    assert set(hangtag.__all__) == {*FUNCTIONS, *TYPES, *ERRORS}
    assert set(hangtag.__all__) <= set(dir(hangtag))


def test_every_public_name_exists_and_is_documented():
    for name in hangtag.__all__:
        assert getattr(hangtag, name).__doc__, name
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = hangtag.nonsense


def test_every_error_is_a_hangtag_error():
    assert all(issubclass(getattr(hangtag, name), hangtag.HangtagError) for name in ERRORS)


def test_importing_hangtag_imports_nothing_else():
    script = (
        "import sys; import hangtag\n"
        "print([name for name in sys.modules if name.startswith('hangtag')])\n"
        "print('numpy' in sys.modules, 'openvino' in sys.modules)\n"
        "hangtag.train, hangtag.evaluate, hangtag.predict\n"
        "print([name for name in ('torch', 'matplotlib', 'fastapi') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["['hangtag']", "False False", "[]"]


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        ("check", (3,)),
        ("clean", ("catalogue", 3)),
        ("count", ("catalogue", 3)),
        ("describe", (None,)),
        ("evaluate", (3,)),
        ("export", ("labels.csv", 3)),
        ("load_model", (3,)),
        ("predict", (3,)),
        ("read_catalogue", ({},)),
        ("split", ("catalogue",)),
        ("train", ("default", 3)),
    ],
)
def test_a_wrong_type_is_a_usage_error(function, arguments):
    with pytest.raises(hangtag.UsageError):
        getattr(hangtag, function)(*arguments)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the sample photos in `photos/`, and a small `catalogue/` of some of them."""
    root = tmp_path_factory.mktemp("examples")
    (root / "photos").mkdir()
    (root / "catalogue" / "images").mkdir(parents=True)
    drawn = load_sample_photos()
    for name, image in drawn.items():
        image.save(root / "photos" / f"{name}.png")
    with (root / "catalogue" / "styles.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(CATALOGUE_COLUMNS)
        for number in range(6):
            name = ("tshirt", "cap")[number % 2]
            gender = ("Men", "Women")[number // 3]
            image = drawn[name].rotate(number, fillcolor="white")
            image.save(root / "catalogue" / "images" / f"{number + 1}.jpg")
            label = (*LABELS[name], "Blue", "Summer", "2024", "Casual", name)
            table.writerow((number + 1, gender, *label))
    return root


@pytest.mark.parametrize("name", ["hangtag", *hangtag.__all__])
def test_the_examples_run(name, folder, monkeypatch):
    monkeypatch.chdir(folder)
    shown = hangtag if name == "hangtag" else getattr(hangtag, name)
    finder = doctest.DocTestFinder(recurse=False)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    examples = 0
    for test in finder.find(shown, name, globs={"hangtag": hangtag}):
        examples += len(test.examples)
        runner.run(test)
    assert runner.failures == 0
    assert examples or name not in FUNCTIONS, f"{name} shows no example"
