"""Measure the memory of `hangtag predict` for few and for many photos: the curve has to be flat.

    python bench/memory.py PHOTOS [--tiny] [--counts N N …] [--given links|table] [--output NAME] [--plot FILE]

The photos of the folder are repeated up to each count, by symbolic links in subfolders of a thousand, or by a table
with their paths. Prints the peak of each run (resident set, as counted by the kernel), and draws the curves. Exits with
1 if the largest peak is more than a tenth over the smallest, or 1 GB or more.

`--tiny` uses the tests' network of two convolutions, so that a million photos take only minutes.
"""

import argparse
import csv
import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path
from typing import Final

from hangtag.bundle.file import write_bundle
from hangtag.labelling.inputs import PhotoWalk

LINKS_A_FOLDER: Final = 1000
MIB: Final = 1024 * 1024
FLAT: Final = 1.1
"""The allowed ratio of the largest peak to the smallest."""

MOST: Final = 1000**3 / MIB
"""The memory limit of a run, in MiB."""

TESTS: Final = Path(__file__).resolve().parent.parent / "tests"
SOME_FAILED: Final = 3


@dataclass
class Memory:
    """The memory of one run: its peak in MiB, and the resident set over time, in MiB by seconds."""

    photos: int
    peak: float = 0.0
    seconds: list[float] = field(default_factory=list)
    resident: list[float] = field(default_factory=list)

    @property
    def shares(self) -> list[float]:
        """The progress of the run at each moment, in percent of its time."""
        return [100 * moment / self.seconds[-1] for moment in self.seconds]


def repeat(photos: Sequence[str], count: int, folder: Path, given: str) -> Path:
    """Return an input with this many photos."""
    repeated = islice(cycle(photos), count)
    if given == "table":
        with (folder / "photos.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["sku", "path"])
            writer.writerows((f"S{number:08}", path) for number, path in enumerate(repeated))
        return folder / "photos.csv"
    for number, path in enumerate(repeated):
        place = folder / "photos" / f"{number // LINKS_A_FOLDER:05}"
        if number % LINKS_A_FOLDER == 0:
            place.mkdir(parents=True)
        os.symlink(path, place / f"{number:08}{Path(path).suffix}")  # noqa: PTH211 - a million of them
    return folder / "photos"


def watch(command: Sequence[str], folder: Path, photos: int) -> Memory:
    """Run a command and return its memory."""
    memory = Memory(photos)
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    started = time.monotonic()
    while True:
        ended, status, usage = os.wait4(process.pid, os.WNOHANG)
        if ended:
            break
        if resident := _resident(process.pid):  # zero if it has just ended
            memory.seconds.append(time.monotonic() - started)
            memory.resident.append(resident)
        time.sleep(0.2)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in {0, SOME_FAILED}:
        sys.exit(f"the command left with {process.returncode}")
    memory.peak = usage.ru_maxrss / 1024
    return memory


def _resident(process: int) -> float:
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MIB


def main() -> None:
    """Measure, print and draw."""
    arguments = _parse()
    photos = [photo.path for photo in PhotoWalk([arguments.photos.resolve()])]
    found = [_run(arguments, photos, count) for count in arguments.counts]
    lowest, highest = min(run.peak for run in found), max(run.peak for run in found)
    flat = highest <= FLAT * lowest and highest < MOST
    verdict = "flat" if flat else f"not flat: at most {FLAT - 1:+.0%} and under {MOST:,.0f} MiB are wanted"
    print(f"largest over smallest: {highest / lowest - 1:+.1%}: {verdict}")
    if arguments.json:
        arguments.json.write_text(json.dumps({run.photos: run.peak for run in found}) + "\n")
    if arguments.plot:
        _draw(found, arguments.plot)
    sys.exit(not flat)


def _run(arguments: argparse.Namespace, photos: Sequence[str], count: int) -> Memory:
    """Label this many photos. Print and return the memory used."""
    with tempfile.TemporaryDirectory(prefix="hangtag-", dir=arguments.folder) as name:
        folder = Path(name)
        given = repeat(photos, count, folder, arguments.given)
        model = _write_tiny(folder) if arguments.tiny else arguments.model
        command = [sys.executable, "-m", "hangtag.cli.main", "predict", str(given), "--model", model]
        memory = watch([*command, "--output", arguments.output], folder, count)
    print(f"{count:>11,} photos: {memory.peak:6.1f} MiB at most, {memory.seconds[-1]:,.1f} s", flush=True)
    return memory


def _write_tiny(folder: Path) -> str:
    """Write the tests' model, and return its path."""
    sys.path.append(str(TESTS))
    tiny = importlib.import_module("tiny_bundle")
    graph = tiny.build_tiny_graph()
    write_bundle(graph, tiny.build_tiny_card(graph), folder / "tiny.onnx")
    return str(folder / "tiny.onnx")


def _draw(found: Sequence[Memory], path: Path) -> None:
    from hangtag.reports.figures import line_chart, write_png  # noqa: PLC0415 - the extra `report` is for the plot alone

    series = {f"{run.photos:,} photos": (run.shares, run.resident) for run in found}
    figure = line_chart(
        series, title="Memory of hangtag predict", x_name="of the run (%)", y_name="resident set (MiB)"
    )
    write_png(figure, path)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure the memory of labelling many photos.")
    parser.add_argument("photos", type=Path)
    parser.add_argument("--counts", type=int, nargs="+", default=[40_000, 1_000_000])
    parser.add_argument("--given", choices=["links", "table"], default="links")
    parser.add_argument("--output", default="labels/")
    parser.add_argument("--model", type=_name_or_path, default="default")
    parser.add_argument("--tiny", action="store_true", help="label with the tests' tiny network")
    parser.add_argument("--folder", type=Path, help="where the links and tables are made")
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def _name_or_path(model: str) -> str:
    """Return a model's name, or its absolute path, as the command runs in another folder."""
    return str(Path(model).resolve()) if Path(model).exists() else model


if __name__ == "__main__":
    main()
