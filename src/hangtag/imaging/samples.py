"""The project's own sample photos: eight drawn product photos of 240x320 pixels on white.

They show what hangtag does without a catalogue, and a model bundle stores its predictions for such photos.
"""

from pathlib import Path
from typing import Final

from PIL import Image

SAMPLE_NAMES: Final = ("tshirt", "trousers", "dress", "shoe", "handbag", "watch", "cap", "sunglasses")
_FOLDER: Final = Path(__file__).parent / "photos"


def load_sample_photos() -> dict[str, Image.Image]:
    """Return the sample photos by name: RGB images of 240x320 pixels."""
    return {name: Image.open(_FOLDER / f"{name}.png").convert("RGB") for name in SAMPLE_NAMES}


def read_sample_files() -> dict[str, bytes]:
    """Return the sample photos as PNG files, by file name."""
    return {f"{name}.png": (_FOLDER / f"{name}.png").read_bytes() for name in SAMPLE_NAMES}


def write_sample_photos(folder: Path) -> list[Path]:
    """Write the sample photos as PNG files into a folder, which is created if needed, and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, data in read_sample_files().items():
        path = folder / name
        path.write_bytes(data)
        paths.append(path)
    return paths
