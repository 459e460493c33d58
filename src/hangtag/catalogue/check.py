"""Check a catalogue: what is wrong with its table, its photos, and between them."""

from functools import partial

from hangtag.catalogue.check_photos import (
    SeenPhoto,
    find_usual_size,
    iter_duplicate_findings,
    iter_quality_findings,
    see_photo,
)
from hangtag.catalogue.check_rows import Rows, iter_row_findings, read_rows
from hangtag.catalogue.findings import CheckResult, Finding
from hangtag.catalogue.label_noise import MIN_EXAMPLES, ColumnNoise
from hangtag.catalogue.noise_ceiling import NoiseCeiling, measure_noise_ceilings
from hangtag.catalogue.suspects import find_suspects
from hangtag.datasets.interface import Catalogue
from hangtag.datasets.out_of_fold import OutOfFold
from hangtag.datasets.parallel import OnProgress, for_each_photo, silent
from hangtag.imaging import fingerprint, quality
from hangtag.imaging.decode import DEFAULT_LIMITS


def check_catalogue(
    catalogue: Catalogue,
    *,
    decode: bool = False,
    guesses: OutOfFold | None = None,
    on_progress: OnProgress = silent,
) -> CheckResult:
    """Check a catalogue. With `decode`, every photo is opened, in several threads, and compared to the others.

    With `guesses`, the labels are judged by them. Raises `CatalogueError` when the table or the folder of photos cannot
    be read, and `UsageError` for guesses about other products.
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
    """Return the limits that photos were judged by, for the report."""
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
