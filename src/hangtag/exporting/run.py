"""Exporting a table of labels to a file. Every row is filled and checked before it is written."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO, Final
from xml.sax.saxutils import escape

from hangtag.domain.errors import TableError
from hangtag.exporting.filling import FilledRow, Filler, FindPhoto, Issue, expand_columns, list_missing
from hangtag.exporting.products import ProductReader, ProductSource
from hangtag.exporting.rules import Rules
from hangtag.exporting.taxonomy import CategoryMapping
from hangtag.exporting.template import Format, Template
from hangtag.tables.cells import Cell, Kind
from hangtag.tables.reading import Table
from hangtag.tables.writing import CsvWriter, Rows, TableWriter, open_writer

_BREAKS: Final = re.compile(r"[\t\r\n\v\f\x85\u2028\u2029]+")
_NOT_XML: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_STARTS_A_FORMULA: Final = tuple("=+-@\t\r\n＝＋－＠")  # noqa: RUF001 - as in East Asian Excel
_NUMBER: Final = re.compile(r"[+-]?[0-9]+([.,][0-9]+)?|-")
_OWN_CONFIDENCE: Final = re.compile(r"is \d\.\d+, under")
"""What differs between values that are doubtful for the same reason."""

_GOOGLE_NAMESPACE: Final = "http://base.google.com/ns/1.0"


class TsvWriter:
    """Writes rows as Google's tab-separated text. It has no quotes, so tabs and line breaks in values become spaces.

    Text that a spreadsheet would interpret as a formula is prefixed with an apostrophe, as in CSV.
    """

    def __init__(self, file: BinaryIO, names: Sequence[str]) -> None:
        self._file = file
        self._names = names
        self._file.write(("\t".join(names) + "\n").encode("utf-8"))

    def write(self, rows: Rows) -> None:
        """Append rows."""
        lines = zip(*(rows[name] for name in self._names), strict=True)
        text = "".join("\t".join(map(_tsv_value, line)) + "\n" for line in lines)
        self._file.write(text.encode("utf-8"))

    def finish(self) -> None:
        """Do nothing: rows are written at once."""

    def discard(self) -> None:
        """Do nothing: nothing is buffered."""


class XmlWriter:
    """Writes rows as RSS 2.0 with Google's elements, `<g:color>Navy</g:color>`. Empty values are left out."""

    def __init__(self, file: BinaryIO, names: Sequence[str], title: str) -> None:
        self._file = file
        self._tags = {name: f"g:{re.sub(r'[^0-9A-Za-z_]+', '_', name)}" for name in names}
        head = f'<?xml version="1.0" encoding="UTF-8"?>\n<rss version="2.0" xmlns:g="{_GOOGLE_NAMESPACE}">\n<channel>\n'
        self._write(f"{head}<title>{_xml_text(title)}</title>\n<link/>\n<description/>\n")

    def write(self, rows: Rows) -> None:
        """Append rows."""
        names = list(self._tags)
        items = []
        for cells in zip(*(rows[name] for name in names), strict=True):
            elements = (
                f"<{self._tags[name]}>{_xml_text(str(cell))}</{self._tags[name]}>"
                for name, cell in zip(names, cells, strict=True)
                if cell
            )
            items.append(f"<item>{''.join(elements)}</item>\n")
        self._write("".join(items))

    def finish(self) -> None:
        """Close the feed."""
        self._write("</channel>\n</rss>\n")

    def discard(self) -> None:
        """Do nothing: nothing is buffered."""

    def _write(self, text: str) -> None:
        self._file.write(text.encode("utf-8"))


def open_feed(file: BinaryIO, template: Template, names: Sequence[str]) -> TableWriter:
    """Return a writer for an export into a file, which stays open."""
    if template.format == "tsv":
        return TsvWriter(file, names)
    if template.format == "xml":
        return XmlWriter(file, names, template.name)
    kinds: Mapping[str, Kind] = dict.fromkeys(names, Kind.TEXT)
    return open_writer(file, template.format, kinds)


def list_streamed() -> frozenset[Format]:
    """Return the formats that can be written to a pipe row by row."""
    return frozenset(("csv", "tsv", "xml", "jsonl"))


def _tsv_value(cell: Cell) -> str:
    if not cell:
        return ""
    text = str(cell)
    if not text.isprintable():
        text = _BREAKS.sub(" ", text)
    return f"'{text}" if text.startswith(_STARTS_A_FORMULA) and not _NUMBER.fullmatch(text) else text


def _xml_text(text: str) -> str:
    return escape(text if text.isprintable() else _NOT_XML.sub("", text))


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
"""The columns of the file of issues."""


@dataclass(frozen=True, slots=True)
class ExportSource:
    """The source of an export: products, a mapping that replaces the template's, and access to photos for colours.

    `find_photo` returns the file of a photo by name. Without it no photo is opened.
    """

    products: ProductSource
    mapping: CategoryMapping | None = None
    find_photo: FindPhoto | None = None


@dataclass(slots=True)
class ExportResult:
    """The result of an export: the products written and refused, and the issues by kind and by reason.

    `uncertain` counts the products that were written with a doubtful value.
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
            reason = _OWN_CONFIDENCE.sub("is under", issue.reason)
            self.reasons[issue.kind.value, issue.column, reason] += 1


def export_rows(
    source: ExportSource, template: Template, output: BinaryIO, to_check: BinaryIO | None = None
) -> ExportResult:
    """Write the products of a table with a template, and the issues to check.

    Rows that the destination would refuse are left out. Raises `TableError`, before anything is written, if the sheet
    lacks a column that every row needs.
    """
    check_columns(template, source.products)
    filler = _open_filler(source, template)
    feed = open_feed(output, template, filler.names)
    checks = None if to_check is None else CsvWriter(to_check, TO_CHECK_KINDS)
    result = ExportResult()
    try:
        for batch in _iter_batches(_iter_checked(source.products, filler)):
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


def read_products(table: Table, template: Template) -> ProductReader:
    """Read the products of a table of labels in the way that a template requires."""
    return ProductReader(
        table, key=template.key or None, by_photo=template.rows == "photo", sure=template.sure
    )


def iter_checked(source: ExportSource, template: Template) -> Iterator[FilledRow]:
    """Iterate the rows of an export with their issues. Nothing is written."""
    return _iter_checked(source.products, _open_filler(source, template))


def _open_filler(source: ExportSource, template: Template) -> Filler:
    return Filler(template, source.products, source.mapping, source.find_photo)


def _iter_checked(products: ProductSource, filler: Filler) -> Iterator[FilledRow]:
    rules = Rules(filler.template, {} if filler.mapping is None else filler.mapping.categories())
    for product in products:
        row = filler.fill(product)
        rules.check(row)
        yield row


def check_columns(template: Template, products: ProductSource) -> None:
    """Raise `TableError` if the sheet lacks a column that every row needs."""
    columns = expand_columns(template, products.titles, products.attributes)
    missing = list_missing(columns, products.titles)
    if not missing:
        return
    names = ", ".join(column.name for column in missing[:_SHOWN])
    has = f"It has {', '.join(list(products.titles.values())[:_SHOWN])}. " if products.titles else ""
    other = (
        "google-supplemental adds labels to products that already exist." if template.name == "google" else ""
    )
    fix = f"{has}Label a table that has these columns (`hangtag predict SHEET`), or add them. {other}".strip()
    raise TableError(f"{template.name} needs {names}, which the table lacks", where=products.where, fix=fix)


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
    columns["line"] = [issue.line or None for issue in issues]
    return columns


def describe_result(result: ExportResult) -> list[str]:
    """Return the summary of an export, line by line, with the most frequent reasons last."""
    lines = [f"{result.written:,} of {result.products:,} products written"]
    if result.uncertain:
        lines.append(f"{result.uncertain:,} of them have something to check")
    if result.refused:
        lines.append(f"{result.refused:,} left out")
    for (kind, column, reason), count in result.reasons.most_common(_SHOWN):
        where = f"{column}: " if column else ""
        lines.append(f"  {count:,} × {kind}: {where}{reason}")
    return lines
