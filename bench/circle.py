"""A shop's first hour with hangtag in a browser: drop, check by keyboard, learn, make a class, promote, roll back.

    python bench/circle.py MODEL SHOP [--photos 240] [--checks 60] [--database URL] [--screens FOLDER]

SHOP is a catalogue with `labels.csv` and `images` whose photos MODEL never saw. Its article types are the truth that
the simulated user knows. Half of the photos are dropped as a batch. `hangtag predict` labels the others afterwards,
with the original model and with the bundle downloaded from the page. Needs Chromium, Node and the page's packages in
`web/`. With --database the store is in that database, which should be empty, such as `postgresql+psycopg://user@/name`.
"""

import argparse
import csv
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import numpy as np
from rich.table import Table

from hangtag.cli.console import open_console
from service import open_service

ROOT: Final = Path(__file__).resolve().parents[1]
SCRIPT: Final = ROOT / "web" / "e2e" / "circle.ts"
COLUMN: Final = "articleType"
NEW_CLASS: Final = "Sample Pieces"


def read_truth(shop: Path) -> dict[str, str]:
    """Return the article types of a shop's photos, by file name."""
    with (shop / "labels.csv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    return {row["file"]: row[COLUMN] for row in rows if row.get(COLUMN)}


def choose(shop: Path, truth: dict[str, str], count: int) -> tuple[list[Path], list[Path]]:
    """Return the photos to drop and the same number to measure on, drawn alike."""
    names = sorted(name for name in truth if (shop / "images" / name).is_file())
    drawn = np.random.default_rng(7).permutation(len(names))[: 2 * count]
    paths = [shop / "images" / names[place] for place in drawn]
    return paths[: len(paths) // 2], paths[len(paths) // 2 :]


def walk(url: str, given: dict[str, Any]) -> dict[str, Any]:
    """Let the browser do everything. Return its measurements."""
    node = shutil.which("node")
    if node is None:
        raise FileNotFoundError("node is not on PATH")
    done = subprocess.run(
        [node, str(SCRIPT), json.dumps({"url": url, **given})],
        cwd=ROOT / "web",
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit("the walk in the browser failed; the picture `failed` shows where")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def measure(model: str, photos: list[Path], truth: dict[str, str], folder: Path) -> float:
    """Return the share of photos that `hangtag predict` labels correctly with a model."""
    table = folder / "predictions.csv"
    names = folder / "photos.txt"
    names.write_text("\n".join(map(str, photos)), encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "hangtag.cli.main",
        "predict",
        "-",
        "--model",
        model,
        "-o",
        str(table),
        "--restart",
    ]
    with names.open(encoding="utf-8") as given:
        subprocess.run(command, stdin=given, stdout=subprocess.DEVNULL, check=True)
    with table.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    right: int = sum(row[COLUMN] == truth[Path(row["path"]).name] for row in rows)
    return right / len(rows)


def main() -> None:
    """Run the whole circle and print the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model")
    parser.add_argument("shop", type=Path)
    parser.add_argument("--photos", type=int, default=240)
    parser.add_argument("--checks", type=int, default=60)
    parser.add_argument("--database")
    parser.add_argument("--screens", type=Path)
    chosen = parser.parse_args()
    truth = read_truth(chosen.shop)
    dropped, others = choose(chosen.shop, truth, chosen.photos)
    with tempfile.TemporaryDirectory(prefix="hangtag-circle-") as name:
        folder = Path(name)
        bundle = folder / "shop.onnx"
        given = {
            "photos": [str(path) for path in dropped],
            "truth": {name: truth[path.name] for path in dropped for name in (path.name, path.stem)},
            "checks": chosen.checks,
            "created": NEW_CLASS,
            "bundle": str(bundle),
            "screens": str(chosen.screens) if chosen.screens else None,
        }
        options = ("--model", chosen.model)
        log = str(folder / "service.log")
        with open_service(folder, *options, log=log, database=chosen.database) as (_, port):
            found = walk(f"http://127.0.0.1:{port}", given)
        shares = [measure(model, others, truth, folder) for model in (chosen.model, str(bundle))]
    _print(found, shares, len(others))


def _print(found: dict[str, Any], shares: list[float], others: int) -> None:
    console = open_console()
    table = Table("", "before", "after")
    before, after = found["before"], found["after"]
    table.add_row("unchecked products", str(before["unchecked"]), str(after["unchecked"]))
    table.add_row("need a person", str(before["needs"]), str(after["needs"]))
    table.add_row("unchecked ones right", f"{before['right']:.1%}", f"{after['right']:.1%}")
    table.add_row(f"{others} other photos right, by hangtag predict", *(f"{share:.1%}" for share in shares))
    console.print(table)
    times = Table("step", "s")
    for step, seconds in found["times"].items():
        times.add_row(step, f"{seconds:.1f}")
    console.print(times)
    console.print(f"{found['checked']} asked. The page: {found['line']!r}")
    console.print(f"A class made: {found['created']}. Promotion refused at first: {found['refused']}")
    console.print_json(data=found["accuracy"])


if __name__ == "__main__":
    main()
