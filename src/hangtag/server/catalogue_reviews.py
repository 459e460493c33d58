"""Batches for reviewing findings of the catalogue's check, and tables with the resulting corrections."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

from sqlalchemy import select

from hangtag.datasets.cleaned import open_rows
from hangtag.datasets.interface import Catalogue
from hangtag.domain.columns import ID
from hangtag.domain.errors import ConflictError, NotStoredError, PhotoError
from hangtag.server.batch_service import BatchService
from hangtag.server.catalogue import ShownCatalogue
from hangtag.server.schemas import CatalogueFinding
from hangtag.server.settings import Settings
from hangtag.store.batches import CATALOGUE_REVIEWS
from hangtag.store.database import writing
from hangtag.store.intake import IncomingFile, Intake, take_files
from hangtag.store.sheet_files import read_rows, read_sheet
from hangtag.store.shop_settings import read_setting, write_setting
from hangtag.store.tables import ProductRow
from hangtag.tables.rows import Row
from hangtag.tables.tables import csv_writer

Finding = Literal["suspects", "duplicates", "missing"]

MOST_FINDINGS: Final = 1000
"""The largest number of findings in a review. The next review has the rest, once these are corrected."""

_KINDS: Final[Mapping[Finding, tuple[str, ...]]] = {
    "suspects": ("suspect_label",),
    "duplicates": ("duplicates_disagree", "near_duplicates_disagree"),
    "missing": ("missing_photo",),
}
_NAMES: Final[Mapping[Finding, str]] = {
    "suspects": "Suspect labels",
    "duplicates": "Duplicates that disagree",
    "missing": "Missing photos",
}
_SHEET: Final = "catalogue.csv"


class NothingFoundError(ConflictError):
    """The check of the catalogue found nothing of this kind, or has not finished."""

    code = "nothing_found"


class CatalogueReviews:
    """Makes batches of findings, and tables of corrections."""

    def __init__(self, batches: BatchService, catalogue: ShownCatalogue, settings: Settings) -> None:
        self._batches = batches
        self._store = batches.store
        self._catalogue = catalogue
        self._settings = settings

    def make(self, finding: Finding, who: str | None) -> dict[str, Any]:
        """Make a batch of the findings of a kind: their photos, and rows with their current labels.

        Raises `NothingFoundError` if there are none, or the catalogue is still being checked.
        """
        source, findings = self._catalogue.source, self._catalogue.findings
        if source is None or findings is None:
            raise NothingFoundError(f"the catalogue is not checked: {self._catalogue.checking.message}")
        wanted = [found for found in findings.findings if found.kind in _KINDS[finding]][:MOST_FINDINGS]
        if not wanted:
            raise NothingFoundError(self._explain_nothing(finding))
        photos = dict.fromkeys(found.photo for found in wanted if found.photo)
        ids = {found.id for found in wanted if found.id} | {Path(photo).stem for photo in photos}
        made = self._batches.batches.create(f"{_NAMES[finding]} of {source.name}", None, who)
        with self._store.folder.receiving() as folder:
            intake = Intake(self._store, folder, self._settings.max_batch_photos)
            _write_table(source, folder / _SHEET, ids)
            intake.take(IncomingFile(folder / _SHEET, _SHEET))
            for number, photo in enumerate(photos):
                _take_photo(source, photo, folder / str(number), intake)
            with self._store.engine.connect() as connection:
                batch = self._store.find_batch(connection, made["id"])
            take_files(self._store, batch, intake)
        self._batches.batches.use_sheet(made["id"], None, None)
        self._batches.notes.add_findings(made["id"], _group_by_key(wanted))
        with writing(self._store.engine) as connection:
            reviews = read_setting(connection, CATALOGUE_REVIEWS)
            write_setting(connection, CATALOGUE_REVIEWS, {**reviews, made["id"]: finding})
        return self._batches.batches.get(made["id"])

    def _explain_nothing(self, finding: Finding) -> str:
        if finding == "suspects" and self._catalogue.labels is None:
            return (
                "no labels were compared: start the service with `--labels out_of_fold.parquet`, "
                "which `hangtag train --folds 5` writes"
            )
        return f"the check of the catalogue found no {_NAMES[finding].lower()}"

    def iter_corrected(self, batch_id: str) -> Iterator[bytes]:
        """Return the catalogue's whole table as CSV, with the labels that people set in a review of it.

        Raises `NotStoredError` for a batch that is not a review of the catalogue.
        """
        with self._store.engine.connect() as connection:
            batch = self._store.find_batch(connection, batch_id)
            is_review = batch_id in read_setting(connection, CATALOGUE_REVIEWS)
        source = self._catalogue.source
        if not is_review or source is None:
            raise NotStoredError("the batch does not come from the catalogue of this service")
        return _iter_table(source, self._read_corrections(batch.number))

    def _read_corrections(self, batch: int) -> dict[str, dict[str, str]]:
        """Return people's labels for the products of a batch, by the id in their rows."""
        with self._store.engine.connect() as connection:
            sheet = read_sheet(connection, batch)
            assert sheet is not None  # noqa: S101 - a review has one
            place = [column.name for column in sheet.columns].index(ID)
            rows = read_rows(connection, batch)
            statement = select(ProductRow.row, ProductRow.said).where(
                ProductRow.batch == batch, ~ProductRow.removed, ProductRow.row.is_not(None)
            )
            return {
                rows[product.row][1][place]: {name: entry["value"] for name, entry in product.said.items()}
                for product in connection.execute(statement)
                if product.said
            }


def _group_by_key(findings: Sequence[CatalogueFinding]) -> dict[str, list[tuple[str, str | None]]]:
    """Return the findings by product: the message, and the column concerned."""
    grouped: dict[str, list[tuple[str, str | None]]] = {}
    for found in findings:
        key = found.id or (Path(found.photo).stem if found.photo else None)
        if key:
            grouped.setdefault(key, []).append((found.message, found.column))
    return grouped


def _take_photo(source: Catalogue, photo: str, path: Path, intake: Intake) -> None:
    """Take a photo of the catalogue into a batch. An unreadable one is left out, and its row says so."""
    try:
        path.write_bytes(source.read_photo(photo))
    except PhotoError:
        return
    intake.take(IncomingFile(path, photo))


def _write_table(source: Catalogue, path: Path, ids: set[str]) -> None:
    with open_rows(source) as rows, path.open("w", newline="", encoding="utf-8") as file:
        writer = csv_writer(file)
        writer.writerow(rows.columns)
        place = rows.columns.index(ID)
        for row in rows:
            if isinstance(row, Row) and row.values[place] in ids:
                writer.writerow([value or "" for value in row.values])


def _iter_table(source: Catalogue, corrections: Mapping[str, Mapping[str, str]]) -> Iterator[bytes]:
    with open_rows(source) as rows:
        columns = rows.columns
        place = columns.index(ID)
        yield _render(columns)
        for row in rows:
            if isinstance(row, Row):
                said = corrections.get(row.values[place] or "", {})
                pairs = zip(columns, row.values, strict=True)
                yield _render([said.get(column, value or "") for column, value in pairs])


def _render(cells: Sequence[str]) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(cells)
    return buffer.getvalue().encode()
