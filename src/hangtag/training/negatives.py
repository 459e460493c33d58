"""Negatives for the OOD detector: photos that show no product, drawn, cut out, or from folders.

The drawn ones are pages of text, screens, rooms, things, patterns, noise and empty paper. The cut-out ones are corners
of photos taken at home, and product photos shuffled in pieces until no product is recognisable.
"""

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from hangtag.datasets.interface import Catalogue, KeepsNothingOpen
from hangtag.domain.errors import CatalogueError, PhotoError, UsageError
from hangtag.imaging.decode import PHOTO_SUFFIXES, decode_photo, read_photo_bytes

NEGATIVES: Final = "negatives"
"""The set name of these photos when they are joined."""

Random = np.random.Generator

_LARGEST: Final = 240  # pixels of the longer side: more than any network here sees
_TEXT: Final = (
    "about after all and are been before but by can could day each first for from had has have he her him "
    "his how if in into is it its just know like long made make many may more most much must my new no "
    "not now of on one only or other our out over people said same see she so some such take than that "
    "the their them then there these they this time to total two under up use very was way we well were "
    "what when where which who will with work would year"
)
_WORDS: Final = _TEXT.split()


class Negatives(KeepsNothingOpen):
    """A catalogue of photos that show no product; it has no table.

    `drawn` photos are generated from the seed and always look the same. A quarter of them is cut out of `photos` of
    `catalogue`, if there are any. Raises `UsageError` for a folder without photos.
    """

    def __init__(
        self, drawn: int, folders: Sequence[Path], catalogue: Catalogue, photos: Sequence[str], seed: int
    ) -> None:
        self._catalogue = catalogue
        self._photos = list(photos)
        self._seed = seed
        self._drawn = [f"drawn-{number:05}.png" for number in range(drawn)]
        self._files = _list_photos(folders)

    @property
    def name(self) -> str:
        """The name of these photos in reports."""
        return NEGATIVES

    def open_table(self) -> BinaryIO:
        """Raise `CatalogueError`: these photos have no table."""
        raise CatalogueError("negatives have no table")

    def photo_names(self) -> frozenset[str]:
        """Return the names of all photos."""
        return frozenset([*self._drawn, *self._files])

    def read_photo(self, name: str) -> bytes:
        """Return the bytes of one photo: a file, or a PNG that is drawn now. Raises `PhotoError`."""
        if name in self._files:
            return read_photo_bytes(self._files[name])
        number = int(name.removeprefix("drawn-").removesuffix(".png"))
        file = io.BytesIO()
        self._draw(np.random.default_rng([self._seed, number]), number).save(file, "PNG")
        return file.getvalue()

    def _draw(self, random: Random, number: int) -> Image.Image:
        if self._photos and number % 4 == 0:
            try:
                data = self._catalogue.read_photo(self._photos[int(random.integers(len(self._photos)))])
                return _cut_out(random, decode_photo(data))
            except PhotoError:
                pass  # use another kind of photo instead
        size = (int(random.integers(120, _LARGEST)), int(random.integers(120, _LARGEST)))
        return _DRAWN[int(random.integers(len(_DRAWN)))](random, size)


def _list_photos(folders: Sequence[Path]) -> dict[str, Path]:
    files = []
    for folder in folders:
        found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in PHOTO_SUFFIXES)
        if not found:
            raise UsageError("there is no photo in this folder", where=folder)
        files += found
    return {f"file-{number:06}{path.suffix.lower()}": path for number, path in enumerate(files)}


def _cut_out(random: Random, photo: Image.Image) -> Image.Image:
    """Return a corner of a photo, which shows background, or its shuffled pieces if the corner is plain."""
    side = 0.14 + 0.1 * random.random()
    width, height = max(8, round(side * photo.width)), max(8, round(side * photo.height))
    left = int(random.integers(2)) * (photo.width - width)
    top = int(random.integers(2)) * (photo.height - height)
    corner = photo.crop((left, top, left + width, top + height))
    if np.asarray(corner.convert("L"), np.float32).std() > 12:  # noqa: PLR2004 - plain paper teaches nothing
        return corner.resize((width * 4, height * 4), Image.Resampling.BICUBIC)
    return _shuffle(random, photo)


def _shuffle(random: Random, photo: Image.Image) -> Image.Image:
    pieces = int(random.integers(3, 6))
    width, height = max(1, photo.width // pieces), max(1, photo.height // pieces)
    shuffled = Image.new("RGB", (width * pieces, height * pieces))
    for place, piece in enumerate(random.permutation(pieces * pieces).tolist()):
        row, column = divmod(piece, pieces)
        cut = photo.crop((column * width, row * height, (column + 1) * width, (row + 1) * height))
        shuffled.paste(
            cut.rotate(90 * int(random.integers(4))), (place % pieces * width, place // pieces * height)
        )
    return shuffled


def _draw_text(random: Random, size: tuple[int, int]) -> Image.Image:
    paper, ink = (_grey(random, 200, 256), _grey(random, 0, 90))
    if random.random() < 0.2:  # noqa: PLR2004 - a dark theme
        paper, ink = ink, paper
    page = Image.new("RGB", size, paper)
    draw, height = ImageDraw.Draw(page), int(random.integers(7, 22))
    font = ImageFont.load_default(height)
    margin, top = int(random.integers(4, 24)), int(random.integers(2, 24))
    while top < size[1] - margin:
        if random.random() < 0.85:  # noqa: PLR2004 - now and then a line is left empty
            words = random.choice(_WORDS, size=int(random.integers(2, 14)))
            draw.text((margin, top), " ".join(words), fill=ink, font=font)
        top += round(height * (1.2 + 0.3 * random.random()))
    return page


def _draw_screen(random: Random, size: tuple[int, int]) -> Image.Image:
    screen = Image.new("RGB", size, _grey(random, 20, 256))
    draw, font = ImageDraw.Draw(screen), ImageFont.load_default(int(random.integers(7, 12)))
    draw.rectangle((0, 0, size[0], int(random.integers(10, 26))), fill=_colour(random))
    for _ in range(int(random.integers(4, 16))):
        left, top = int(random.integers(size[0])), int(random.integers(20, size[1]))
        box = (left, top, left + int(random.integers(10, 120)), top + int(random.integers(6, 70)))
        draw.rounded_rectangle(box, radius=int(random.integers(0, 5)), fill=_colour(random))
        draw.text((left + 3, top + 2), str(random.choice(_WORDS)), fill=_grey(random, 0, 256), font=font)
    return screen


def _draw_room(random: Random, size: tuple[int, int]) -> Image.Image:
    width, height = size
    room = Image.new("RGB", size, _grey(random, 120, 250))
    draw = ImageDraw.Draw(room)
    corner, floor = int(width * (0.2 + 0.6 * random.random())), int(height * (0.5 + 0.3 * random.random()))
    draw.polygon(
        [(0, height), (0, floor + 20), (corner, floor), (width, floor + 30), (width, height)], _colour(random)
    )
    draw.line([(corner, 0), (corner, floor)], _grey(random, 80, 200), 2)
    for _ in range(int(random.integers(2, 7))):  # windows, pictures, cupboards, tables
        left, top = int(random.integers(width)), int(random.integers(height))
        wide, high = int(random.integers(15, width // 2)), int(random.integers(10, height // 2))
        draw.rectangle(
            (left, top, left + wide, top + high), fill=_colour(random), outline=_grey(random, 0, 200)
        )
        if random.random() < 0.5:  # noqa: PLR2004 - legs or a frame
            draw.line([(left + 2, top + high), (left + 2, top + high + 30)], _grey(random, 0, 120), 3)
            draw.line(
                [(left + wide - 2, top + high), (left + wide - 2, top + high + 30)], _grey(random, 0, 120), 3
            )
    return room.filter(ImageFilter.GaussianBlur(1.5 * random.random()))


def _draw_things(random: Random, size: tuple[int, int]) -> Image.Image:
    """Draw round and boxy objects of one colour each, softly lit, on paper: crockery, balls, blocks."""
    picture = Image.new("RGB", size, _grey(random, 180, 256) if random.random() < 0.7 else _colour(random))  # noqa: PLR2004
    for _ in range(int(random.integers(1, 5))):
        wide, high = int(random.integers(20, size[0])), int(random.integers(20, size[1]))
        mask = Image.new("L", (wide, high))
        draw = ImageDraw.Draw(mask)
        kind = int(random.integers(3))
        if kind == 0:
            draw.ellipse((0, 0, wide - 1, high - 1), fill=255)
        elif kind == 1:
            draw.rounded_rectangle((0, 0, wide - 1, high - 1), radius=int(random.integers(0, 20)), fill=255)
        else:
            corners = [
                tuple(corner)
                for corner in (random.random((int(random.integers(3, 8)), 2)) * (wide, high)).tolist()
            ]
            draw.polygon(corners, fill=255)
        light = np.linspace(1.15, 0.7, wide)[None, :, None] * np.array(_colour(random), np.float64)
        body = np.broadcast_to(light, (high, wide, 3)).clip(0, 255).astype(np.uint8)
        place = (
            int(random.integers(-wide // 3, size[0] - wide // 2)),
            int(random.integers(-high // 3, size[1] - high // 2)),
        )
        picture.paste(Image.fromarray(np.ascontiguousarray(body)), place, mask)
    return picture.filter(ImageFilter.GaussianBlur(1.2 * random.random()))


def _draw_pattern(random: Random, size: tuple[int, int]) -> Image.Image:
    down, across = np.mgrid[0 : size[1], 0 : size[0]]
    angle, period = np.pi * random.random(), 3 + 30 * random.random()
    wave = np.sin((across * np.cos(angle) + down * np.sin(angle)) * 2 * np.pi / period)
    if random.random() < 0.5:  # noqa: PLR2004 - a grid instead of stripes
        wave = wave * np.sin((down * np.cos(angle) - across * np.sin(angle)) * 2 * np.pi / period)
    weight = np.clip((wave if random.random() < 0.5 else np.sign(wave)) / 2 + 0.5, 0, 1)[..., None]  # noqa: PLR2004
    pixels = weight * np.array(_colour(random)) + (1 - weight) * np.array(_colour(random))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def _draw_noise(random: Random, size: tuple[int, int]) -> Image.Image:
    """Draw grains of any size: fine noise, clouds, gradients."""
    cells = (int(random.integers(2, 2 + size[0] // 2)), int(random.integers(2, 2 + size[1] // 2)))
    channels = 3 if random.random() < 0.7 else 1  # noqa: PLR2004
    grains: npt.NDArray[np.float64] = random.normal(
        128, 10 + 80 * random.random(), (cells[1], cells[0], channels)
    )
    small = np.broadcast_to(grains.clip(0, 255).astype(np.uint8), (cells[1], cells[0], 3))
    how = Image.Resampling.BICUBIC if random.random() < 0.7 else Image.Resampling.NEAREST  # noqa: PLR2004
    return Image.fromarray(np.ascontiguousarray(small)).resize(size, how)


def _draw_nothing(random: Random, size: tuple[int, int]) -> Image.Image:
    """Draw nearly even, empty paper of any colour."""
    colour = np.array(_grey(random, 0, 256) if random.random() < 0.7 else _colour(random))  # noqa: PLR2004
    slope = np.linspace(-1, 1, size[0])[None, :, None] * 25 * random.random() ** 2
    pixels = colour + slope + random.normal(0, 0.1 + 3 * random.random(), (size[1], size[0], 1))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def _grey(random: Random, low: int, high: int) -> tuple[int, int, int]:
    level = int(random.integers(low, high))
    red, green, blue = (int(value) for value in np.clip(level + random.integers(-8, 9, 3), 0, 255))
    return red, green, blue


def _colour(random: Random) -> tuple[int, int, int]:
    red, green, blue = (int(value) for value in random.integers(0, 256, 3))
    return red, green, blue


_DRAWN: Final[Sequence[Callable[[Random, tuple[int, int]], Image.Image]]] = (
    _draw_text,
    _draw_screen,
    _draw_room,
    _draw_things,
    _draw_pattern,
    _draw_noise,
    _draw_nothing,
)
