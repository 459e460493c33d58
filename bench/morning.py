"""Time a merchandiser's morning, from the drop to the file for the shop.

    python bench/morning.py CATALOGUE [--products 800] [--scrolled 5000] [--reviewed 60]

Every product has three photos: one of the catalogue, the same mirrored, and its centre; a sheet names them by SKU. A
browser does what a person does, and `morning.mjs` measures the time: drop, map the sheet, review by keyboard, edit many
at once, reload, a second person, export. Then 500 photos are dropped, and a large batch is scrolled. The page must be
built; Chromium and Node must be installed.
"""

import argparse
import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from PIL import Image, ImageOps

ROOT: Final = Path(__file__).resolve().parents[1]
SERVE: Final = """
import json, sys
from hangtag.server.run import build_settings, run_server
run_server(build_settings(json.loads(sys.argv[1])))
"""
STARTING_S: Final = 300


def read_catalogue(folder: Path, count: int) -> list[dict[str, str]]:
    """Return the first rows of a catalogue that have a photo."""
    with (folder / "styles.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if (folder / "images" / f"{row['id']}.jpg").exists()]
    return rows[:count]


def write_delivery(folder: Path, catalogue: Path, rows: list[dict[str, str]]) -> None:
    """Write three photos per product, and a supplier's sheet."""
    folder.mkdir()
    for row in rows:
        with Image.open(catalogue / "images" / f"{row['id']}.jpg") as photo:
            image = photo.convert("RGB")
        width, height = image.size
        middle = image.crop((width // 6, height // 6, width * 5 // 6, height * 5 // 6))
        for view, picture in (("front", image), ("back", ImageOps.mirror(image)), ("detail", middle)):
            picture.save(folder / f"SKU-{row['id']}_{view}.jpg", quality=95)
    with (folder / "delivery.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["SKU", "Title", "Colour", "RRP", "Stock", "Delivered"])
        for place, row in enumerate(rows):
            name = row["productDisplayName"]
            writer.writerow(
                [
                    f"SKU-{row['id']}",
                    name,
                    row["baseColour"],
                    f"{9.9 + place % 90:.2f}",
                    place % 40,
                    "2026-03-02",
                ]
            )


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Run the service on an empty data folder during the block, and yield its address."""
    settings = {"port": 0, "data_folder": str(folder), "rate_limit_anonymous": 1_000_000}
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, json.dumps(settings)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None  # noqa: S101 - for the type checker
        address = process.stdout.readline().split()[-1]
        _wait_until_ready(address)
        yield address
    finally:
        process.terminate()
        process.wait()


def _wait_until_ready(address: str) -> None:
    until = time.monotonic() + STARTING_S
    while True:
        try:
            with urllib.request.urlopen(f"{address}/readyz", timeout=5):  # noqa: S310 - our own service
                return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)


def main() -> None:
    """Prepare the delivery, run the morning and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("catalogue", type=Path)
    parser.add_argument("--products", type=int, default=800)
    parser.add_argument("--scrolled", type=int, default=5000)
    parser.add_argument("--reviewed", type=int, default=60)
    given = parser.parse_args()
    chromium = os.environ.get("HANGTAG_CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = read_catalogue(given.catalogue, max(given.products, given.scrolled))
        write_delivery(folder / "delivery", given.catalogue, rows[: given.products])
        for place, row in enumerate(rows[: given.scrolled]):
            target = folder / ("dropped" if place < 500 else "more") / f"{row['id']}.jpg"  # noqa: PLR2004 - photos
            target.parent.mkdir(exist_ok=True)
            shutil.copy(given.catalogue / "images" / target.name, target)
        with serving(folder / "data") as address:
            told = {
                "address": address,
                "folder": str(folder),
                "chromium": chromium,
                "reviewed": given.reviewed,
                "web": str(ROOT / "web" / "package.json"),
            }
            script = Path(__file__).with_suffix(".mjs")
            subprocess.run(["node", str(script), json.dumps(told)], check=True)  # noqa: S607 - of the machine


if __name__ == "__main__":
    main()
