"""Measure how long an export of a whole catalogue takes, and list the destinations' complaints.

Adds an offer (price, addresses, EAN, size) to every product, since catalogues of labels have none, and exports them
with every built-in template: `python bench/exports.py CATALOGUE/styles.csv`.
"""

import argparse
import csv
import tempfile
import time
from pathlib import Path

import hangtag
from hangtag.exporting.template import list_templates

OFFER = ("description", "link", "image_link", "availability", "price", "ean", "size")
ENDINGS = {"google": ("tsv", "xml"), "google-supplemental": ("tsv",), "excel": ("xlsx",)}


def add_offers(catalogue: Path, output: Path) -> None:
    """Write a catalogue's table with an offer for each product."""
    with (
        catalogue.open(encoding="utf-8", errors="replace", newline="") as source,
        output.open("w", encoding="utf-8", newline="") as target,
    ):
        reader, writer = csv.reader(source), csv.writer(target)
        header = next(reader)
        writer.writerow([*header, *OFFER])
        name, key = header.index("productDisplayName"), header.index("id")
        for row in reader:
            row = [*row[:name], ",".join(row[name:])]  # noqa: PLW2901 - some names have commas of their own
            address = f"https://shop.example/{row[key]}"
            digits = row[key].zfill(12)
            total = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(digits))
            ean = f"{digits}{-total % 10}"
            writer.writerow(
                [*row, f"{row[name]}.", address, f"{address}.jpg", "in stock", "19.90 EUR", ean, "M"]
            )


def main() -> None:
    """Print a table of times and results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("catalogue", type=Path, help="The table of a catalogue.")
    catalogue = parser.parse_args().catalogue
    names = ("template", "format", "seconds", "CPU", "written", "refused", "to check", "MB")
    print("{:<20} {:<8} {:>8} {:>6} {:>8} {:>8} {:>9} {:>6}".format(*names))
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "products.csv"
        add_offers(catalogue, table)
        for template in list_templates():
            for ending in ENDINGS.get(template, ("csv",)):
                output = Path(folder) / f"{template}.{ending}"
                start, cpu = time.perf_counter(), time.process_time()
                result = hangtag.export(table, output, template=template)
                seconds, used = time.perf_counter() - start, time.process_time() - cpu
                print(
                    f"{template:<20} {ending:<8} {seconds:>8.1f} {used:>6.1f} {result.written:>8,} "
                    f"{result.refused:>8,} {result.uncertain:>9,} {output.stat().st_size / 1e6:>6.1f}"
                )
                for (kind, column, reason), count in result.reasons.most_common(2):
                    print(f"    {count:,} {kind} {column}: {reason}")


if __name__ == "__main__":
    main()
