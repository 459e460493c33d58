"""Checking the rows of a catalogue against its photos: every row needs its photo and every photo its row."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from hangtag.catalogue.findings import Finding, FindingKind
from hangtag.datasets.cleaned import open_rows
from hangtag.datasets.interface import Catalogue
from hangtag.domain.columns import ID, LABEL_COLUMNS
from hangtag.domain.text import render_count
from hangtag.tables.matching import Match, ProductPhotos, match_products, product_id
from hangtag.tables.rows import Reject, RejectReason

Labels = tuple[str | None, ...]


@dataclass(slots=True)
class Rows:
    """The rows of a catalogue, reduced to what a check needs.

    `label_columns` are those of `LABEL_COLUMNS` that the table has; `labels` holds each id's values in that order.
    `photos` says which photo shows which product. `other_files` counts files that are not photos, by ending.
    """

    label_columns: tuple[str, ...]
    labels: dict[str, Labels] = field(default_factory=dict)
    rejects: list[Reject] = field(default_factory=list)
    photo_names: frozenset[str] = frozenset()
    photos: ProductPhotos = field(default_factory=lambda: ProductPhotos({}, {}, {}))
    other_files: Mapping[str, int] = field(default_factory=dict)

    def id_of(self, photo: str) -> str:
        """Return the id of the product that a photo shows, or would show if there were a row for it."""
        return self.photos.id_of.get(photo) or product_id(photo)


def read_rows(catalogue: Catalogue) -> Rows:
    """Read the table and the names of the photos. Of several rows with one id, the first counts, as in `hangtag clean`.

    Raises `CatalogueError` if the table or the folder of photos cannot be read.
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
                    Reject(row.line, RejectReason.DUPLICATE_ID, f"the id {id_} occurs twice", row.raw)
                )
                continue
            labels = tuple(row.values[position] for position in positions)
            rows.labels[id_] = same.setdefault(labels, labels)
    rows.photo_names = catalogue.photo_names()
    rows.photos = match_products(rows.labels, rows.photo_names)
    rows.other_files = catalogue.other_files()
    return rows


def iter_row_findings(rows: Rows) -> Iterator[Finding]:
    """Iterate the mismatches between rows and photos, without opening photos."""
    for id_ in rows.labels:
        if id_ not in rows.photos.photo_of:
            yield Finding(FindingKind.MISSING_PHOTO, _why_missing(rows.photos.candidates.get(id_)), id=id_)
    for reject in rows.rejects:
        yield Finding(FindingKind.REJECTED_ROW, f"line {reject.line}: {reject.explanation} ({reject.reason})")
    for name in sorted(rows.photo_names):
        owner = rows.photos.id_of.get(name)
        if owner is None:
            yield Finding(FindingKind.PHOTO_WITHOUT_ROW, f"no row has the id {product_id(name)}", photo=name)
        elif (used := rows.photos.photo_of[owner]) != name:
            yield Finding(FindingKind.SECOND_PHOTO, f"{used} is used", id=owner, photo=name)
    for ending, count in rows.other_files.items():
        if ending.startswith("."):
            counted, where = render_count(count, f"{ending} file", f"{ending} files"), f"*{ending}"
        else:  # the name of a file without an ending
            counted, where = render_count(count, f"file named {ending}", f"files named {ending}"), ending
        yield Finding(FindingKind.OTHER_FILES, f"{counted} passed over", photo=where)
    yield from iter_twin_labels(rows)


def _why_missing(match: Match | None) -> str:
    return f"no photo has this id; {match.explain()}" if match else "no photo has this id"


def iter_twin_labels(rows: Rows) -> Iterator[Finding]:
    """Iterate the labels of a column that differ only in case, spaces and punctuation: most likely one class."""
    for position, column in enumerate(rows.label_columns):
        counts = Counter(values[position] for values in rows.labels.values())
        twins: defaultdict[str, list[str]] = defaultdict(list)
        for label in counts:
            if label is not None:
                twins[_letters(label)].append(label)
        for labels in twins.values():
            if len(labels) > 1:
                by_size = sorted(labels, key=lambda label: (-counts[label], label))
                shown = ", ".join(f"{label} ({counts[label]:,})" for label in by_size)
                yield Finding(FindingKind.TWIN_LABELS, f"{column}: {shown}")


def _letters(label: str) -> str:
    """Return the letters and digits of a label, or the whole label if it has none."""
    return "".join(filter(str.isalnum, label.casefold())) or label
