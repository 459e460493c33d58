"""Jobs that end, as if killed, before or after any of their file operations, and are resumed until they finish.

    python tests/crashing_jobs.py SEED JOBS

Every run is a separate process, so nothing is cleaned up when it ends. Exits with 1 if a row is lost or duplicated in a
finished table; prints how many runs ended early.
"""

import csv
import os
import random
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from hangtag.labelling.job import open_job
from hangtag.labelling.outputs import Layout, Output
from hangtag.labelling.part_folder import RowLog
from hangtag.labelling.plan import Fingerprint, Plan, Start

LAYOUT = Layout(("articleType",))
CRASHES_A_JOB = 8
KILLED = 9


@dataclass
class Photo:
    name: str


class Crash:
    """Ends the process at its n-th operation."""

    def __init__(self, at, dice):
        self.left = at
        self.dice = dice

    def count(self):
        self.left -= 1
        if self.left <= 0:
            os._exit(KILLED)

    def watch(self, owner, name):
        operate = getattr(owner, name)

        def counted(*arguments, **options):
            self.count()
            result = operate(*arguments, **options)
            self.count()
            return result

        setattr(owner, name, counted)

    def watch_log(self):
        append = RowLog.append

        def torn(log, batch):
            self.count()
            if self.dice.random() < 0.1:
                with log.path.open("ab") as file:
                    file.write(self.dice.randbytes(self.dice.randint(1, 400)))
                os._exit(KILLED)
            append(log, batch)

        RowLog.append = torn


def label(plan, photos, dice):
    """Label photos in any order; some fail."""
    with open_job(plan) as job:
        for photo in job.iter_unfinished(map(Photo, dice.sample(photos, len(photos)))):
            failed = dice.random() < 0.3
            row = dict.fromkeys(LAYOUT.kinds) | {"path": photo.name, "status": "labelled"}
            row |= {"status": "failed", "reason": "empty"} if failed else {}
            job.write({name: [cell] for name, cell in row.items()})


def run(plan, photos, seed, crash_at):
    """Run a job in a separate process. Return whether it finished."""
    process = os.fork()
    if not process:
        dice = random.Random(seed)
        if crash_at:
            crash = Crash(crash_at, dice)
            for name in ("unlink", "replace", "rmdir", "mkdir"):
                crash.watch(Path, name)
            crash.watch(os, "fsync")
            crash.watch_log()
        try:
            label(plan, photos, dice)
        except BaseException as error:  # noqa: BLE001 - a child must not go on with what its parent does
            sys.stderr.write(f"{error!r}\n")
            os._exit(1)
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    if status not in {0, KILLED}:
        sys.exit(f"a run left with {status}")
    return not status


def read(path):
    """Return how often each photo is in a table."""
    if path.is_dir():
        return Counter(pq.read_table(path)["path"].to_pylist())
    with path.open(newline="", encoding="utf-8") as file:
        return Counter(row["path"] for row in csv.DictReader(file))


def main(seed, jobs):
    pa.array([""])  # import what pyarrow needs for its first array once, not in every run
    dice = random.Random(seed)
    crashes = 0
    for number in range(jobs):
        photos = [f"{photo}.jpg" for photo in range(dice.randint(1, 12))] * dice.choice([1, 1, 2])
        with tempfile.TemporaryDirectory() as folder:
            output = Output.parse(f"{folder}/{('labels.csv', 'labels/')[number % 2]}")
            for attempt in range(CRASHES_A_JOB + 1):
                start = Start.RETRY if attempt and dice.random() < 0.3 else Start.RESUME
                plan = Plan(output, LAYOUT, Fingerprint({}, {}, 1, {}), ("photos",), start, rows_a_part=3)
                crash_at = dice.randint(1, 60) if attempt < CRASHES_A_JOB else 0
                if run(plan, photos, dice.random(), crash_at):
                    if read(output.path) != Counter(photos):
                        sys.exit(f"job {number} of seed {seed}: {read(output.path)}, not {photos}")
                else:
                    crashes += 1
    sys.stdout.write(f"{crashes}\n")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
