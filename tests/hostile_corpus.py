"""A corpus of hostile and odd photos, and what each of them costs.

    python tests/hostile_corpus.py [FOLDER] [--json]

Prints a table by kind: the number of files, their outcomes, the highest peak memory of a process and the most processor
seconds; with `--json`, a line for each file. Each large file is decoded in a separate process, small ones 15 at a time.
"""

import json
import os
import random
import resource
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import numpy as np
from PIL import Image

from hangtag.domain.errors import PhotoError
from hangtag.imaging import apart
from hangtag.imaging.decode import read_photo_bytes
from hangtag.imaging.preprocess import Preprocessing, decode_for
from hostile_files import (
    animated,
    encode,
    jpeg_segment,
    png,
    png_chunk,
    progressive_jpeg,
    webp_of_one_colour,
    xz_of_large_dictionary,
)

LARGE = (7000, 7000)
SMALL = ("damaged", "odd")
SMALL_TOGETHER = 15
PREPROCESSING = Preprocessing(112, 112, 60, 80)
Made = Iterator[tuple[str, Callable[[], bytes]]]


@dataclass
class Outcome:
    """The outcome for a file: `ok` or a reason, the highest peak of a process in MB, processor seconds of all."""

    kind: str
    name: str
    result: str
    peak_mb: float
    seconds: float


def photo(size=(240, 320)):
    """Return a photo-like image: smooth, with some noise."""
    dice = np.random.default_rng(7)
    rows, columns = np.mgrid[0 : size[1], 0 : size[0]]
    base = np.stack([rows * 255 / size[1], columns * 255 / size[0], (rows + columns) % 256], axis=-1)
    return Image.fromarray((base + dice.integers(0, 12, base.shape)).clip(0, 255).astype(np.uint8))


def grey(dtype, size=LARGE):
    return Image.fromarray(np.zeros(size[::-1], dtype))


def iter_pngs() -> Made:
    for colour, depth in ((2, 8), (6, 8), (6, 16), (0, 16), (0, 1), (3, 8), (4, 8)):
        yield (
            f"colour{colour}_{depth}bits",
            lambda colour=colour, depth=depth: png(LARGE, colour=colour, depth=depth),
        )
    clear = png_chunk(b"tRNS", b"\0")
    yield "palette_clear", lambda: png(LARGE, colour=3).replace(b"IDAT", b"IDAT", 1)
    yield "rgb_clear", lambda: png((3000, 3000), extra=png_chunk(b"tRNS", bytes(6)))
    yield "over_the_limit", lambda: png((10_000, 10_000), rows=1)
    yield "claim", lambda: png((2**31 - 1, 2**31 - 1), rows=0)
    yield "narrow", lambda: png((8, 6_000_000), colour=0)
    yield "chunks", lambda: png((64, 64), extra=png_chunk(b"abCd", b"") * 300_000)
    yield "overlong", lambda: png((64, 64), rows=1_000_000)
    yield "clear_grey", lambda: png((64, 64), colour=0, extra=clear)


def iter_gifs() -> Made:
    yield "large", lambda: encode(Image.new("P", LARGE), "GIF")
    yield "frames", lambda: animated("GIF", 3000)
    yield "few_frames", lambda: animated("GIF", 50, (600, 600))


def iter_webps() -> Made:
    for side in (16_000, 7000, 4600, 3000):
        yield f"{side}", lambda side=side: webp_of_one_colour((side, side))
    yield "lossy", lambda: encode(Image.new("RGB", (4600, 4600)), "WEBP")
    yield "frames", lambda: animated("WEBP", 300)
    yield "few_frames", lambda: animated("WEBP", 30, (1000, 1000))


def iter_jpegs() -> Made:
    for side, scans in ((4000, 1000), (4000, 50), (512, 20_000), (1000, 900), (7000, 15), (300, 10_000)):
        yield f"scans_{side}_{scans}", lambda side=side, scans=scans: progressive_jpeg((side, side), scans)
    yield "large", lambda: encode(Image.new("RGB", LARGE), "JPEG")
    yield "large_progressive", lambda: encode(photo((5000, 5000)), "JPEG", progressive=True, subsampling=0)
    yield "large_turned", lambda: encode(Image.new("RGB", LARGE), "JPEG", exif=turned(6))
    yield "segments", lambda: b"\xff\xd8" + jpeg_segment(0xFE, b"") * 500_000 + encode(photo(), "JPEG")[2:]
    yield "padding", lambda: b"\xff\xd8" + b"\xff" * 5_000_000 + encode(photo(), "JPEG")[2:]
    yield "profile", lambda: encode(photo(), "JPEG", icc_profile=bytes(2_000_000))


def iter_tiffs() -> Made:
    for name, image in (("float", grey(np.float32)), ("grey16", grey(np.uint16)), ("grey32", grey(np.int32))):
        yield name, lambda image=image: encode(image, "TIFF", compression="tiff_deflate")
    for mode in ("RGB", "RGBA", "CMYK", "L", "1"):
        yield mode, lambda mode=mode: encode(Image.new(mode, LARGE), "TIFF", compression="tiff_lzw")
    yield (
        "pages",
        lambda: encode(
            photo((64, 64)), "TIFF", save_all=True, append_images=[Image.new("RGB", (64, 64))] * 200
        ),
    )


def iter_others() -> Made:
    yield "bmp.bmp", lambda: encode(Image.new("L", (5000, 4900)), "BMP")
    yield "avif.avif", lambda: encode(Image.new("RGB", (4000, 4000)), "AVIF", speed=10)
    yield "none.jpg", lambda: b""
    yield "zeros.jpg", lambda: bytes(100_000)
    yield "random.jpg", lambda: random.Random(7).randbytes(50_000)
    yield "archive.jpg", lambda: xz_of_large_dictionary(bytes(100))
    yield "page.jpg", lambda: b"<html><script>alert(1)</script></html>"


ENCODINGS = {
    "jpeg": ("JPEG", {}),
    "progressive": ("JPEG", {"progressive": True}),
    "png": ("PNG", {}),
    "webp": ("WEBP", {}),
    "lossless": ("WEBP", {"lossless": True}),
    "gif": ("GIF", {}),
    "bmp": ("BMP", {}),
    "tiff": ("TIFF", {}),
    "packed_tiff": ("TIFF", {"compression": "tiff_deflate"}),
    "avif": ("AVIF", {"speed": 10}),
}


def iter_damaged() -> Made:
    """Truncate files at many places, and flip bits."""
    dice = random.Random(7)
    for name, (format_, options) in ENCODINGS.items():
        data = encode(photo(), format_, **options)
        for length in (
            1,
            3,
            10,
            20,
            40,
            100,
            *(round(len(data) * share) for share in (0.02, 0.1, 0.5, 0.95, 0.999)),
        ):
            yield f"{name}_cut_{length}", lambda data=data, length=length: data[:length]
        for round_ in range(4):
            damaged = bytearray(data)
            for _ in range(20):
                damaged[dice.randrange(len(damaged))] ^= 1 << dice.randrange(8)
            yield f"{name}_flipped_{round_}", lambda damaged=bytes(damaged): damaged


def iter_odd() -> Made:
    """Photos that are complete. Every one has to be decoded."""
    for name, (format_, options) in ENCODINGS.items():
        yield f"{name}", lambda format_=format_, options=options: encode(photo(), format_, **options)
    for turn in range(10):
        for format_ in ("JPEG", "PNG", "WEBP", "TIFF"):
            yield (
                f"turned_{turn}_{format_}",
                lambda turn=turn, format_=format_: encode(photo(), format_, exif=turned(turn)),
            )
    for mode in ("1", "L", "LA", "P", "RGBA"):
        yield f"{mode}.png", lambda mode=mode: encode(photo().convert(mode))
    for mode in ("CMYK", "YCbCr", "LAB", "F", "I"):
        yield f"{mode}.tif", lambda mode=mode: encode(to_mode(mode), "TIFF")
    yield "cmyk.jpg", lambda: encode(photo().convert("CMYK"), "JPEG")
    yield "no_end.jpg", lambda: encode(photo(), "JPEG")[:-2]
    yield "tail.jpg", lambda: encode(photo(), "JPEG") + b"PK\3\4" + bytes(100)


def to_mode(mode):
    if mode in ("F", "I"):
        return photo().convert("L").convert(mode)
    return Image.new("LAB", (240, 320)) if mode == "LAB" else photo().convert(mode)


def turned(turn):
    exif = Image.Exif()
    exif[0x0112] = turn
    return exif


KINDS: dict[str, Callable[[], Made]] = {
    "png": iter_pngs,
    "gif": iter_gifs,
    "webp": iter_webps,
    "jpeg": iter_jpegs,
    "tiff": iter_tiffs,
    "other": iter_others,
    "damaged": iter_damaged,
    "odd": iter_odd,
}


def apart_from_here(work):
    """Work in a separate process. Return its message, its peak in MB and the processor seconds of all."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        said = b""
        try:
            said = json.dumps(work()).encode()
            apart.close_decoders()
        finally:
            peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
            os.write(writer, json.dumps(peak).encode() + b"\n" + said)
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        peak, said = pipe.read().split(b"\n", 1)
    used = os.wait4(child, 0)[2]
    return (
        json.loads(said or b'"died"'),
        max(float(peak), used.ru_maxrss / 1024),
        used.ru_utime + used.ru_stime,
    )


def make(folder: Path) -> list[tuple[str, str]]:
    """Write the corpus. Return the kind and name of each file."""
    made = []
    for kind, iter_files in KINDS.items():
        (folder / kind).mkdir(parents=True, exist_ok=True)
        for name, build in iter_files():
            (folder / kind / name).write_bytes(build())
            made.append((kind, name))
    return made


def decode(path: Path) -> str:
    try:
        decode_for(read_photo_bytes(path), PREPROCESSING)
    except PhotoError as error:
        return error.reason.value
    return "ok"


def measure(folder: Path) -> Iterator[Outcome]:
    """Make the corpus in a folder and decode each file."""
    made, _, _ = apart_from_here(lambda: make(folder))
    for kind, names in iter_groups(made):
        paths = [folder / kind / name for name in names]
        results, peak, seconds = apart_from_here(lambda paths=paths: [decode(path) for path in paths])
        if isinstance(results, str):  # what happened to the process
            results = [results] * len(names)
        for name, result in zip(names, results, strict=True):
            yield Outcome(kind, name, result, round(peak, 1), round(seconds / len(names), 2))


def iter_groups(made: list[tuple[str, str]]) -> Iterator[tuple[str, list[str]]]:
    """Yield which files share a process: small ones, whose kind is in `SMALL`. Their peak is a common one."""
    for kind, files in groupby(made, key=itemgetter(0)):
        names = [name for _, name in files]
        together = SMALL_TOGETHER if kind in SMALL else 1
        for start in range(0, len(names), together):
            yield kind, names[start : start + together]


def print_table(outcomes: list[Outcome]) -> None:
    kinds = defaultdict(list)
    for outcome in outcomes:
        kinds[outcome.kind].append(outcome)
    sys.stdout.write("| kind | files | outcome | peak MB | seconds |\n|---|---|---|---|---|\n")
    for kind, found in kinds.items():
        counted = Counter(outcome.result for outcome in found).most_common()
        results = ", ".join(f"{result} {count}" for result, count in counted)
        peak, seconds = max(each.peak_mb for each in found), max(each.seconds for each in found)
        sys.stdout.write(f"| {kind} | {len(found)} | {results} | {peak:.0f} | {seconds:.2f} |\n")


def main(folder: str | None, *, as_json: bool) -> None:
    outcomes = []
    with tempfile.TemporaryDirectory() as temporary:
        for outcome in measure(Path(folder or temporary)):
            outcomes.append(outcome)
            if as_json:
                sys.stdout.write(json.dumps(asdict(outcome)) + "\n")
                sys.stdout.flush()
    if not as_json:
        print_table(outcomes)


if __name__ == "__main__":
    given = [argument for argument in sys.argv[1:] if argument != "--json"]
    main(given[0] if given else None, as_json="--json" in sys.argv)
