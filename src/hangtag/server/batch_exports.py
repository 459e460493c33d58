"""Exports of batches: the products of the store in the form that templates take."""

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from hangtag.domain.columns import CATEGORY_COLUMNS
from hangtag.domain.errors import TableError, UsageError
from hangtag.exporting.products import SURE, Product, comparable, find_family
from hangtag.exporting.run import ExportResult, ExportSource, check_columns, export_rows, iter_checked
from hangtag.exporting.taxonomy import BUILT_IN
from hangtag.exporting.template import Template, list_templates, load_template, parse_template
from hangtag.server.problems import InvalidRequestError
from hangtag.server.schemas import InvalidValue
from hangtag.store.index import Filter
from hangtag.store.products import Products
from hangtag.store.sheet_files import StoredSheet
from hangtag.store.store import iter_parts
from hangtag.tables.cells import render_value

_PRODUCTS_AT_A_TIME: Final = 200
_PIECE_BYTES: Final = 256 * 1024
_NOT_A_PRODUCT: Final = "the photo is flagged: not_a_product"
_UNSURE: Final = "the model is not sure of this"


class BatchProducts:
    """The products of a batch that a filter wants, as an export takes them. Raises `NotStoredError`."""

    def __init__(self, products: Products, batch_id: str, wanted: Filter, *, by_photo: bool = False) -> None:
        self._products = products
        self._by_photo = by_photo
        with products.store.engine.connect() as connection:
            self._batch = products.store.find_batch(connection, batch_id)
            self._numbers = products.find_numbers(connection, self._batch, wanted)
        sheet = None if self._batch.sheet is None else StoredSheet.from_json(self._batch.sheet)
        columns = () if sheet is None else sheet.columns
        self.where: object = f"the batch {self._batch.name}"
        self.name: str = self._batch.name
        self.titles: Mapping[str, str] = {comparable(column.name): column.name for column in columns}

    def __iter__(self) -> Iterator[Product]:
        for part in iter_parts(self._numbers, _PRODUCTS_AT_A_TIME):
            with self._products.store.engine.connect() as connection:
                described = self._products.describe(connection, self._batch, part)
            for values in described:
                product = read_product(values)
                if not self._by_photo:
                    yield product
                    continue
                for photo in product.photos:
                    yield Product(
                        product.line, product.key, product.labels, product.doubts, product.sheet, [photo],
                        product.family, product.title,
                    )  # fmt: skip


def read_product(values: Mapping[str, Any]) -> Product:
    """Return a product of the store: what a person said is sure, what the model said may be doubtful."""
    label = values["label"]
    key = values["key"] or values["name"]
    row = values["row"] or {}
    product = Product(
        int(values["id"]),
        key,
        {column: entry["value"] for column, entry in label.items()},
        sheet={
            comparable(name): render_value(value) for name, value in row.items() if value not in {None, ""}
        },
        photos=[photo["name"] for photo in values["photos"]],
        title=f"product {key}",
    )
    decided = values["not_a_product"]["decided"]
    if not label:
        product.doubts["*"] = "there are no labels"
    elif decided or (values["not_a_product"]["by_model"] and decided is None):
        product.doubts["*"] = _NOT_A_PRODUCT if decided is None else "a person said that it is no product"
    elif values["state"] == "to_check":
        _doubt(product, label, values["confident_depth"])
    return product


def _doubt(product: Product, label: Mapping[str, Any], depth: int) -> None:
    levels = [column for column in CATEGORY_COLUMNS if column in label]
    for place, column in enumerate(levels):
        if place >= depth and label[column]["state"] == "predicted":
            product.doubts[column] = "the model is not sure of this level of the category"
    for column, entry in label.items():
        if column not in levels and not entry["confident"]:
            confidence = entry["confidence"]
            said = "" if confidence is None else f": the confidence is {confidence:.2f}"
            product.doubts[column] = f"{_UNSURE}{said}"
    if "baseColour" in product.doubts:
        candidates = ((entry["value"], entry["confidence"]) for entry in label["baseColour"]["candidates"])
        product.family = find_family(candidates, SURE)


def read_template(given: str | Mapping[str, Any], **changes: Any) -> Template:  # noqa: ANN401 - fields have several types
    """Return the template that a request names or holds, with other values for some fields.

    Raises `InvalidRequestError` for one that cannot be. Only built-in taxonomies: a path would be one of this machine.
    """
    try:
        if isinstance(given, str):
            if given not in list_templates():
                names = ", ".join(list_templates())
                raise _invalid(f"there is no template {given!r}; there are {names}")
            template = load_template(given)
        else:
            template = parse_template(json.dumps(given), "template")
        if template.taxonomy and template.taxonomy not in BUILT_IN:
            raise _invalid(f"there is no taxonomy {template.taxonomy!r}; there are {', '.join(BUILT_IN)}")
        return template.changed(**changes)
    except (TableError, UsageError, TypeError, ValueError, AttributeError) as error:
        raise _invalid(str(error)) from None


def write_export(source: BatchProducts, template: Template) -> Iterator[bytes]:
    """Return the pieces of an export, which is written to a temporary file first.

    Raises `InvalidRequestError` when the sheet lacks what every row needs.
    """
    file = tempfile.TemporaryFile()  # noqa: SIM115 - closed when its last piece is sent
    try:
        export_rows(ExportSource(source), template, file)
    except TableError as error:
        file.close()
        raise _invalid(str(error)) from None
    file.seek(0)

    def iter_pieces() -> Iterator[bytes]:
        with file:
            while piece := file.read(_PIECE_BYTES):
                yield piece

    return iter_pieces()


def check_export(
    source: BatchProducts, template: Template, most: int
) -> tuple[ExportResult, list[dict[str, Any]]]:
    """Return what would come of an export, and what is to be checked in it, at most so many entries.

    Raises `InvalidRequestError` when the sheet lacks what every row needs.
    """
    result = ExportResult()
    issues: list[dict[str, Any]] = []
    try:
        check_columns(template, source)
    except TableError as error:
        raise _invalid(str(error)) from None
    for row in iter_checked(ExportSource(source), template):
        result.count(row)
        issues += _describe_issues(row.issues, most - len(issues))
    return result, issues


def _describe_issues(issues: Sequence[Any], most: int) -> list[dict[str, Any]]:
    return [
        {
            "kind": issue.kind.value,
            "product": str(issue.line),
            "key": issue.key,
            "column": issue.column,
            "value": issue.value,
            "reason": issue.reason,
            "fix": issue.fix,
        }
        for issue in issues[: max(0, most)]
    ]


def _invalid(message: str) -> InvalidRequestError:
    return InvalidRequestError(InvalidValue(field="template", message=message))
