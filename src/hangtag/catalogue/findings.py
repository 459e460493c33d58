"""The findings of `hangtag check`: kinds, severities, the table of findings and its files."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Final, NamedTuple

import pyarrow as pa

from hangtag.catalogue.noise_ceiling import NoiseCeiling
from hangtag.tables.tables import write_json, write_report

FINDINGS_CSV: Final = "findings.csv"
FINDINGS_JSON: Final = "findings.json"


class Severity(StrEnum):
    """The severity of a finding. Error: a product has no usable photo. Warning: a person should look."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class FindingKind(StrEnum):
    """The kind of a finding. The value is the stable code."""

    MISSING_PHOTO = "missing_photo"
    UNDECODABLE = "undecodable"
    REJECTED_ROW = "rejected_row"
    PHOTO_WITHOUT_ROW = "photo_without_row"
    SECOND_PHOTO = "second_photo"
    OTHER_FILES = "other_files"
    TWIN_LABELS = "twin_labels"
    WRONG_FORMAT = "wrong_format"
    BLANK = "blank"
    NEARLY_BLANK = "nearly_blank"
    DUPLICATES_DISAGREE = "duplicates_disagree"
    SUSPECT_LABEL = "suspect_label"
    NEAR_DUPLICATES_DISAGREE = "near_duplicates_disagree"
    DUPLICATE = "duplicate"
    NEAR_DUPLICATE = "near_duplicate"
    ODD_SIZE = "odd_size"
    GREYSCALE = "greyscale"
    CMYK = "cmyk"
    TRANSPARENT = "transparent"
    SEVERAL_FRAMES = "several_frames"

    @property
    def severity(self) -> Severity:
        """How severe it is."""
        return _MEANINGS[self].severity

    @property
    def explanation(self) -> str:
        """One short clause for people."""
        return _MEANINGS[self].explanation


class _Meaning(NamedTuple):
    severity: Severity
    explanation: str


_MEANINGS: Final[Mapping[FindingKind, _Meaning]] = {
    FindingKind.MISSING_PHOTO: _Meaning(Severity.ERROR, "the row has no photo"),
    FindingKind.UNDECODABLE: _Meaning(Severity.ERROR, "the photo cannot be opened"),
    FindingKind.REJECTED_ROW: _Meaning(
        Severity.WARNING, "the line is not a product; hangtag clean leaves it out"
    ),
    FindingKind.PHOTO_WITHOUT_ROW: _Meaning(Severity.WARNING, "no row has this photo"),
    FindingKind.SECOND_PHOTO: _Meaning(
        Severity.WARNING, "the product has another photo, which is used instead"
    ),
    FindingKind.OTHER_FILES: _Meaning(
        Severity.WARNING, "files in the photo folder without a photo's extension were skipped"
    ),
    FindingKind.TWIN_LABELS: _Meaning(
        Severity.WARNING, "labels that differ only in capitals, spaces or hyphens, and may be the same"
    ),
    FindingKind.WRONG_FORMAT: _Meaning(Severity.WARNING, "the file's extension does not match its content"),
    FindingKind.BLANK: _Meaning(Severity.WARNING, "the photo shows nothing"),
    FindingKind.NEARLY_BLANK: _Meaning(Severity.WARNING, "the photo shows hardly anything"),
    FindingKind.DUPLICATES_DISAGREE: _Meaning(Severity.WARNING, "the same photo has different labels"),
    FindingKind.SUSPECT_LABEL: _Meaning(
        Severity.WARNING, "models that had not seen the photo confidently predict another label"
    ),
    FindingKind.NEAR_DUPLICATES_DISAGREE: _Meaning(
        Severity.INFO, "nearly the same photo has different labels"
    ),
    FindingKind.DUPLICATE: _Meaning(Severity.INFO, "the same pixels as another photo"),
    FindingKind.NEAR_DUPLICATE: _Meaning(Severity.INFO, "nearly the same picture as another photo"),
    FindingKind.ODD_SIZE: _Meaning(Severity.INFO, "the photo is not of the usual size"),
    FindingKind.GREYSCALE: _Meaning(Severity.INFO, "the file stores no colours"),
    FindingKind.CMYK: _Meaning(Severity.INFO, "the file stores printing colours"),
    FindingKind.TRANSPARENT: _Meaning(Severity.INFO, "the file has transparent areas, which become white"),
    FindingKind.SEVERAL_FRAMES: _Meaning(Severity.INFO, "the file holds several pictures; the first is used"),
}


@dataclass(frozen=True, slots=True)
class Suspect:
    """A given label that is probably wrong, and the suggested one.

    The probabilities are those of a model that had not seen the photo; `rank` 1 is the worst of its column.
    """

    column: str
    given: str
    suggested: str
    given_probability: float
    suggested_probability: float
    rank: int


SUSPECT_COLUMNS: Final = tuple(field.name for field in fields(Suspect))
"""The columns for suspect labels in a table of findings."""

_PROBABILITIES: Final = ("given_probability", "suggested_probability")


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding: where, and what exactly. `group` is the number of a duplicate group.

    `column` is the column concerned, or None for the whole photo or row. Only suspect labels have a `suspect`.
    """

    kind: FindingKind
    detail: str
    id: str | None = None
    photo: str | None = None
    group: int | None = None
    suspect: Suspect | None = None
    column: str | None = None

    @property
    def subject(self) -> str:
        """The photo or the id to look up."""
        return self.photo or self.id or ""


@dataclass(frozen=True, slots=True)
class KindSummary:
    """All findings of one kind: their number, their duplicate groups, and an example."""

    kind: FindingKind
    severity: Severity
    explanation: str
    count: int
    groups: int
    example: str


@dataclass(frozen=True, slots=True)
class ColumnNoise:
    """The summary of a column's labels.

    `labels` are known, and `judged` of them took part. `estimated_wrong` is the share of these that are probably wrong,
    and `suspects` the number of reported ones. `not_judged` lists the classes that were left out.
    """

    column: str
    labels: int
    judged: int
    estimated_wrong: float
    suspects: int
    not_judged: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of a check. `settings` are the limits that it used.

    `noise_ceilings` requires opened photos, `label_noise` requires out-of-fold predictions.
    """

    catalogue: str
    rows: int
    photos: int
    decoded: bool
    settings: Mapping[str, object]
    findings: Sequence[Finding]
    noise_ceilings: Sequence[NoiseCeiling] = ()
    label_noise: Sequence[ColumnNoise] = ()

    def summary(self) -> list[KindSummary]:
        """Return one entry for each kind of finding, the worst first."""
        by_kind: dict[FindingKind, list[Finding]] = {kind: [] for kind in FindingKind}
        for finding in self.findings:
            by_kind[finding.kind].append(finding)
        return [_summarise(kind, found) for kind, found in by_kind.items() if found]

    def count_severities(self) -> dict[Severity, int]:
        """Return how many findings there are of each severity."""
        counts = dict.fromkeys(Severity, 0)
        for finding in self.findings:
            counts[finding.kind.severity] += 1
        return counts

    @property
    def is_good(self) -> bool:
        """Whether there are no findings that a person should look at."""
        counts = self.count_severities()
        return counts[Severity.ERROR] == counts[Severity.WARNING] == 0


def _summarise(kind: FindingKind, found: Sequence[Finding]) -> KindSummary:
    first = found[0]
    groups = len({finding.group for finding in found} - {None})
    example = f"{first.subject}: {first.detail}" if first.subject else first.detail
    return KindSummary(kind, kind.severity, kind.explanation, len(found), groups, example)


def write_findings(result: CheckResult, folder: Path) -> tuple[Path, Path]:
    """Write `findings.csv` (a row for each finding) and `findings.json` (summary and settings); return both.

    Raises `CatalogueError` if a file cannot be written.
    """
    table, report = folder / FINDINGS_CSV, folder / FINDINGS_JSON
    write_report(_build_table(result.findings), table)
    write_json(
        {
            "catalogue": result.catalogue,
            "rows": result.rows,
            "photos": result.photos,
            "decoded": result.decoded,
            "severities": result.count_severities(),
            "summary": [asdict(entry) for entry in result.summary()],
            "noise_ceilings": [ceiling.to_json() for ceiling in result.noise_ceilings],
            "label_noise": [asdict(column) for column in result.label_noise],
            "settings": dict(result.settings),
        },
        report,
    )
    return table, report


def _build_table(findings: Sequence[Finding]) -> pa.Table:
    own = ("kind", "severity", "id", "photo", "detail", "group")
    numbers = {"group": pa.int64(), "rank": pa.int64()} | dict.fromkeys(_PROBABILITIES, pa.float64())
    schema = pa.schema([(name, numbers.get(name, pa.string())) for name in (*own, *SUSPECT_COLUMNS)])
    rows = [
        {name: getattr(found, name) for name in ("id", "photo", "detail", "group")}
        | {"kind": str(found.kind), "severity": str(found.kind.severity)}
        | ({} if found.suspect is None else asdict(found.suspect))
        for found in findings
    ]
    return pa.Table.from_pylist(rows, schema)
