"""What the limits on photos cost: processor time to decode and preprocess a photo, without, with, and isolated.

    python bench/decoding.py [SECONDS]

Every kind of photo is decoded in turns, so that other load affects all three alike. *Without* is only Pillow and the
preprocessing; *apart* decodes every photo in a separate process, whose time is included.
"""

import io
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from PIL import Image, ImageOps

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from hangtag.imaging.apart import DecodeRequest, decode_apart
from hangtag.imaging.decode import drafted_size
from hangtag.imaging.preprocess import Preprocessing, prepare_photo
from hostile_corpus import photo
from hostile_files import encode
from service import find_descendants

PREPROCESSING: Final = Preprocessing(96, 128, 96, 128)
AT_LEAST: Final = (192, 256)
PHOTOS: Final[dict[str, Callable[[], bytes]]] = {
    "JPEG, 60 x 80": lambda: encode(photo((60, 80)), "JPEG"),
    "JPEG, 1,000 x 1,500": lambda: encode(photo((1000, 1500)), "JPEG"),
    "the same, progressive": lambda: encode(photo((1000, 1500)), "JPEG", progressive=True),
    "PNG, 800 x 1,000": lambda: encode(photo((800, 1000)), "PNG"),
    "WebP, 800 x 1,000": lambda: encode(photo((800, 1000)), "WEBP"),
    "TIFF, 800 x 1,000 (always apart)": lambda: encode(photo((800, 1000)), "TIFF"),
}


def decode_alone(data: bytes) -> None:
    """Decode and preprocess a photo without any limits."""
    with Image.open(io.BytesIO(data)) as image:
        image.draft(None, drafted_size(image.size, AT_LEAST))
        PREPROCESSING.apply(ImageOps.exif_transpose(image).convert("RGB"))


def decode_with_limits(data: bytes) -> None:
    """Decode and preprocess a photo as in labelling."""
    prepare_photo(data, PREPROCESSING)


def decode_in_sandbox(data: bytes) -> None:
    """Decode a photo in a separate process, and preprocess it."""
    PREPROCESSING.apply(decode_apart(data, DecodeRequest(at_least=AT_LEAST)).image)


def measure(ways: list[Callable[[bytes], None]], data: bytes, seconds: float) -> list[float]:
    """Return the processor seconds per photo of each way, including child processes."""
    taken, rounds = [0.0] * len(ways), 0
    for way in ways:
        way(data)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline or not rounds:
        rounds += 1
        for number, way in enumerate(ways):
            started = processor_seconds()
            way(data)
            taken[number] += processor_seconds() - started
    return [total / rounds for total in taken]


def processor_seconds() -> float:
    """Return the processor seconds of this process and its children, in steps of a hundredth."""
    return time.process_time() + sum(map(read_seconds, find_descendants(os.getpid())))


def read_seconds(pid: int) -> float:
    """Return the processor seconds of a process and of its children that have ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def main(seconds: float) -> None:
    """Print a row for each kind of photo."""
    ways: list[Callable[[bytes], None]] = [decode_alone, decode_with_limits, decode_in_sandbox]
    sys.stdout.write("| photo | without | with | ratio | all apart |\n|---|---|---|---|---|\n")
    for name, build in PHOTOS.items():
        alone, limited, apart = measure(ways, build(), seconds)
        row = (
            f"{1000 * alone:.2f} ms | {1000 * limited:.2f} ms | {limited / alone:.2f} | {1000 * apart:.2f} ms"
        )
        sys.stdout.write(f"| {name} | {row} |\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(float(sys.argv[1]) if sys.argv[1:] else 5.0)
