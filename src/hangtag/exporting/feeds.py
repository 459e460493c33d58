"""The files of exports, row by row: what `tables` writes, and the two forms that only channels take, TSV and RSS."""

import re
from collections.abc import Mapping, Sequence
from typing import BinaryIO, Final
from xml.sax.saxutils import escape

from hangtag.exporting.template import Format, Template
from hangtag.tables.cells import Cell, Kind
from hangtag.tables.writing import Rows, TableWriter, open_writer

_BREAKS: Final = re.compile(r"[\t\r\n\v\f\x85\u2028\u2029]+")
_NOT_XML: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_STARTS_A_FORMULA: Final = tuple("=+-@\t\r\n＝＋－＠")  # noqa: RUF001 - as in East Asian Excel
_NUMBER: Final = re.compile(r"[+-]?[0-9]+([.,][0-9]+)?|-")
_GOOGLE_NAMESPACE: Final = "http://base.google.com/ns/1.0"


class TsvWriter:
    """Writes rows as Google's tab-separated text: no quotes, so that tabs and line breaks in values become spaces.

    Text that a spreadsheet would take for a formula gets an apostrophe in front, as in CSV.
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
        """Do nothing: every row is written when it comes."""

    def discard(self) -> None:
        """Do nothing: nothing is buffered."""


class XmlWriter:
    """Writes rows as RSS 2.0 with Google's elements, `<g:color>Navy</g:color>`; an empty value has no element."""

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
    """Return the writer of an export into a file, which stays open."""
    if template.format == "tsv":
        return TsvWriter(file, names)
    if template.format == "xml":
        return XmlWriter(file, names, template.name)
    kinds: Mapping[str, Kind] = dict.fromkeys(names, Kind.TEXT)
    return open_writer(file, template.format, kinds)


def list_streamed() -> frozenset[Format]:
    """Return the formats whose rows are written as they come, so that a pipe can take them."""
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
