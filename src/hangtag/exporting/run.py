"""An export from its table of labels to the file: every row filled and checked before it is written."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

from hangtag.domain.errors import TableError
from hangtag.exporting.feeds import open_feed
from hangtag.exporting.filling import FilledRow, Filler, expand_columns, list_missing
from hangtag.exporting.issues import Issue
from hangtag.exporting.products import ProductReader
from hangtag.exporting.rules import Rules
from hangtag.exporting.taxonomy import CategoryMapping
from hangtag.exporting.template import Template
from hangtag.tables.cells import Cell, Kind
from hangtag.tables.reading import Table
from hangtag.tables.writing import CsvWriter, Rows

_ROWS_A_BATCH: Final = 500
_SHOWN: Final = 5

TO_CHECK_KINDS: Final = {
    "kind": Kind.TEXT,
    "line": Kind.INTEGER,
    "product": Kind.TEXT,
    "column": Kind.TEXT,
    "value": Kind.TEXT,
    "reason": Kind.TEXT,
    "fix": Kind.TEXT,
}
"""The columns of the file of what is to be checked."""


@dataclass(frozen=True, slots=True)
class ExportSource:
    """What an export is made from: the table of labels, the column of products' keys, and the photos for colours."""

    table: Table
    mapping: CategoryMapping | None = None
    photos: Path | None = None


@dataclass(slots=True)
class ExportResult:
    """What came of an export: the products written and refused, and what is to be checked, by kind and by reason.

    `uncertain` counts the products written with something doubtful.
    """

    products: int = 0
    written: int = 0
    refused: int = 0
    uncertain: int = 0
    issues: Counter[str] = field(default_factory=Counter)
    reasons: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    def count(self, row: FilledRow) -> None:
        """Count a product."""
        self.products += 1
        self.refused += row.is_refused
        self.written += not row.is_refused
        self.uncertain += not row.is_refused and bool(row.issues)
        for issue in row.issues:
            self.issues[issue.kind.value] += 1
            self.reasons[issue.kind.value, issue.column, issue.reason] += 1


def export_rows(
    source: ExportSource, template: Template, output: BinaryIO, to_check: BinaryIO | None = None
) -> ExportResult:
    """Write the products of a table as a template says, and what is to be checked in them.

    Rows that the destination would refuse are left out. Raises `TableError` before anything is written when the sheet
    lacks a column that every row needs.
    """
    key = template.key or None
    reader = ProductReader(source.table, key=key, by_photo=template.rows == "photo", sure=template.sure)
    check_columns(template, reader)
    filler = Filler(template, reader.titles, source.mapping, source.photos)
    rules = Rules(template, {} if filler.mapping is None else filler.mapping.categories())
    feed = open_feed(output, template, filler.names)
    checks = None if to_check is None else CsvWriter(to_check, TO_CHECK_KINDS)
    result = ExportResult()
    try:
        for batch in _iter_batches(_iter_checked(reader, filler, rules)):
            for row in batch:
                result.count(row)
            good = [row for row in batch if not row.is_refused]
            if good:
                feed.write(_columns_of(good, filler.names))
            if checks is not None and (issues := [issue for row in batch for issue in row.issues]):
                checks.write(_issue_columns(issues))
    except BaseException:
        feed.discard()
        raise
    feed.finish()
    return result


def _iter_checked(reader: ProductReader, filler: Filler, rules: Rules) -> Iterator[FilledRow]:
    for product in reader:
        row = filler.fill(product)
        rules.check(row)
        yield row


def check_columns(template: Template, reader: ProductReader) -> None:
    """Raise `TableError` when the sheet lacks a column without which no row can be exported."""
    missing = list_missing(expand_columns(template, reader.titles), reader.titles)
    if not missing:
        return
    names = ", ".join(column.name for column in missing[:_SHOWN])
    has = f"It has {', '.join(list(reader.titles.values())[:_SHOWN])}. " if reader.titles else ""
    other = (
        "google-supplemental adds labels to products that are already there."
        if template.name == "google"
        else ""
    )
    fix = f"{has}Label a table that has these columns (`hangtag predict SHEET`), or add them. {other}".strip()
    raise TableError(
        f"{template.name} needs {names}, which the table lacks", where=reader.table.where, fix=fix
    )


def _iter_batches(rows: Iterator[FilledRow]) -> Iterator[list[FilledRow]]:
    batch: list[FilledRow] = []
    for row in rows:
        batch.append(row)
        if len(batch) == _ROWS_A_BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _columns_of(rows: Sequence[FilledRow], names: Sequence[str]) -> Rows:
    return {name: [row.values[name] or None for row in rows] for name in names}


def _issue_columns(issues: Sequence[Issue]) -> Rows:
    columns: dict[str, list[Cell]] = {
        name: list(values) for name, values in zip(TO_CHECK_KINDS, zip(*issues, strict=True), strict=True)
    }
    columns["kind"] = [issue.kind.value for issue in issues]
    return columns


def describe_result(result: ExportResult) -> list[str]:
    """Return what a person should know of an export, a line each: the commonest reasons last."""
    lines = [f"{result.written:,} of {result.products:,} products written"]
    if result.uncertain:
        lines.append(f"{result.uncertain:,} of them have something to check")
    if result.refused:
        lines.append(f"{result.refused:,} left out")
    for (kind, column, reason), count in result.reasons.most_common(_SHOWN):
        where = f"{column}: " if column else ""
        lines.append(f"  {count:,} × {kind}: {where}{reason}")
    return lines
