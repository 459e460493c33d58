"""Checking a catalogue: its table, its photos, and whether they match.

With decoding, each photo must open and show a product, and identical photos must have identical labels.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Final, NamedTuple

from hangtag.catalogue.check_rows import Rows, iter_row_findings, read_rows
from hangtag.catalogue.findings import CheckResult, ColumnNoise, Finding, FindingKind
from hangtag.catalogue.noise_ceiling import NoiseCeiling, measure_noise_ceilings
from hangtag.catalogue.suspects import MIN_EXAMPLES, find_suspects
from hangtag.datasets.interface import Catalogue, OnProgress, for_each_photo, silent
from hangtag.datasets.out_of_fold import OutOfFold
from hangtag.domain.errors import PhotoError
from hangtag.imaging import fingerprint, quality
from hangtag.imaging.budget import DEFAULT_LIMITS
from hangtag.imaging.fingerprint import Fingerprint, fingerprint_photo, near_duplicate_groups
from hangtag.imaging.quality import PhotoQuality, inspect_photo

USUAL_SHARE: Final = 0.5
"""A size is a catalogue's usual one if more than this share of its photos have it."""


NAMED_IDS: Final = 5
"""How many ids a message lists before it only counts the rest."""

Values = Mapping[str, Sequence[str]]
"""The ids with each value of a column."""


class SeenPhoto(NamedTuple):
    """A photo that could be opened."""

    quality: PhotoQuality
    fingerprint: Fingerprint


def see_photo(catalogue: Catalogue, name: str) -> SeenPhoto | PhotoError:
    """Open one photo. Return its properties, or why it could not be opened."""
    try:
        quality, image = inspect_photo(catalogue.read_photo(name))
    except PhotoError as error:
        return error
    return SeenPhoto(quality, fingerprint_photo(image))


def find_usual_size(seen: Mapping[str, SeenPhoto]) -> tuple[int, int] | None:
    """Return the (width, height) in pixels that most photos have; None if no size prevails."""
    sizes = Counter((photo.quality.width, photo.quality.height) for photo in seen.values())
    if not sizes:
        return None
    size, count = sizes.most_common(1)[0]
    return size if count > USUAL_SHARE * len(seen) else None


def iter_quality_findings(
    photos: Mapping[str, SeenPhoto | PhotoError], usual_size: tuple[int, int] | None, rows: Rows
) -> Iterator[Finding]:
    """Iterate the findings about single photos."""
    for name, seen in photos.items():
        id_ = rows.id_of(name)
        if isinstance(seen, PhotoError):
            yield Finding(FindingKind.UNDECODABLE, f"{seen.reason}: {seen.detail}", id_, name)
        else:
            for kind, detail in _iter_flaws(name, seen.quality, usual_size):
                yield Finding(kind, detail, id_, name)


def _iter_flaws(
    name: str, quality: PhotoQuality, usual_size: tuple[int, int] | None
) -> Iterator[tuple[FindingKind, str]]:
    if not quality.fits_name(name):
        yield FindingKind.WRONG_FORMAT, f"the file is a {quality.format}"
    if quality.is_blank or quality.is_nearly_blank:
        kind = FindingKind.BLANK if quality.is_blank else FindingKind.NEARLY_BLANK
        yield kind, f"its contrast is {quality.contrast:.1f} levels"
    if usual_size is not None and (quality.width, quality.height) != usual_size:
        yield FindingKind.ODD_SIZE, f"{quality.width}x{quality.height}, not {usual_size[0]}x{usual_size[1]}"
    if quality.is_grey:
        yield FindingKind.GREYSCALE, f"the file's mode is {quality.mode}"
    if quality.mode == "CMYK":
        yield FindingKind.CMYK, "the file's mode is CMYK"
    if quality.is_transparent:
        yield FindingKind.TRANSPARENT, f"the file's mode is {quality.mode}"
    if quality.frames > 1:
        yield FindingKind.SEVERAL_FRAMES, f"{quality.frames} pictures"


def iter_duplicate_findings(prints: Mapping[str, Fingerprint], rows: Rows) -> Iterator[Finding]:
    """Iterate the exact and near duplicates among the photos, group by group, and their differing labels.

    Groups are numbered from 1; exact and near duplicates of one picture share a number.
    """
    numbers = near_duplicate_groups(list(prints.values()))
    groups: dict[int, list[str]] = defaultdict(list)
    for name, number in zip(prints, numbers, strict=True):
        groups[number].append(name)
    several = (names for names in groups.values() if len(names) > 1)
    for number, names in enumerate(several, start=1):
        yield from _iter_group_findings(number, names, prints, rows)


def _iter_group_findings(
    number: int, names: Sequence[str], prints: Mapping[str, Fingerprint], rows: Rows
) -> Iterator[Finding]:
    by_pixels: dict[str, list[str]] = defaultdict(list)
    for name in names:
        by_pixels[prints[name].pixels_sha256].append(name)
    said: set[tuple[str, frozenset[str]]] = set()
    for same in by_pixels.values():
        for name in same if len(same) > 1 else ():
            yield _about(rows, FindingKind.DUPLICATE, name, f"the same as {_other(name, same)}", number)
        for column, values in _iter_disagreements(same, rows):
            said.add((column, frozenset(values)))
            disagree = _about(
                rows, FindingKind.DUPLICATES_DISAGREE, same[0], _describe(column, values), number
            )
            yield replace(disagree, column=column)
    if len(by_pixels) == 1:
        return
    for name in names:
        others = [other for other in names if prints[other].pixels_sha256 != prints[name].pixels_sha256]
        yield _about(rows, FindingKind.NEAR_DUPLICATE, name, f"nearly the same as {others[0]}", number)
    for column, values in _iter_disagreements(names, rows):
        if (column, frozenset(values)) not in said:
            disagree = _about(
                rows, FindingKind.NEAR_DUPLICATES_DISAGREE, names[0], _describe(column, values), number
            )
            yield replace(disagree, column=column)


def _iter_disagreements(names: Sequence[str], rows: Rows) -> Iterator[tuple[str, Values]]:
    """Iterate the label columns in which photos have different values. A missing value contradicts nothing."""
    for position, column in enumerate(rows.label_columns):
        ids: dict[str, list[str]] = defaultdict(list)
        for name in names:
            id_ = rows.id_of(name)
            value = rows.labels[id_][position] if id_ in rows.labels else None
            if value is not None:
                ids[value].append(id_)
        if len(ids) > 1:
            yield column, ids


def _about(rows: Rows, kind: FindingKind, name: str, detail: str, group: int) -> Finding:
    return Finding(kind, detail, rows.id_of(name), name, group)


def _other(name: str, names: Sequence[str]) -> str:
    return next(other for other in names if other != name)


def _describe(column: str, values: Values) -> str:
    return f"{column}: " + "; ".join(f"{value} ({_name_some(ids)})" for value, ids in sorted(values.items()))


def _name_some(ids: Sequence[str]) -> str:
    more = len(ids) - NAMED_IDS
    return ", ".join(ids[:NAMED_IDS]) + (f" and {more} more" if more > 0 else "")


def check_catalogue(
    catalogue: Catalogue,
    *,
    decode: bool = False,
    guesses: OutOfFold | None = None,
    on_progress: OnProgress = silent,
) -> CheckResult:
    """Check a catalogue. With `decode`, every photo is opened, in several threads, and compared to the others.

    With `guesses`, which are predictions, labels are checked against them. Raises `CatalogueError` if the table or the
    folder of photos cannot be read, and `UsageError` for guesses about other products.
    """
    rows = read_rows(catalogue)
    findings = list(iter_row_findings(rows))
    settings: dict[str, object] = {"decode": decode}
    ceilings: list[NoiseCeiling] = []
    noise: list[ColumnNoise] = []
    if guesses is not None:
        suspects, noise = find_suspects(guesses, rows)
        findings += suspects
        settings |= {"out_of_fold": dict(guesses.facts), "min_examples": MIN_EXAMPLES}
    if decode:
        seen_findings, usual_size, ceilings = _open_all(catalogue, rows, on_progress)
        findings += seen_findings
        settings |= _decode_settings(usual_size)
    seen = (len(rows.labels), len(rows.photo_names), decode)
    return CheckResult(catalogue.name, *seen, settings, findings, ceilings, noise)


def _open_all(
    catalogue: Catalogue, rows: Rows, on_progress: OnProgress
) -> tuple[list[Finding], tuple[int, int] | None, list[NoiseCeiling]]:
    photos = for_each_photo(rows.photo_names, partial(see_photo, catalogue), on_progress)
    seen = {name: photo for name, photo in photos.items() if isinstance(photo, SeenPhoto)}
    usual_size = find_usual_size(seen)
    findings = list(iter_quality_findings(photos, usual_size, rows))
    prints = {name: photo.fingerprint for name, photo in seen.items()}
    findings += iter_duplicate_findings(prints, rows)
    labels = {name: rows.labels[id_] for name, id_ in rows.photos.id_of.items()}
    return findings, usual_size, measure_noise_ceilings(prints, rows.label_columns, labels)


def _decode_settings(usual_size: tuple[int, int] | None) -> dict[str, object]:
    """Return the limits used to judge photos, for the report."""
    return {
        "usual_size": usual_size,
        "blank_contrast": quality.BLANK_CONTRAST,
        "nearly_blank_contrast": quality.NEARLY_BLANK_CONTRAST,
        "max_bits": fingerprint.MAX_BITS,
        "max_cell_difference": fingerprint.MAX_CELL_DIFFERENCE,
        "max_difference_to_contrast": fingerprint.MAX_DIFFERENCE_TO_CONTRAST,
        "max_brightness_difference": fingerprint.MAX_BRIGHTNESS_DIFFERENCE,
        "max_bytes": DEFAULT_LIMITS.max_bytes,
        "max_pixels": DEFAULT_LIMITS.max_pixels,
        "min_side": DEFAULT_LIMITS.min_side,
    }
