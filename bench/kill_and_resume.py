"""Kill `hangtag predict` with SIGKILL at random moments until its table is complete, and compare with a normal run.

    python bench/kill_and_resume.py [--photos N] [--kills N] [--seed S] [--output NAME] [--model NAME]

Photos are generated, some of them broken. The output's name selects what is tested: `labels.csv`, `labels.parquet`,
`labels/` … Exits with 1 if a row is lost, duplicated, or different from the normal run.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from pyarrow.csv import read_csv
from pyarrow.json import read_json
from python_calamine import CalamineWorkbook

from hangtag.bundle.file import find_bundle, read_card
from hangtag.imaging.samples import load_sample_photos
from hangtag.labelling.outputs import Layout
from hangtag.labelling.part_folder import iter_log
from hangtag.tables.parquet import ArrowRows

ROWS_A_PART = 1000
BROKEN_EVERY = 100
EARLY = 0.25  # the share of kills that may hit before anything is labelled
SOME_FAILED = 3  # the exit status of the command, as some photos are broken


def draw_photos(folder: Path, count: int) -> None:
    """Write photos, 1 in 100 of which cannot be decoded."""
    folder.mkdir()
    drawn = list(load_sample_photos().values())
    for number in range(count):
        path = folder / f"{number:06}.jpg"
        if number % BROKEN_EVERY == 0:
            path.write_bytes(b"no photo at all")
        else:
            drawn[number % len(drawn)].resize((300, 400)).save(path, quality=60 + number % 30)


class Runs:
    """Runs of the command on the same photos, in their own folder."""

    def __init__(self, folder: Path, model: str) -> None:
        self.folder = folder
        self.model = model
        card = read_card(find_bundle(model))
        self.schema = ArrowRows(Layout.for_models({card.name: card}).kinds).schema

    def start(self, output: str, *options: str) -> subprocess.Popen[bytes]:
        """Start a run that resumes what is there."""
        command = [sys.executable, "-m", "hangtag.cli.main", "predict", "photos", "--model", self.model]
        settings = ["--precision", "fp32", "--rows-per-part", str(ROWS_A_PART), "--resume"]
        return subprocess.Popen(
            [*command, *settings, "--output", output, *options],
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def count_kept(self, output: str) -> tuple[int, int]:
        """Return how many parts are complete, and how many photos have their rows."""
        path = self.folder / output
        folder = path if output.endswith("/") else path.with_name(f".{path.name}.job")
        parts = sorted(folder.glob("part-*.parquet"))
        logs = [
            log
            for log in folder.glob("_part-*.rows")
            if not folder.joinpath(f"{log.stem[1:]}.parquet").exists()
        ]
        rows = sum(pq.read_metadata(part).num_rows for part in parts)
        return len(parts), rows + sum(batch.num_rows for log in logs for batch in iter_log(log, self.schema))

    def read(self, output: str) -> Counter[str]:
        """Return how often each row is in an output."""
        path = self.folder / output
        if path.suffix == ".xlsx":
            return Counter(map(str, CalamineWorkbook.from_path(path).get_sheet_by_index(0).to_python()[1:]))
        readers = {".csv": read_csv, ".jsonl": read_json}
        return Counter(map(str, readers.get(path.suffix, pq.read_table)(path).to_pylist()))


def main() -> None:
    """Kill, resume, compare, and print the log."""
    arguments = _parse()
    dice = random.Random(arguments.seed)  # noqa: S311 - a moment needs no cryptography
    with tempfile.TemporaryDirectory(prefix="hangtag-") as name:
        runs = Runs(Path(name), _place(arguments.model))
        draw_photos(runs.folder / "photos", arguments.photos)
        quiet = f"quiet-{arguments.output}"
        if runs.start(quiet, "--summary", "quiet.json").wait() != SOME_FAILED:
            sys.exit("the command does not work here")
        usual = json.loads((runs.folder / "quiet.json").read_text())["seconds"]
        print(f"a quiet run: {arguments.photos:,} photos in {usual:.1f} s")
        step = 2 * usual / arguments.kills
        for number in range(1, arguments.kills + 1):
            _kill_one(runs, arguments.output, number, (dice.random() < EARLY, dice.uniform(0, step)))
        began = time.monotonic()
        status = runs.start(arguments.output).wait()
        print(f"last run: ended by itself with {status} after {time.monotonic() - began:.2f} s")
        sys.exit(_compare(runs.read(quiet), runs.read(arguments.output)))


def _kill_one(runs: Runs, output: str, number: int, moment: tuple[bool, float]) -> None:
    """Start a run and kill it: some seconds after its start, or after it has begun to add rows."""
    early, seconds = moment
    _, before = runs.count_kept(output)
    started = time.monotonic()
    process = runs.start(output)
    while not early and process.poll() is None and runs.count_kept(output)[1] == before:
        time.sleep(0.05)
    time.sleep(seconds)
    ended = process.poll() is not None
    process.kill()
    process.wait()
    parts, kept = runs.count_kept(output)
    how = "ended by itself" if ended else "SIGKILL"
    after = time.monotonic() - started
    print(
        f"run {number:2}: {how} after {after:5.2f} s: {kept:6,} photos kept ({kept - before:+,}), {parts} parts"
    )


def _compare(expected: Counter[str], found: Counter[str]) -> int:
    twice = sum(count - 1 for count in found.values())
    lost, other = (expected - found).total(), (found - expected).total()
    print(f"{found.total():,} rows: {twice} twice, {lost} lost, {other} that the quiet run does not have")
    return int(found != expected or bool(twice))


def _place(model: str) -> str:
    return str(Path(model).resolve()) if Path(model).exists() else model


def _parse() -> Any:  # noqa: ANN401 - argparse has no types
    parser = argparse.ArgumentParser(description="Kill a labelling run again and again.")
    parser.add_argument("--photos", type=int, default=5000)
    parser.add_argument("--kills", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", default="labels.parquet")
    parser.add_argument("--model", default="default")
    return parser.parse_args()


if __name__ == "__main__":
    main()
