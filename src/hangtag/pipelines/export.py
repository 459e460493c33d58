"""Exporting labels: to the feeds and tables of shop systems, and into a shop's own sheet."""

import contextlib
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

from hangtag.bundle.file import DEFAULT_NAME, find_bundle, read_card
from hangtag.domain.durable import replacing, write_whole
from hangtag.domain.errors import TableError, UsageError
from hangtag.exporting.products import SURE, ProductReader, find_attributes
from hangtag.exporting.run import (
    ExportResult,
    ExportSource,
    describe_result,
    export_rows,
    list_streamed,
    read_products,
)
from hangtag.exporting.sheet import ProductFinder, SheetFiller, SheetResult, describe_filling, plan_sheet
from hangtag.exporting.sheet_file import write_filled
from hangtag.exporting.taxonomy import (
    MappingCheck,
    check_mapping,
    compare_with_official,
    draft_mapping,
    load_mapping,
)
from hangtag.exporting.template import FORMATS, Template, load_template
from hangtag.pipelines.arguments import AnyPath, Destination, check_destinations, checked
from hangtag.tables.reading import open_table

__all__ = [
    "check_taxonomy",
    "describe_filling",
    "describe_result",
    "draft_taxonomy",
    "export",
    "fill_sheet",
    "list_to_check",
]

STANDARD_OUTPUT: Final = "-"
_TO_CHECK: Final = ".to-check.csv"


@checked
def export(
    predictions: AnyPath,
    output: AnyPath,
    *,
    template: "str | Template" = "hangtag",
    taxonomy: AnyPath | None = None,
    language: str | None = None,
    currency: str | None = None,
    key: str | None = None,
    sure: float | None = None,
    photos: AnyPath | None = None,
    to_check: AnyPath | None = None,
    strict: bool = False,
) -> ExportResult:
    """Export a table of labels with a template, and return the result.

    `predictions` is a table that `hangtag predict` wrote, or any table with columns of labels. `template` is a built-in
    one (`hangtag`, `google`, `google-supplemental`, `shopify`, `woocommerce`, `magento`, `excel`) or a .toml or .json
    file of your own. The extension of `output` chooses the format. `currency` is added to prices that have none, for
    Google. Doubtful and refused products are listed in `to_check`, by default a file next to the output. With `strict`,
    nothing is written if a row would be left out.

    Raises `UsageError` for an unknown template, `TableError` for a table that cannot be exported.

    >>> import hangtag
    >>> result = hangtag.export(
    ...     "catalogue/styles.csv", "feed.tsv", template="google-supplemental"
    ... )
    >>> result.written, result.refused
    (6, 0)
    """
    source, target = Path(predictions), Path(output)
    table, folder = open_table(source), Path() if photos is None else Path(photos)
    chosen = load_template(template, find_attributes(table.names)) if isinstance(template, str) else template
    chosen = chosen.changed(
        language=language, currency=currency, key=key, sure=sure, format=_format_of(target, chosen)
    )
    checks = list_to_check(target) if to_check is None else Path(to_check)
    _check_files(source, target, checks)
    mapping = None if taxonomy is None else load_mapping(str(taxonomy))
    with contextlib.ExitStack() as stack:
        result = export_rows(
            ExportSource(read_products(table, chosen), mapping, lambda name: folder / name),
            chosen,
            _open(target, stack),
            None if checks is None else _open(checks, stack),
        )
        if strict and result.refused:
            raise TableError(
                _describe_refusal(result), where=source, fix="Export without `strict` to see them all."
            )
    return result


def list_to_check(output: Path) -> Path | None:
    """Return the file next to an export that lists what to check; None for standard output."""
    return None if str(output) == STANDARD_OUTPUT else output.with_name(f"{output.name}{_TO_CHECK}")


def _format_of(output: Path, template: Template) -> str | None:
    """Return the format of an output's extension; None to keep the template's."""
    ending = output.suffix.lower().removeprefix(".")
    if str(output) == STANDARD_OUTPUT:
        if template.format not in list_streamed():
            raise UsageError(f"{template.format} cannot go to standard output", fix="Write to a file.")
        return None
    if ending == "txt":
        return "tsv"
    if ending not in FORMATS:
        fix = f"Use one of {', '.join(f'.{name}' for name in FORMATS)}."
        raise UsageError(f"exports cannot be written as {output.suffix!r}", where=output, fix=fix)
    return ending


def _check_files(source: Path, output: Path, checks: Path | None) -> None:
    destinations = [Destination("to_check", checks)] if checks is not None else []
    if str(output) != STANDARD_OUTPUT:
        destinations.append(Destination("output", output))
    check_destinations(destinations, [source])


def _open(path: Path, stack: contextlib.ExitStack) -> BinaryIO:
    if str(path) == STANDARD_OUTPUT:
        return sys.stdout.buffer
    temporary = stack.enter_context(replacing(path.resolve()))
    return stack.enter_context(temporary.open("wb"))


def _describe_refusal(result: ExportResult) -> str:
    errors = [(column, reason) for (kind, column, reason) in result.reasons if kind == "error"]
    column, reason = errors[0]
    return f"{result.refused:,} of {result.products:,} products would be left out, the first for {column}: {reason}"


@checked
def fill_sheet(
    predictions: AnyPath,
    sheet: AnyPath,
    output: AnyPath,
    *,
    language: str | None = None,
    key: str | None = None,
    sure: float | None = None,
    overwrite: bool = False,
) -> SheetResult:
    """Fill the empty cells of a shop's own sheet with labels, found by SKU, and return what was filled.

    Its columns are recognised by their names, in English, German, French or Spanish. A column that already has values
    is filled in the same spelling. In an .xlsx, formulas, formats and other sheets stay unchanged. `key` is the sheet's
    SKU column. With `overwrite`, cells that have a value are replaced, too, but never formulas.

    Raises `TableError` for a sheet without a SKU column, or without a column that labels can fill.
    """
    source, own, target = Path(predictions), Path(sheet), Path(output)
    if own.suffix.lower() != target.suffix.lower():
        raise UsageError(
            f"the sheet is {own.suffix}, the output {target.suffix}",
            fix=f"Give it the extension {own.suffix}.",
        )
    check_destinations([Destination("output", target)], [source, own])
    finder = ProductFinder(ProductReader(open_table(source), sure=SURE if sure is None else sure))
    table = open_table(own)
    plan = plan_sheet(table, finder, key=key, language=language)
    filler = SheetFiller(table, finder, plan, overwrite=overwrite)
    with contextlib.ExitStack() as stack:
        write_filled(own, table, filler, _open(target, stack))
    return filler.result


class TaxonomyReport(NamedTuple):
    """How a mapping covers a model's paths and a table's products, and how it differs from a channel's file."""

    check: MappingCheck
    products: Counter[str]
    differences: list[str]
    source: Mapping[str, Any]


def check_taxonomy(
    name: str, model: str = DEFAULT_NAME, labels: Path | None = None, against: Path | None = None
) -> TaxonomyReport:
    """Check a mapping against a model, the products of a table of labels, and the channel's own file.

    Raises `UsageError` for an unknown taxonomy or model, `TableError` for a table that cannot be read.
    """
    mapping, card = load_mapping(name), read_card(find_bundle(model))
    classes = {head.column: head.classes for head in card.heads}
    check = check_mapping(mapping, card.taxonomy.paths, classes)
    products: Counter[str] = Counter()
    if labels is not None:
        for product in ProductReader(open_table(labels)):
            rule = mapping.find(product.sure)
            products["unmapped" if rule is None else rule.category.confidence] += 1
    lines = [] if against is None else against.read_text("utf-8", errors="replace").splitlines()
    differences = compare_with_official(mapping, lines) if against is not None else []
    return TaxonomyReport(check, products, differences, mapping.source)


def draft_taxonomy(categories: Path, output: Path, model: str = DEFAULT_NAME) -> tuple[int, int]:
    """Draft a mapping to a shop's categories, one per line; return how many paths are mapped, and their total."""
    check_destinations([Destination("output", output)], [categories])
    paths = read_card(find_bundle(model)).taxonomy.paths
    draft = draft_mapping(
        paths, [line for line in categories.read_text("utf-8").splitlines() if line.strip()]
    )
    write_whole(draft, output)
    return draft.count(b",judgement,"), len(paths)
