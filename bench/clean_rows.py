"""Measure `hangtag clean`: rows per second and peak memory for tables of several sizes.

    python bench/clean_rows.py [--rows 10000000]

The tables are generated: one row in twenty needs a repair, one in a thousand is rejected, and the ids are in random
order. With streaming, memory must not grow with the size.
"""

import argparse
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from hangtag.domain.columns import CATALOGUE_COLUMNS

CHILD = """
import resource, sys
from pathlib import Path
from hangtag.catalogue.clean import clean_catalogue
from hangtag.datasets.opening import open_catalogue
with open_catalogue(Path(sys.argv[1])) as catalogue:
    report = clean_catalogue(catalogue, Path(sys.argv[2]))
used = resource.getrusage(resource.RUSAGE_SELF)
print(report.cleaned, report.rejected, used.ru_maxrss, used.ru_utime + used.ru_stime)
"""
BLOCK_ROWS = 10_000
NAMES = (
    "Turtle Check Men Navy Blue Shirt",
    "Peter England Men Party Blue Jeans",
    "Titan Women Silver Watch",
    "Puma Men Grey T-shirt",
)


def main() -> None:
    """Print one line per size, up to the requested number of rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=1_000_000, help="the rows of the largest table")
    largest = parser.parse_args().rows
    print(f"{'rows':>12} {'MB':>7} {'seconds':>8} {'CPU s':>7} {'rows/s':>9} {'peak MiB':>9} {'rejected':>9}")
    with tempfile.TemporaryDirectory() as folder:
        for rows in sorted({max(1, largest // 100), max(1, largest // 10), largest}):
            _measure(rows, Path(folder))


def _measure(rows: int, folder: Path) -> None:
    table = folder / "styles.csv"
    with table.open("w", encoding="utf-8", newline="") as file:
        for block in _iter_blocks(rows):
            file.write(block)
    megabytes = table.stat().st_size / 1e6
    started = time.perf_counter()
    command = [sys.executable, "-c", CHILD, str(table), str(folder / "out")]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    seconds = time.perf_counter() - started
    cleaned, rejected, peak_kib, cpu = (float(word) for word in printed.split())
    if cleaned + rejected != rows:
        raise SystemExit(f"{rows:,} rows went in, {cleaned + rejected:,.0f} came out")
    print(f"{rows:>12,} {megabytes:>7,.0f} {seconds:>8.1f} {cpu:>7.1f} {rows / seconds:>9,.0f}", end=" ")
    print(f"{peak_kib / 1024:>9,.0f} {rejected:>9,.0f}", flush=True)


def _iter_blocks(rows: int) -> Iterator[str]:
    """Yield the table in chunks. The ids are distinct and scattered, except for deliberate duplicates."""
    yield ",".join(CATALOGUE_COLUMNS) + "\n"
    dice = random.Random(0)  # noqa: S311 - no secret, and the same table every time
    for start in range(0, rows, BLOCK_ROWS):
        numbers = range(start, min(start + BLOCK_ROWS, rows))
        yield "".join(_row(number, dice.randrange(2000)) for number in numbers)


def _row(number: int, fate: int) -> str:
    id_ = number * 2_654_435_761 % 2**32  # Knuth's multiplicative hash: a permutation of the 32-bit numbers
    name = NAMES[number % len(NAMES)]
    year = 2007 + number % 13
    fields = f"{id_},Men,Apparel,Topwear,Shirts,Navy Blue,Fall,{year},Casual"
    if fate == 0:
        return f"{id_},cut off\n"
    if fate == 1:
        return f"0,Men,Apparel,Topwear,Shirts,Navy Blue,Fall,{year},Casual,{name}\n"
    if fate < 40:  # noqa: PLR2004 - of 2000
        return f"{fields},{name}, Pack of 2\n"
    if fate < 70:  # noqa: PLR2004 - of 2000
        return f'{fields},{name} 3.5"\n'
    if fate < 100:  # noqa: PLR2004 - of 2000
        return f"{fields}, {name} \n"
    return f"{fields},{name}\n"


if __name__ == "__main__":
    main()
