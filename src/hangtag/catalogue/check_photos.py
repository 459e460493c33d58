"""Check the photos of a catalogue one by one: can each be opened, and does it show a product."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from hangtag.catalogue.findings import Finding, FindingKind
from hangtag.datasets.interface import Catalogue
from hangtag.domain.errors import PhotoError
from hangtag.imaging.fingerprint import Fingerprint, fingerprint_photo
from hangtag.imaging.quality import PhotoQuality, inspect_photo
from hangtag.tables.matching import product_id

USUAL_SHARE: Final = 0.5
"""A size is a catalogue's usual one when more than this share of its photos have it."""


class SeenPhoto(NamedTuple):
    """A photo that could be opened."""

    quality: PhotoQuality
    fingerprint: Fingerprint


def see_photo(catalogue: Catalogue, name: str) -> SeenPhoto | PhotoError:
    """Open one photo; return what was seen, or why nothing was."""
    try:
        quality, image = inspect_photo(catalogue.read_photo(name))
    except PhotoError as error:
        return error
    return SeenPhoto(quality, fingerprint_photo(image))


def find_usual_size(seen: Mapping[str, SeenPhoto]) -> tuple[int, int] | None:
    """Return the (width, height) in pixels that most photos have, or None where no size prevails."""
    sizes = Counter((one.quality.width, one.quality.height) for one in seen.values())
    if not sizes:
        return None
    size, count = sizes.most_common(1)[0]
    return size if count > USUAL_SHARE * len(seen) else None


def iter_quality_findings(
    photos: Mapping[str, SeenPhoto | PhotoError], usual_size: tuple[int, int] | None
) -> Iterator[Finding]:
    """Iterate what is wrong with each photo on its own."""
    for name, seen in photos.items():
        id_ = product_id(name)
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
