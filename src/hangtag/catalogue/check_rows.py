"""Check the rows of a catalogue against its photos: every row has its photo and every photo its row."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from hangtag.catalogue.findings import Finding, FindingKind
from hangtag.datasets.cleaned import open_rows
from hangtag.datasets.interface import Catalogue
from hangtag.domain.columns import ID, LABEL_COLUMNS
from hangtag.tables.matching import photos_by_id, product_id
from hangtag.tables.rows import Reject, RejectReason

Labels = tuple[str | None, ...]


@dataclass(slots=True)
class Rows:
    """The rows of a catalogue as far as a check needs them.

    `label_columns` are those of `LABEL_COLUMNS` that the table has; `labels` holds each id's values in their
    order.
    """

    label_columns: tuple[str, ...]
    labels: dict[str, Labels] = field(default_factory=dict)
    rejects: list[Reject] = field(default_factory=list)


def read_rows(catalogue: Catalogue) -> Rows:
    """Read the table. Of several rows with one id the first counts, as in `hangtag clean`.

    Raises `CatalogueError` when the table cannot be read.
    """
    with open_rows(catalogue) as reader:
        rows = Rows(tuple(column for column in LABEL_COLUMNS if column in reader.columns))
        positions = [reader.columns.index(column) for column in rows.label_columns]
        id_position = reader.columns.index(ID)
        same: dict[Labels, Labels] = {}  # a catalogue has far fewer combinations of labels than rows
        for row in reader:
            if isinstance(row, Reject):
                rows.rejects.append(row)
                continue
            id_ = str(row.values[id_position])
            if id_ in rows.labels:
                rows.rejects.append(
                    Reject(row.line, RejectReason.DUPLICATE_ID, f"the id {id_} comes twice", row.raw)
                )
                continue
            labels = tuple(row.values[position] for position in positions)
            rows.labels[id_] = same.setdefault(labels, labels)
    return rows


def iter_row_findings(rows: Rows, photo_names: frozenset[str]) -> Iterator[Finding]:
    """Iterate what is wrong between the rows and the photos, without opening one."""
    photos = photos_by_id(photo_names)
    for id_ in rows.labels:
        if id_ not in photos:
            yield Finding(FindingKind.MISSING_PHOTO, "no photo bears this id", id=id_)
    for reject in rows.rejects:
        yield Finding(FindingKind.REJECTED_ROW, f"line {reject.line}: {reject.explanation} ({reject.reason})")
    yield from _iter_photo_findings(rows.labels, photos, photo_names)


def _iter_photo_findings(
    labels: Mapping[str, Labels], photos: Mapping[str, str], photo_names: frozenset[str]
) -> Iterator[Finding]:
    for name in sorted(photo_names):
        id_ = product_id(name)
        if id_ not in labels:
            yield Finding(FindingKind.PHOTO_WITHOUT_ROW, f"no row has the id {id_}", photo=name)
        elif photos[id_] != name:
            yield Finding(FindingKind.SECOND_PHOTO, f"{photos[id_]} is used", id=id_, photo=name)
