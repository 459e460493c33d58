"""What can be done with a catalogue: read, clean, check, split, count and describe it."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from hangtag.catalogue.check import check_catalogue
from hangtag.catalogue.clean import CleanReport, clean_catalogue
from hangtag.catalogue.describe import count_products, cross_table
from hangtag.catalogue.findings import FINDINGS_CSV, FINDINGS_JSON, CheckResult, write_findings
from hangtag.catalogue.split import SplitReport, split_catalogue, split_report_path, split_tables, write_split
from hangtag.catalogue.suspects import SUSPECTS_CSV, write_suspects
from hangtag.datasets.cleaned import list_cleaned_files, load_cleaned, read_cleaned
from hangtag.datasets.folder import CLEANED_FILES
from hangtag.datasets.interface import list_photo_folders
from hangtag.datasets.opening import list_table_files, open_catalogue, open_custom_set
from hangtag.datasets.out_of_fold import read_out_of_fold
from hangtag.datasets.prints import fingerprint_catalogue
from hangtag.datasets.splits import SplitSettings
from hangtag.domain.errors import UsageError
from hangtag.domain.extras import require_extra
from hangtag.pipelines.arguments import (
    SILENT,
    AnyPath,
    Destination,
    Progress,
    check_destinations,
    checked,
    follow,
    refuse_among_photos,
)
from hangtag.tables.tables import REPORT_SUFFIXES, need_table_name, write_json, write_report

if TYPE_CHECKING:
    import pandas as pd

    from hangtag.catalogue.describe import Statistics
    from hangtag.datasets.opening import Catalogue

FINGERPRINTS: Final = "fingerprints.parquet"
"""The file next to a split table that makes the next split of the same photos fast."""

JSON_SUFFIX: Final = ".json"


@dataclass(frozen=True, slots=True)
class CatalogueTable:
    """The cleaned table of a catalogue, one row per product, and the names of its photos."""

    name: str
    path: Path
    table: pa.Table
    photo_names: frozenset[str]

    @property
    def columns(self) -> list[str]:
        """The names of the columns."""
        return list(self.table.column_names)

    def to_arrow(self) -> pa.Table:
        """Return the products as a pyarrow table."""
        return self.table

    def to_pandas(self) -> "pd.DataFrame":
        """Return the products as a pandas data frame. Raises `UsageError` if pandas is not installed."""
        try:
            return self.table.to_pandas()
        except ImportError:
            raise UsageError("to_pandas needs pandas", fix="Run `pip install pandas`.") from None

    def to_dicts(self) -> list[dict[str, str | None]]:
        """Return the products as dictionaries by column."""
        rows: list[dict[str, str | None]] = self.table.to_pylist()
        return rows

    def __len__(self) -> int:
        """Return the number of products."""
        return int(self.table.num_rows)

    def __repr__(self) -> str:
        return f"<CatalogueTable {self.name}: {len(self):,} products, {len(self.photo_names):,} photos>"


@checked
def read_catalogue(catalogue: AnyPath) -> CatalogueTable:
    """Read a catalogue in any format that hangtag knows, and clean its table in memory. No file is written.

    Raises `CatalogueError` if there is none at this path, or its table cannot be read.

    >>> import hangtag
    >>> products = hangtag.read_catalogue("catalogue")
    >>> products
    <CatalogueTable catalogue: 6 products, 6 photos>
    >>> products.columns[:5]
    ['id', 'gender', 'masterCategory', 'subCategory', 'articleType']
    >>> products.to_dicts()[0]["articleType"]
    'Tshirts'
    """
    path = Path(catalogue)
    with open_catalogue(path) as source:
        return CatalogueTable(source.name, path, read_cleaned(source).table, source.photo_names())


@checked
def clean(catalogue: AnyPath, output: AnyPath = "cleaned") -> CleanReport:
    """Repair a catalogue's table without losing a row; return a report on its lines.

    Writes `cleaned.csv`, `cleaned.parquet`, `rejects.csv` and `clean-report.json` into the folder `output`.

    Raises `CatalogueError` if the table cannot be read, `UsageError` if the folder cannot be written to.

    >>> import hangtag
    >>> report = hangtag.clean("catalogue", "cleaned")
    >>> report.cleaned, report.rejected
    (6, 0)
    """
    path, folder = Path(catalogue), Path(output)
    destination = Destination("output", folder, is_folder=True, files=CLEANED_FILES)
    check_destinations([destination], list_table_files(path))
    with open_catalogue(path) as source:
        return clean_catalogue(source, folder)


@checked
def check(
    catalogue: AnyPath,
    *,
    decode: bool = False,
    labels: AnyPath | None = None,
    output: AnyPath | None = None,
    progress: Progress = SILENT,
) -> CheckResult:
    """Find what is wrong with a catalogue and its photos.

    With `decode`, every photo is opened and compared with the others. `labels` is a file of out-of-fold predictions to
    compare the labels with. The findings are written to the folder `output`, if given (`list_findings_files`).

    Raises `CatalogueError` if the catalogue cannot be read, `UsageError` for predictions of other products.

    >>> import hangtag
    >>> result = hangtag.check("catalogue")
    >>> result.is_good
    True
    """
    path = Path(catalogue)
    if output is not None:
        names = tuple(file.name for file in list_findings_files(Path(output), judged=labels is not None))
        read = [*list_table_files(path), *([] if labels is None else [Path(labels)])]
        check_destinations([Destination("output", Path(output), is_folder=True, files=names)], read)
    guesses = None if labels is None else read_out_of_fold(Path(labels))
    with open_catalogue(path) as source:
        on_progress = follow(progress, "Opening photos")
        result = check_catalogue(source, decode=decode, guesses=guesses, on_progress=on_progress)
    if output is not None:
        write_findings(result, Path(output))
        if guesses is not None:
            write_suspects(result.findings, Path(output) / SUSPECTS_CSV)
    return result


def list_findings_files(folder: Path, *, judged: bool) -> list[Path]:
    """Return the files that `check` writes to a folder; `judged` if it compared the labels with predictions."""
    return [folder / name for name in (FINDINGS_CSV, FINDINGS_JSON, *([SUSPECTS_CSV] if judged else []))]


@checked
def split(
    cleaned: AnyPath,
    catalogue: AnyPath,
    output: AnyPath = "split.parquet",
    *,
    progress: Progress = SILENT,
    **settings: Any,  # noqa: ANN401 - checked by SplitSettings
) -> SplitReport:
    """Split a cleaned table into train, validation and test, and write it as Parquet and CSV with a report as JSON.

    `cleaned` is the folder that `clean` wrote, its table, or the catalogue itself; `catalogue` holds the photos. The
    `settings` are the fields of `SplitSettings`, such as `strategy="grouped"`, `seed=42` and `test=0.1`.

    Raises `UsageError` for invalid settings, `CatalogueError` if a table or photos cannot be read.

    >>> import hangtag
    >>> report = hangtag.split(
    ...     "catalogue", "catalogue", "split.parquet", validation=0.2, test=0.3
    ... )
    >>> sum(report.counts.values())
    6
    """
    chosen = _split_settings(settings)
    cleaned, catalogue, output = Path(cleaned), Path(catalogue), Path(output)
    fingerprints = output.with_name(FINGERPRINTS)
    need_table_name(output)
    written = [*split_tables(output), split_report_path(output), fingerprints]
    check_destinations(
        [Destination("output", path, makes_folder=True) for path in written],
        [*list_cleaned_files(cleaned), *list_table_files(catalogue)],
    )
    table = load_cleaned(cleaned)
    with open_catalogue(catalogue) as source:
        on_progress = follow(progress, "Taking fingerprints")
        prints = fingerprint_catalogue(
            source, source.photo_names(), memory=fingerprints, on_progress=on_progress
        )
        return write_split(split_catalogue(table, source, chosen, prints), output)


def _split_settings(settings: dict[str, Any]) -> SplitSettings:
    known = SplitSettings.__dataclass_fields__
    unknown = [name for name in settings if name not in known]
    if unknown:
        raise UsageError(f"a split has no setting {unknown[0]!r}", fix=f"There are {', '.join(known)}.")
    try:
        return SplitSettings(**settings)
    except TypeError as error:
        raise UsageError(f"a setting of the split has the wrong type ({error})") from None


@checked
def count(cleaned: AnyPath, by: str | Sequence[str], output: AnyPath | None = None) -> pa.Table:
    """Count the products of a cleaned or split table, or of a catalogue, by one column or several.

    Returns a row for each combination of values with its `count` and its `share` (0 to 1), the largest first. With
    `output` (.csv, .xlsx, .json, .jsonl or .parquet), the counts are written, too: of two columns as a cross table.

    Raises `UsageError` for a column that does not exist.

    >>> import hangtag
    >>> hangtag.count("catalogue", "gender").to_pylist()
    [{'gender': 'Men', 'count': 3, 'share': 0.5}, {'gender': 'Women', 'count': 3, 'share': 0.5}]
    """
    path, columns = Path(cleaned), [by] if isinstance(by, str) else list(by)
    if output is not None:
        need_table_name(Path(output), JSON_SUFFIX, *REPORT_SUFFIXES)
        destination = Destination("output", Path(output), makes_folder=True)
        check_destinations([destination], list_cleaned_files(path))
    counts = count_products(load_cleaned(path), columns)
    if output is not None:
        _write_counts(cross_if_two(counts, columns), Path(output))
    return counts


def cross_if_two(counts: pa.Table, columns: Sequence[str]) -> pa.Table:
    """Return the counts of two columns as a cross table, others unchanged."""
    return cross_table(counts) if len(columns) == 2 else counts  # noqa: PLR2004 - two columns cross


def _write_counts(counts: pa.Table, output: Path) -> None:
    if output.suffix.lower() == JSON_SUFFIX:
        write_json(counts.to_pylist(), output)
    else:
        write_report(counts, output)


@dataclass(frozen=True, slots=True)
class Description:
    """The page about a catalogue, and its statistics: of the catalogue and, if there is one, of the custom set."""

    page: Path
    statistics: "Statistics"
    custom: "Statistics | None"


@checked
def describe(
    catalogue: AnyPath,
    output: AnyPath = "description",
    *,
    custom: AnyPath | None = None,
    progress: Progress = SILENT,
) -> Description:
    """Show what is in a catalogue, and in the custom set next to it. Needs the extra `report`.

    Writes `describe.html`, a self-contained page, its plots as PNG files, and `statistics.json` to the folder `output`.

    Raises `UsageError` if the extra is not installed or `output` lies among the photos, and `CatalogueError` if the
    catalogue cannot be read.

    >>> import hangtag
    >>> description = hangtag.describe("catalogue", "description")
    >>> description.page.name, description.statistics.name
    ('describe.html', 'catalogue')
    """
    require_extra("report", "describing a catalogue", "matplotlib", "jinja2")
    from hangtag.catalogue.describe_report import PAGE_HTML, STATISTICS_JSON, write_description

    path, folder = Path(catalogue), Path(output)
    destination = Destination("output", folder, is_folder=True, files=(PAGE_HTML, STATISTICS_JSON))
    check_destinations([destination], list_table_files(path))
    with ExitStack() as stack:
        source = stack.enter_context(open_catalogue(path))
        beside = open_catalogue(Path(custom)) if custom is not None else open_custom_set(path)
        if beside is not None:
            stack.enter_context(beside)
        for part in (source, beside):
            refuse_among_photos("output", folder, [] if part is None else list_photo_folders(part))
        main = _describe(source, progress)
        own = None if beside is None else _describe(beside, progress)
        page = write_description(main, own, folder, lambda step: progress.advance(f"Drawing {step}", 0, None))
    return Description(page, main.statistics, None if own is None else own.statistics)


def _describe(catalogue: "Catalogue", progress: Progress) -> Any:  # noqa: ANN401 - `Described`, which needs the extra
    from hangtag.catalogue.describe import describe_catalogue
    from hangtag.catalogue.describe_report import Described

    progress.advance(f"Reading {catalogue.name}", 0, None)
    return Described(catalogue, describe_catalogue(catalogue, read_cleaned(catalogue).table))
