"""The evaluation stage: a bundle, a split table and a catalogue in, figures out and into the card."""

import json
from dataclasses import replace

import pyarrow.compute as pc
import pytest
from openpyxl import load_workbook

from hangtag.bundle.file import read_card, write_bundle
from hangtag.catalogue.clean import clean_catalogue
from hangtag.catalogue.split import split_catalogue
from hangtag.cli.main import main
from hangtag.datasets.cleaned import load_cleaned
from hangtag.datasets.opening import open_catalogue
from hangtag.datasets.splits import SplitSettings, data_fingerprint
from hangtag.domain.taxonomy import Taxonomy
from hangtag.tables.tables import read_table, write_table
from tiny_bundle import build_tiny_card, build_tiny_graph, draw_png


@pytest.fixture
def split_table(tiny_catalogue, tmp_path):
    with open_catalogue(tiny_catalogue) as catalogue:
        clean_catalogue(catalogue, tmp_path / "cleaned")
        settings = SplitSettings(test=0.3, validation=0.2)
        table = split_catalogue(load_cleaned(tmp_path / "cleaned"), catalogue, settings)
    write_table(table, tmp_path / "split.parquet")
    return tmp_path / "split.parquet"


@pytest.fixture
def own_bundle(split_table, tmp_path):
    """A bundle whose card says that it was trained with the split table."""
    graph = build_tiny_graph()
    card = build_tiny_card(graph)
    fingerprint = data_fingerprint(read_table(split_table), card.columns, card.preprocessing)
    path = tmp_path / "own.onnx"
    write_bundle(graph, replace(card, data={"sha256": fingerprint, "catalogue": "tiny"}), path)
    return path


@pytest.fixture
def bundle(tmp_path):
    graph = build_tiny_graph()
    write_bundle(graph, build_tiny_card(graph), tmp_path / "tiny.onnx")
    return tmp_path / "tiny.onnx"


def evaluate(capsys, bundle, tiny_catalogue, split_table, *options):
    bundles = bundle if isinstance(bundle, list) else [bundle]
    arguments = [*bundles, "--catalogue", tiny_catalogue, "--split-table", split_table, *options]
    with pytest.raises(SystemExit) as leaving:
        main(["evaluate", *map(str, arguments)])
    captured = capsys.readouterr()
    return leaving.value.code or 0, captured.out, captured.err


def test_a_bundle_is_measured_and_its_card_keeps_the_figures(
    capsys, own_bundle, tiny_catalogue, split_table, tmp_path
):
    report_path = tmp_path / "report.json"
    options = ("--on", "test", "--output", report_path, "--write-card", "--precision", "fp32")
    status, out, _ = evaluate(capsys, own_bundle, tiny_catalogue, split_table, *options)
    assert status == 0
    assert f"The figures on test are stored in the card of {own_bundle}" in out
    report = json.loads(report_path.read_text("utf-8"))
    assert report["split"]["strategy"] == "grouped"
    assert report["photos"] == {"labelled": report["split"]["counts"]["test"], "failed": {}}
    assert set(report["heads"]) == {"masterCategory", "articleType", "gender"}
    assert f"tiny 1 on test: {report['photos']['labelled']} photos" in out
    assert "grouped split, seed 42" in out
    # The tiny model has never heard of handbags.
    assert report["heads"]["articleType"]["unknown_labels"] > 0
    assert "a label that the model does not know, counted as wrong" in out
    card = read_card(own_bundle)
    assert card.metrics["test"]["heads"] == report["heads"]
    assert (
        card.figure("test", "heads", "gender", "top1_accuracy") == report["heads"]["gender"]["top1_accuracy"]
    )


@pytest.mark.parametrize("on", ["test", "validation", "train"])
def test_a_card_takes_no_figures_of_a_foreign_split(capsys, own_bundle, tiny_catalogue, split_table, on):
    table = read_table(split_table)
    splits = [{"test": "train", "train": "test"}.get(one, one) for one in table["split"].to_pylist()]
    foreign = table.set_column(table.column_names.index("split"), "split", [splits])
    write_table(foreign, split_table)
    before = own_bundle.read_bytes()
    status, out, err = evaluate(capsys, own_bundle, tiny_catalogue, split_table, "--on", on, "--write-card")
    assert (status, out) == (2, "")
    assert "--write-card: these figures do not belong in a card" in err
    assert own_bundle.read_bytes() == before


def test_a_card_takes_the_figures_of_its_own_validation_split_and_none_of_its_train_split(
    capsys, own_bundle, tiny_catalogue, split_table
):
    options = ("--write-card", "--precision", "fp32")
    assert evaluate(capsys, own_bundle, tiny_catalogue, split_table, "--on", "validation", *options)[0] == 0
    assert evaluate(capsys, own_bundle, tiny_catalogue, split_table, "--on", "train", *options)[0] == 2
    assert set(read_card(own_bundle).metrics) == {"validation"}


def test_a_model_that_comes_with_hangtag_is_not_changed(
    capsys, own_bundle, tiny_catalogue, split_table, monkeypatch
):
    monkeypatch.setattr("hangtag.bundle.file.SHIPPED_FOLDER", own_bundle.parent)
    before = own_bundle.read_bytes()
    for called in ("own", own_bundle):
        status, _, err = evaluate(capsys, called, tiny_catalogue, split_table, "--write-card")
        assert status == 2
        assert "this model comes with hangtag" in err
    assert own_bundle.read_bytes() == before


def test_every_figure_is_printed(capsys, bundle, tiny_catalogue, split_table, tmp_path):
    _, out, _ = evaluate(
        capsys, bundle, tiny_catalogue, split_table, "--on", "validation", "-o", tmp_path / "report.json"
    )
    report = json.loads((tmp_path / "report.json").read_text("utf-8"))
    for column, head in report["heads"].items():
        (line,) = (line for line in out.splitlines() if line.startswith(f"{column} "))
        low, high = head["interval_95"]
        figures = (
            f"{head['top1_accuracy']:.2%} {100 * low:.2f} – {100 * high:.2f} {head['top3_accuracy']:.2%}"
        )
        assert figures in " ".join(line.split())
    assert f"all of them right {report['all_right']['rate']:.2%}" in out


def test_a_wrong_table_is_one_line(capsys, bundle, tiny_catalogue, tmp_path):
    status, out, err = evaluate(capsys, bundle, tiny_catalogue, tmp_path / "cleaned.parquet")
    assert (status, out) == (2, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1


@pytest.fixture
def custom_set(tiny_catalogue):
    """Put a custom set of two photos next to the catalogue, one of which is not a photo."""
    header = (tiny_catalogue / "styles.csv").read_text("utf-8").splitlines()[0]
    rows = ["1,Men,Apparel,Topwear,Tshirts,,,,,=1+1", "2,Women,Footwear,Shoes,Clogs,,,,,Two"]
    table = tiny_catalogue / "custom_clothing_metadata.csv"
    table.write_text("\n".join([header, *rows]) + "\n", "utf-8")
    (tiny_catalogue / "images_custom").mkdir()
    (tiny_catalogue / "images_custom" / "1.png").write_bytes(draw_png(5))
    (tiny_catalogue / "images_custom" / "2.png").write_bytes(b"no photo")
    return table


@pytest.fixture
def second_bundle(tmp_path):
    classes = {"masterCategory": ("Apparel", "Footwear", "Accessories")}
    graph = build_tiny_graph(classes, seed=4)
    history = [
        {"epoch": epoch, "train_loss": 1 / epoch, "validation_loss": 1.0, "validation_top1_accuracy": 0.5}
        for epoch in (1, 2)
    ]
    card = build_tiny_card(graph, classes, name="<b>second", taxonomy=Taxonomy((), ()), history=history)
    write_bundle(graph, card, tmp_path / "second.onnx")
    return tmp_path / "second.onnx"


@pytest.mark.usefixtures("custom_set")
def test_a_report_holds_everything_about_models_of_different_columns(
    capsys, bundle, second_bundle, split_table, tmp_path
):
    folder = tmp_path / "made" / "report"
    options = ("--report", folder, "--photos", 4, "--output", tmp_path / "figures.json")
    status, out, err = evaluate(capsys, [bundle, second_bundle], tmp_path / "tiny", split_table, *options)
    assert (status, err) == (0, "")
    assert "side by side" in out
    names = {path.name for path in folder.iterdir()}
    assert {"report.html", "report.json", "predictions.xlsx", "confusion-tiny-gender.png"} <= names
    assert {"confusion-b-second-masterCategory.png", "reliability-b-second-masterCategory.png"} <= names
    page = (folder / "report.html").read_text("utf-8")
    assert "&lt;b&gt;second" in page
    assert "<b>second" not in page
    assert "http" not in page.replace("http-equiv", "")
    report = json.loads((folder / "report.json").read_text("utf-8"))
    assert list(report["models"]) == ["tiny", "<b>second"]
    assert [duel["column"] for duel in report["comparison"]] == ["masterCategory"]
    figures = json.loads((tmp_path / "figures.json").read_text("utf-8"))
    assert [one["heads"] for one in figures] == [one["heads"] for one in report["models"].values()]


@pytest.mark.usefixtures("custom_set")
def test_the_workbook_holds_the_custom_set_and_test_photos_alone(
    capsys, bundle, tiny_catalogue, split_table, tmp_path
):
    options = ("--on", "train", "--report", tmp_path / "report", "--photos", 4)
    status, out, _ = evaluate(capsys, bundle, tiny_catalogue, split_table, *options)
    assert status == 0
    assert "does not say what it was trained on" in out
    sheet = load_workbook(tmp_path / "report" / "predictions.xlsx")["articleType"]
    rows = [[cell.value for cell in row] for row in sheet["B7:E12"]]
    assert [row[:2] for row in rows[:2]] == [["1.png", "custom"], ["2.png", "custom"]]
    assert rows[1][3] == "no answer: the file is not a photo"
    test = read_table(split_table).filter(pc.field("split") == "test")["photo"].to_pylist()
    chosen = [row[0] for row in rows[2:]]
    assert set(chosen) <= set(test)
    assert len(set(chosen)) == 4


@pytest.mark.usefixtures("custom_set")
def test_the_custom_set_is_measured_with_its_bad_photos_counted(capsys, bundle, tiny_catalogue, tmp_path):
    status, out, _ = evaluate(
        capsys,
        bundle,
        tiny_catalogue,
        tmp_path / "none.parquet",
        "--on",
        "custom",
        "--output",
        tmp_path / "x.json",
    )
    assert status == 0
    report = json.loads((tmp_path / "x.json").read_text("utf-8"))
    assert report["split"]["name"] == "custom"
    assert report["photos"] == {"labelled": 1, "failed": {"not_a_photo": 1}}
    assert report["heads"]["gender"]["support"] == 1
    assert "1 photo could not be read, not counted: not_a_photo" in out


def test_a_folder_of_classes_is_measured_without_a_catalogue(capsys, bundle, tmp_path, monkeypatch):
    monkeypatch.delenv("HANGTAG_DATA", raising=False)
    for label in ("Tshirts", "Clogs"):
        (tmp_path / "mine" / label).mkdir(parents=True)
        (tmp_path / "mine" / label / "1.png").write_bytes(draw_png(len(label)))
    arguments = [
        "evaluate",
        str(bundle),
        "--on",
        str(tmp_path / "mine"),
        "--report",
        str(tmp_path / "report"),
    ]
    with pytest.raises(SystemExit) as leaving:
        main(arguments)
    out = capsys.readouterr().out
    assert not leaving.value.code
    assert "all photos of mine" in out
    assert "articleType: 1 with a label that the model does not know, counted as wrong" in out
    sheet = load_workbook(tmp_path / "report" / "predictions.xlsx")["articleType"]
    assert [sheet[place].value for place in ("B5", "B6")] == ["Clogs/1.png", "Tshirts/1.png"]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--on", "nowhere"), "'nowhere' is neither a split nor a path"),
        (("--on", "custom"), "there is no custom set next to the catalogue"),
        (("--on", "test"), "needs the split table"),
    ],
)
def test_what_cannot_be_measured_on_is_one_line(capsys, bundle, tiny_catalogue, options, problem):
    with pytest.raises(SystemExit) as leaving:
        main(["evaluate", str(bundle), "--catalogue", str(tiny_catalogue), *options])
    captured = capsys.readouterr()
    assert (leaving.value.code, captured.out) == (2, "")
    assert problem in captured.err
    assert captured.err.count("\n") == 1


def test_a_model_that_is_named_twice_is_refused(capsys, bundle, tiny_catalogue, split_table):
    status, _, err = evaluate(capsys, [bundle, bundle], tiny_catalogue, split_table)
    assert status == 2
    assert "a model is given twice" in err
