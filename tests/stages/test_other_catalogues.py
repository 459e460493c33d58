"""Catalogues that are laid out in other ways go through the same commands as the usual one."""

import csv
import gzip
import json
import random
import shutil
import struct

import pytest

from hangtag.cli.main import main
from hangtag.tables.tables import read_table


def class_folders(tiny, folder):
    for row in read_rows(tiny):
        target = folder / row["masterCategory"] / row["subCategory"] / row["articleType"]
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy(tiny / "images" / f"{row['id']}.jpg", target)
    return folder, 59


def published_split(tiny, folder):
    for number, row in enumerate(read_rows(tiny)):
        target = folder / ("train", "train", "test")[number % 3] / row["articleType"]
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy(tiny / "images" / f"{row['id']}.jpg", target)
    return folder, 59


def mapped(tiny, folder):
    shutil.copytree(tiny / "images", folder / "pictures")
    with (folder / "labels.csv").open("w", newline="") as file:
        writer = csv.writer(file, delimiter=";")
        writer.writerow(["Nummer", "Bild", "Art", "Abteilung"])
        for row in read_rows(tiny):
            writer.writerow([f"A{row['id']}", f"{row['id']}.jpg", row["articleType"], row["masterCategory"]])
    (folder / "catalogue.toml").write_text(
        'table = "labels.csv"\nseparator = ";"\nphotos = "pictures"\nid = "Nummer"\nphoto = "Bild"\n'
        'levels = ["Abteilung", "Art"]\n'
    )
    return folder, 59


def custom_set(tiny, folder):
    shutil.copytree(tiny / "images", folder / "images_custom")
    text = (tiny / "styles.csv").read_text().replace("\n1024,", "\n1124,")
    (folder / "custom_clothing_metadata.csv").write_text(text)
    return folder / "custom_clothing_metadata.csv", 60


def idx_files(_tiny, folder):
    dice = random.Random(1)
    for prefix, count in (("train", 40), ("t10k", 20)):
        pixels = b"".join(draw_idx(dice, number % 10) for number in range(count))
        write_gzip(
            folder / f"{prefix}-images-idx3-ubyte.gz",
            struct.pack(">4B3I", 0, 0, 8, 3, count, 28, 28) + pixels,
        )
        labels = bytes(number % 10 for number in range(count))
        write_gzip(folder / f"{prefix}-labels-idx1-ubyte.gz", struct.pack(">4BI", 0, 0, 8, 1, count) + labels)
    return folder, 60


def draw_idx(dice, label):
    """Draw a bright block of the label's own size, with noise in it, on black."""
    photo = bytearray(28 * 28)
    for row in range(4, 24):
        for column in range(4, 8 + 2 * label):
            photo[28 * row + column] = dice.randrange(80, 256)
    return bytes(photo)


def write_gzip(path, data):
    path.write_bytes(gzip.compress(data))


def read_rows(tiny):
    """Read the tiny catalogue's products that have a photo."""
    with (tiny / "styles.csv").open(newline="") as file:
        return [row for row in csv.DictReader(file) if row["id"] != "1024"]


@pytest.mark.parametrize("build", [class_folders, published_split, mapped, custom_set, idx_files])
def test_clean_check_count_and_split(build, tiny_catalogue, tmp_path, monkeypatch):
    folder = tmp_path / "other"
    folder.mkdir()
    monkeypatch.chdir(tmp_path)
    path, products = build(tiny_catalogue, folder)
    assert hangtag("clean", path) == 0
    assert json.loads((tmp_path / "cleaned" / "clean-report.json").read_text())["cleaned"] == products
    assert hangtag("check", path, "--decode", "--output", "checked") in {0, 1}
    checked = json.loads((tmp_path / "checked" / "findings.json").read_text())
    assert checked["photos"] == products - (build is custom_set)
    assert checked["severities"]["error"] == (build is custom_set)
    assert hangtag("count", path, "--by", "articleType", "--output", "count.json") == 0
    counts = {row["articleType"]: row["count"] for row in json.loads((tmp_path / "count.json").read_text())}
    assert sum(counts.values()) == products
    assert len(counts) == (10 if build is idx_files else 5)
    strategy = "given" if build in {published_split, idx_files} else "grouped"
    assert hangtag("split", "cleaned", "--catalogue", path, "--strategy", strategy, "--test", 0.2) == 0
    table = read_table(tmp_path / "split.parquet")
    assert table.num_rows == products
    sides = table["split"].to_pylist()
    assert {"train", "validation", "test"} <= set(sides)
    assert sides.count("dropped") == (build is custom_set)
    if strategy == "given":
        assert all(
            (side == "test") == ("test" in id_)
            for side, id_ in zip(sides, table["id"].to_pylist(), strict=True)
        )


def hangtag(*arguments):
    """Run the command line in this process; return its exit status."""
    with pytest.raises(SystemExit) as left:
        main([*map(str, arguments)])
    return left.value.code or 0
