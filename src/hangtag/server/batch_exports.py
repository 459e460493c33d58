"""Exports of batches: the products of the store in the format that templates take."""

import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from typing import IO, Any, Final, Literal

from sqlalchemy import Connection, select

from hangtag.domain.columns import CATEGORY_COLUMNS, LABEL_COLUMNS
from hangtag.domain.errors import TableError
from hangtag.exporting.filling import FilledRow
from hangtag.exporting.products import SURE, Product, find_family
from hangtag.exporting.run import ExportResult, ExportSource, check_columns, export_rows, iter_checked
from hangtag.exporting.sheet import ProductFinder, SheetFiller, SheetResult, plan_sheet
from hangtag.exporting.sheet_file import write_filled
from hangtag.exporting.template import Template
from hangtag.server.problems import InvalidRequestError
from hangtag.server.schemas import InvalidValue
from hangtag.server.shop_documents import invalid_template
from hangtag.store.index import Filter
from hangtag.store.products import Products
from hangtag.store.sheet_files import StoredSheet
from hangtag.store.shop_classes import ShopClasses
from hangtag.store.store import iter_parts
from hangtag.store.tables import ProductRow, SheetRow
from hangtag.tables.cells import plain_name, render_value
from hangtag.tables.reading import open_table

_PRODUCTS_AT_A_TIME: Final = 200
_PIECE_BYTES: Final = 256 * 1024
_NOT_A_PRODUCT: Final = "the photo is flagged: not_a_product"
_SHOWN_ROWS: Final = 5

ExportPart = Literal["export", "to_check", "both"]
_UNSURE: Final = "the model is not confident of this"


class BatchProducts:
    """The products of a batch that match a filter, for an export. Raises `NotStoredError`."""

    def __init__(self, products: Products, batch_id: str, wanted: Filter, *, by_photo: bool = False) -> None:
        self._products = products
        self._by_photo = by_photo
        with products.store.engine.connect() as connection:
            self._batch = products.store.find_batch(connection, batch_id)
            self._numbers = products.find_numbers(connection, self._batch, wanted)
            known = products.store.vocabulary(connection, self._batch.model).columns
        self.attributes: Sequence[str] = [name for name in known if name not in LABEL_COLUMNS]
        sheet = None if self._batch.sheet is None else StoredSheet.from_json(self._batch.sheet)
        columns = () if sheet is None else sheet.columns
        self.where: object = f"the batch {self._batch.name}"
        self.name: str = self._batch.name
        self.titles: Mapping[str, str] = {plain_name(column.name): column.name for column in columns}

    def read_names(self, language: str) -> Mapping[str, Mapping[str, str]]:
        """Return the shop's names for its classes in a language, by column."""
        names = ShopClasses(self._products.store).read_names(language)
        return {
            column: {label: word for label, word in own.items() if label} for column, own in names.items()
        }

    @property
    def key(self) -> str:
        """The name of the products' key column, with which a sheet's rows are found."""
        return "SKU"

    def __iter__(self) -> Iterator[Product]:
        for part in iter_parts(self._numbers, _PRODUCTS_AT_A_TIME):
            with self._products.store.engine.connect() as connection:
                described = self._products.describe(connection, self._batch, part)
                lines = _read_lines(connection, self._batch.number, part)
            for values in described:
                product = read_product(values, lines.get(int(values["id"]), 0))
                if not self._by_photo:
                    yield product
                    continue
                for place, photo in enumerate(product.photos):
                    yield replace(product, photos=[photo], id=f"{product.id}/{place}")


def _read_lines(connection: Connection, batch: int, products: Sequence[int]) -> dict[int, int]:
    """Return the line numbers of products in the file of the batch's sheet, by product number."""
    joined = (SheetRow.batch == ProductRow.batch) & (SheetRow.position == ProductRow.row)
    statement = (
        select(ProductRow.number, SheetRow.line)
        .join(SheetRow, joined)
        .where(ProductRow.number.in_(products), ProductRow.batch == batch)
    )
    return {row.number: row.line for row in connection.execute(statement)}


def read_product(values: Mapping[str, Any], line: int = 0) -> Product:
    """Return a product of the store. A person's label is certain, the model's may be doubtful.

    `line` is that of its row in the sheet, 0 without one.
    """
    label = values["label"]
    key = values["key"] or values["name"]
    row = values["row"] or {}
    product = Product(
        line,
        key,
        {column: entry["value"] for column, entry in label.items()},
        sheet={
            plain_name(name): render_value(value) for name, value in row.items() if value not in {None, ""}
        },
        photos=[photo["name"] for photo in values["photos"]],
        title=f"product {key}",
        id=values["id"],
    )
    decided = values["not_a_product"]["decided"]
    if not label:
        product.doubts["*"] = "there are no labels"
    elif decided or (values["not_a_product"]["by_model"] and decided is None):
        product.doubts["*"] = _NOT_A_PRODUCT if decided is None else "a person said that it is not a product"
    elif values["state"] == "to_check":
        _doubt(product, label, values["confident_depth"])
    return product


def _doubt(product: Product, label: Mapping[str, Any], depth: int) -> None:
    levels = [column for column in CATEGORY_COLUMNS if column in label]
    for place, column in enumerate(levels):
        if place >= depth and label[column]["state"] == "predicted":
            product.doubts[column] = "the model is not confident of this level of the category"
    for column, entry in label.items():
        if column not in levels and not entry["confident"]:
            confidence = entry["confidence"]
            said = "" if confidence is None else f": the confidence is {confidence:.2f}"
            product.doubts[column] = f"{_UNSURE}{said}"
    if "baseColour" in product.doubts:
        candidates = ((entry["value"], entry["confidence"]) for entry in label["baseColour"]["candidates"])
        product.family = find_family(candidates, SURE)


def write_export(source: ExportSource, template: Template, part: ExportPart) -> Iterator[bytes]:
    """Return the chunks of an export, which is written to a temporary file first.

    `part` is the export itself, its list of issues (CSV), or both in a zip. Raises `InvalidRequestError` if the sheet
    lacks what every row needs.
    """
    file, checks = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115 - closed with the last piece
    try:
        export_rows(source, template, file, checks)
    except TableError as error:
        file.close()
        checks.close()
        raise invalid_template(str(error)) from None
    if part == "both":
        return _iter_pieces(_pack({f"export.{template.format}": file, "to-check.csv": checks}))
    chosen, other = (checks, file) if part == "to_check" else (file, checks)
    other.close()
    return _iter_pieces(chosen)


def _pack(files: Mapping[str, IO[bytes]]) -> IO[bytes]:
    packed = tempfile.TemporaryFile()  # noqa: SIM115 - as above
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, file in files.items():
            file.seek(0)
            with file, archive.open(name, "w", force_zip64=True) as member:
                shutil.copyfileobj(file, member, _PIECE_BYTES)
    return packed


def _iter_pieces(file: IO[bytes]) -> Iterator[bytes]:
    file.seek(0)
    with file:
        while piece := file.read(_PIECE_BYTES):
            yield piece


def fill_sheet(
    products: BatchProducts, content: bytes, filename: str, *, overwrite: bool
) -> tuple[Iterator[bytes], SheetResult]:
    """Return the chunks of a shop's own sheet with its empty cells filled, and the result.

    Raises `InvalidRequestError` for a sheet that cannot be read, or has no SKU column or none that labels can fill.
    """
    finder = ProductFinder(products)
    output = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the last piece
    try:
        with tempfile.NamedTemporaryFile(suffix=PurePath(filename).suffix) as own:
            own.write(content)
            own.flush()
            table = open_table(Path(own.name), filename)
            filler = SheetFiller(table, finder, plan_sheet(table, finder), overwrite=overwrite)
            write_filled(Path(own.name), table, filler, output)
    except TableError as error:
        output.close()
        message = error.problem if error.fix is None else f"{error.problem}. {error.fix}"
        raise InvalidRequestError(InvalidValue(field="sheet", message=message)) from None
    return _iter_pieces(output), filler.result


@dataclass(slots=True)
class CheckedExport:
    """A preview of an export: the counts, the first issues, and the first rows."""

    result: ExportResult = field(default_factory=ExportResult)
    issues: list[dict[str, Any]] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)


def check_export(source: ExportSource, template: Template, most: int) -> CheckedExport:
    """Preview an export, with at most `most` issues.

    Raises `InvalidRequestError` if the sheet lacks what every row needs.
    """
    checked = CheckedExport()
    try:
        check_columns(template, source.products)
    except TableError as error:
        raise invalid_template(str(error)) from None
    for row in iter_checked(source, template):
        checked.result.count(row)
        checked.columns = checked.columns or list(row.values)
        if not row.is_refused and len(checked.rows) < _SHOWN_ROWS:
            checked.rows.append(list(row.values.values()))
        checked.issues += _describe_issues(row, most - len(checked.issues))
    return checked


def _describe_issues(row: FilledRow, most: int) -> list[dict[str, Any]]:
    product = row.product.id.partition("/")[0]
    return [
        {**issue._asdict(), "kind": issue.kind.value, "line": issue.line or None, "product": product}
        for issue in row.issues[: max(0, most)]
    ]
