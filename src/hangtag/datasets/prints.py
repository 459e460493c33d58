"""The fingerprints of all photos of a catalogue, computed by several threads and cached in a file."""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import pyarrow as pa
import pyarrow.parquet
from PIL import Image

from hangtag.datasets.interface import Catalogue, OnProgress, for_each_photo, silent
from hangtag.domain.errors import PhotoError
from hangtag.domain.reasons import Reason
from hangtag.imaging.decode import decode_photo
from hangtag.imaging.fingerprint import Fingerprint, fingerprint_photo, near_duplicate_groups
from hangtag.tables.tables import whole_file

_PROBE_KEY: Final = b"hangtag.probe"


class PhotoPrint(NamedTuple):
    """The fingerprint of one photo, or the reason why it has none.

    `size` (bytes) and `crc` (CRC-32 of the file) tell whether the photo is still the same.
    """

    size: int
    crc: int
    fingerprint: Fingerprint | None
    reason: Reason | None


def fingerprint_catalogue(
    catalogue: Catalogue,
    names: Iterable[str],
    *,
    memory: Path | None = None,
    on_progress: OnProgress = silent,
    threads: int | None = None,
) -> dict[str, PhotoPrint]:
    """Return the fingerprint of each named photo.

    With `memory`, a Parquet file, photos that are in it are not decoded again. Photos are identified by their bytes, so
    one file can serve several catalogues.
    """
    remembered = {} if memory is None else read_prints(memory)
    known = {(seen.size, seen.crc): seen for seen in remembered.values() if seen.size}
    prints = for_each_photo(names, lambda name: _take_print(catalogue, name, known), on_progress, threads)
    if memory is not None and any(
        seen.size and (seen.size, seen.crc) not in known for seen in prints.values()
    ):
        found = {(seen.size, seen.crc) for seen in prints.values()}
        # Photos of other catalogues with the same name, and older versions, are stored under their content.
        others = {
            f"{size}-{crc:08x}" if name in prints else name: seen
            for name, seen in remembered.items()
            for size, crc in [(seen.size, seen.crc)]
            if (size, crc) not in found
        }
        write_prints({**others, **prints}, memory)
    return prints


def _take_print(catalogue: Catalogue, name: str, known: Mapping[tuple[int, int], PhotoPrint]) -> PhotoPrint:
    size = crc = 0
    try:
        data = catalogue.read_photo(name)
        size, crc = len(data), zlib.crc32(data)
        if (size, crc) in known:
            return known[size, crc]
        return PhotoPrint(size, crc, fingerprint_photo(decode_photo(data)), None)
    except PhotoError as error:
        return PhotoPrint(size, crc, None, error.reason)


def group_duplicates(photos: Sequence[str | None], prints: Mapping[str, PhotoPrint]) -> list[int]:
    """Return for each photo the number of its duplicate group, counted from 0 in photo order.

    A missing photo, or one that cannot be decoded, is a group by itself.
    """
    fingerprints = [None if photo is None else prints[photo].fingerprint for photo in photos]
    groups = iter(near_duplicate_groups([known for known in fingerprints if known is not None]))
    numbers: dict[tuple[str, int], int] = {}
    keys = (
        ("alone", position) if fingerprint is None else ("group", next(groups))
        for position, fingerprint in enumerate(fingerprints)
    )
    return [numbers.setdefault(key, len(numbers)) for key in keys]


_SCHEMA = pa.schema(
    {
        "photo": pa.string(),
        "size": pa.int64(),
        "crc": pa.int64(),
        "reason": pa.string(),
        "pixels_sha256": pa.string(),
        "code": pa.binary(),
        "thumbnail": pa.binary(),
    }
)


def write_prints(prints: Mapping[str, PhotoPrint], path: Path) -> None:
    """Write prints as Parquet. Raises `CatalogueError` if the file cannot be written."""
    rows = [
        {"photo": name, "size": seen.size, "crc": seen.crc, "reason": seen.reason}
        | _fingerprint_columns(seen)
        for name, seen in prints.items()
    ]
    table = pa.Table.from_pylist(rows, _SCHEMA.with_metadata({_PROBE_KEY: _probe()}))
    with whole_file(path) as temporary:
        pyarrow.parquet.write_table(table, temporary, compression="zstd", use_dictionary=False)


def read_prints(path: Path) -> dict[str, PhotoPrint]:
    """Read fingerprints; none if the file is absent, damaged, or was written by another version of the algorithm."""
    try:
        table = pyarrow.parquet.read_table(path)
    except (OSError, pa.ArrowException):
        return {}
    if table.schema.names != _SCHEMA.names or (table.schema.metadata or {}).get(_PROBE_KEY) != _probe():
        return {}
    columns = (table.column(name).to_pylist() for name in _SCHEMA.names)
    return {
        name: PhotoPrint(size, crc, Fingerprint(digest, code, thumbnail), None)
        if reason is None
        else PhotoPrint(size, crc, None, Reason(reason))
        for name, size, crc, reason, digest, code, thumbnail in zip(*columns, strict=True)
    }


def _fingerprint_columns(one: PhotoPrint) -> dict[str, str | bytes]:
    if one.fingerprint is None:
        return {}
    fingerprint = one.fingerprint
    return {
        "pixels_sha256": fingerprint.pixels_sha256,
        "code": fingerprint.code,
        "thumbnail": fingerprint.thumbnail,
    }


def _probe() -> bytes:
    """Return the fingerprint of a fixed picture, which changes whenever the algorithm does."""
    picture = Image.linear_gradient("L").rotate(30).resize((60, 80)).convert("RGB")
    fingerprint = fingerprint_photo(picture)
    return fingerprint.pixels_sha256.encode() + fingerprint.code + fingerprint.thumbnail
