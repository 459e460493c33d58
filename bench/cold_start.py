"""Measure the time to the first label: `hangtag predict` of one photo, in a new process.

    python bench/cold_start.py [PHOTO] [--rounds N] [--model NAME]

Without a photo, one is drawn. Prints medians over the rounds; each round runs all variants in turn.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from hangtag.imaging.samples import load_sample_photos


def measure(command: Sequence[str], folder: Path) -> float:
    """Return the seconds that a command takes from its start to its end."""
    started = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    """Measure and print a table."""
    arguments = _parse()
    hangtag = [sys.executable, "-m", "hangtag.cli.main"]
    with tempfile.TemporaryDirectory(prefix="hangtag-") as name:
        folder = Path(name)
        load_sample_photos()["tshirt"].save(folder / "drawn.jpg")
        photo = str(arguments.photo.resolve()) if arguments.photo else "drawn.jpg"
        predict = [*hangtag, "predict", photo, "--model", arguments.model]
        ways = {
            "python -c pass": [sys.executable, "-c", "pass"],
            "hangtag --version": [*hangtag, "--version"],
            "hangtag predict one.jpg": predict,
            "hangtag predict one.jpg -o -": [*predict, "--output", "-"],
            "hangtag predict one.jpg -o labels.csv": [*predict, "--output", "labels.csv"],
            "hangtag predict one.jpg -o labels.parquet": [*predict, "--output", "labels.parquet"],
        }
        rounds = [
            {way: measure(command, folder) for way, command in ways.items()} for _ in range(arguments.rounds)
        ]
    table = Table("command", title=f"medians of {arguments.rounds}", title_justify="left")
    table.add_column("seconds", justify="right")
    table.add_column("fastest", justify="right")
    for way in ways:
        seconds = [taken[way] for taken in rounds]
        table.add_row(way, f"{statistics.median(seconds):.2f}", f"{min(seconds):.2f}")
    Console().print(table)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure the time to the first answer.")
    parser.add_argument("photo", type=Path, nargs="?")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--model", default="default")
    return parser.parse_args()


if __name__ == "__main__":
    main()
