import csv

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import hangtag
from hangtag.adapting.decisions import Decision, write_decisions
from hangtag.cli.main import build_app
from hangtag.domain.errors import BundleError, UsageError
from shop_bundle import draw_shop, write_shop_bundle

NAMES = ("Tshirts", "Jeans", "Kimono")
COUNT = 60


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A folder with a base model, photos of a shop, and their labels in every form that is learned from."""
    folder = tmp_path_factory.mktemp("shop")
    write_shop_bundle(folder / "base.onnx")
    (folder / "photos").mkdir()
    pixels, kinds = draw_shop(COUNT)
    labels = {}
    for number, (photo, kind) in enumerate(zip(pixels, kinds, strict=True)):
        name = f"photos/{number}.png"
        Image.fromarray(photo).save(folder / name)
        labels[name] = NAMES[kind]
    with (folder / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [("photo", "Article type", "fabric"), *((n, v, v[0]) for n, v in labels.items())]
        )
    with (folder / "corrected.csv").open("w", newline="") as file:
        rows = [(n, v, "Men", "articleType" if v != "Jeans" else "") for n, v in labels.items()]
        csv.writer(file).writerows([("path", "articleType", "gender", "corrected"), *rows])
    decisions = [Decision(name, "articleType", label, "ann") for name, label in labels.items()]
    write_decisions(decisions, folder / "decisions.csv")
    write_decisions(decisions, folder / "label-studio.json")
    for kind in set(labels.values()):
        (folder / "classes" / kind).mkdir(parents=True)
    for name, label in labels.items():
        (folder / "classes" / label / name.removeprefix("photos/")).write_bytes((folder / name).read_bytes())
    return folder


@pytest.mark.parametrize("form", ["labels.csv", "decisions.csv", "label-studio.json"])
def test_every_form_of_labels_teaches_the_same(shop, tmp_path, form):
    found = hangtag.adapt(shop / form, model=shop / "base.onnx", output=tmp_path / "shop.onnx", threads=1)
    result = found.columns["articleType"]
    assert (found.photos, found.failed, result.labels) == (COUNT, 0, COUNT)
    assert result.new_classes == ("Kimono",)
    assert result.after > 0.7 > result.before
    assert found.card.name == "shop"
    answers = hangtag.predict([str(shop / f"photos/{number}.png") for number in range(10)], found.path)
    right = [
        row["articleType"].value == NAMES[kind]
        for row, kind in zip(answers, draw_shop(COUNT)[1], strict=False)
    ]
    assert np.mean(right) > 0.6


def test_a_column_that_is_named_becomes_an_attribute_and_others_do_not(shop, tmp_path):
    given = {"model": shop / "base.onnx", "output": tmp_path / "shop.onnx", "threads": 1}
    found = hangtag.adapt(shop / "labels.csv", columns=["fabric"], **given)
    assert found.card.head("fabric").classes == ("J", "K", "T")
    assert found.columns["fabric"].before is None
    assert "fabric" not in hangtag.adapt(shop / "labels.csv", **given).card.columns


def test_of_a_table_of_predictions_only_what_a_person_corrected_is_learnt(shop, tmp_path):
    found = hangtag.adapt(
        shop / "corrected.csv", model=shop / "base.onnx", output=tmp_path / "shop.onnx", threads=1
    )
    assert found.photos == sum(NAMES[kind] != "Jeans" for kind in draw_shop(COUNT)[1])
    assert "gender" not in found.columns


def test_photos_that_cannot_be_read_are_counted(shop, tmp_path):
    table = tmp_path / "labels.csv"
    lines = (shop / "labels.csv").read_text().replace("photos/", f"{shop}/photos/")
    table.write_text(lines + "absent.png,Tshirts,T\n")
    found = hangtag.adapt(table, model=shop / "base.onnx", output=tmp_path / "shop.onnx", threads=1)
    assert (found.photos, found.failed) == (COUNT, 1)


def test_what_cannot_be_learnt_is_said(shop, tmp_path):
    output = tmp_path / "shop.onnx"
    write_shop_bundle(tmp_path / "bare.onnx", statistics=False)
    with pytest.raises(BundleError, match="cannot be adapted"):
        hangtag.adapt(shop / "labels.csv", model=tmp_path / "bare.onnx", output=output)
    table = tmp_path / "no-labels.csv"
    table.write_text(f"photo,colour\n{shop}/photos/0.png,red\n")
    with pytest.raises(UsageError, match="no photo has a label that the model could learn"):
        hangtag.adapt(table, model=shop / "base.onnx", output=output)
    table.write_text(f"photo,articleType,articleType_confidence\n{shop}/photos/0.png,Tshirts,0.93\n")
    with pytest.raises(UsageError, match="A label with a confidence is a model's"):
        hangtag.adapt(table, model=shop / "base.onnx", output=output)
    with pytest.raises(UsageError, match="target accuracy"):
        hangtag.adapt(table, model=shop / "base.onnx", output=output, target_accuracy=0.0)
    with pytest.raises(UsageError):
        hangtag.adapt(shop / "labels.csv", model=shop / "base.onnx", output=shop / "base.onnx")
    assert not output.exists()


def test_the_command_prints_before_and_after(shop, tmp_path):
    words = ["adapt", str(shop / "labels.csv"), "--model", str(shop / "base.onnx"), "--threads", "1"]
    found = CliRunner().invoke(
        build_app(["adapt"]), [*words, "-o", str(tmp_path / "shop.onnx"), "--column", "fabric"]
    )
    assert found.exit_code == 0, found.output
    line = next(line for line in found.stdout.splitlines() if line.startswith("articleType"))
    assert f"{COUNT}" in line
    assert "Kimono" in line
    assert f"{tmp_path / 'shop.onnx'} written" in found.stdout
