"""A small canvas for drawing smooth, softly lit shapes on white: what the sample photos are drawn with."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from PIL import Image, ImageChops, ImageDraw, ImageFilter

Point = tuple[float, float]
Colour = tuple[int, int, int]

WIDTH: Final = 240
HEIGHT: Final = 320
_OVERSAMPLING: Final = 4
"""Shapes are drawn this much larger and then reduced: Pillow's own edges are jagged."""


def outline(text: str) -> list[Point]:
    """Read an outline such as `30,60 42,60! 42,90`; a point with `!` is a corner and comes twice.

    Raises `ValueError` for anything else.
    """
    points: list[Point] = []
    for word in text.split():
        x, y = word.removesuffix("!").split(",")
        points += [(float(x), float(y))] * (2 if word.endswith("!") else 1)
    return points


def curve(points: Sequence[Point], *, closed: bool = True, steps: int = 12) -> list[Point]:
    """Return a smooth line (a Catmull-Rom spline) through the points. A point given twice is a corner."""
    count = len(points)
    spans = range(count) if closed else range(count - 1)
    line = []
    for span in spans:
        near = [points[_index(span + offset, count, closed=closed)] for offset in (-1, 0, 1, 2)]
        line += [_between(near, step / steps) for step in range(steps)]
    return line if closed else [*line, points[-1]]


def mirror(points: Sequence[Point], axis: float = WIDTH / 2) -> list[Point]:
    """Return the right half of an outline, given from top to bottom, then its mirror image going back up."""
    return [*points, *((2 * axis - x, y) for x, y in reversed(points))]


def polygon(points: Sequence[Point]) -> Image.Image:
    """Return the mask of a filled polygon."""
    mask, draw = _blank_mask()
    draw.polygon([(x * _OVERSAMPLING, y * _OVERSAMPLING) for x, y in points], fill=255)
    return mask.reduce(_OVERSAMPLING)


def ellipse(centre: Point, radii: Point) -> Image.Image:
    """Return the mask of a filled ellipse."""
    mask, draw = _blank_mask()
    left, top = centre[0] - radii[0], centre[1] - radii[1]
    right, bottom = centre[0] + radii[0], centre[1] + radii[1]
    draw.ellipse([value * _OVERSAMPLING for value in (left, top, right, bottom)], fill=255)
    return mask.reduce(_OVERSAMPLING)


def stroke(points: Sequence[Point], width: float) -> Image.Image:
    """Return the mask of a line with round ends."""
    mask, draw = _blank_mask()
    line = [(x * _OVERSAMPLING, y * _OVERSAMPLING) for x, y in points]
    draw.line(line, fill=255, width=round(width * _OVERSAMPLING), joint="curve")
    radius = width * _OVERSAMPLING / 2
    for x, y in (line[0], line[-1]):
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return mask.reduce(_OVERSAMPLING)


def without(mask: Image.Image, hole: Image.Image) -> Image.Image:
    """Return a mask with another one cut out of it."""
    return ImageChops.subtract(mask, hole)


def within(mask: Image.Image, limit: Image.Image) -> Image.Image:
    """Return the part of a mask that lies inside another one."""
    return ImageChops.multiply(mask, limit)


@dataclass
class Canvas:
    """White paper of 240x320 pixels on which shapes are laid, the lowest first."""

    image: Image.Image = field(default_factory=lambda: Image.new("RGB", (WIDTH, HEIGHT), (255, 255, 255)))

    def cast_shadow(self, mask: Image.Image, *, drop: int = 5, depth: float = 0.25) -> None:
        """Lay the soft shadow that a shape throws on the paper below it."""
        fallen = ImageChops.offset(mask.filter(ImageFilter.GaussianBlur(7)), 0, drop)
        self.image.paste((120, 120, 128), mask=fallen.point(lambda value: round(value * depth)))

    def fill(self, mask: Image.Image, colour: Colour, *, roundness: float = 14, depth: float = 0.35) -> None:
        """Fill a shape. Towards its edges it turns darker, over `roundness` pixels, as if it had volume."""
        self.image.paste(colour, mask=mask)
        inside = mask.filter(ImageFilter.GaussianBlur(roundness))
        edge = inside.point(lambda value: round((255 - value) * depth))
        self.image.paste((0, 0, 0), mask=within(edge, mask))
        light = ImageChops.offset(inside, round(roundness / 2), round(roundness / 2))
        rim = ImageChops.subtract(inside, light).point(lambda value: min(255, round(value * 0.8)))
        self.image.paste((255, 255, 255), mask=within(rim, mask))

    def shade(
        self, mask: Image.Image, limit: Image.Image, *, strength: float = 0.3, blur: float = 2.5
    ) -> None:
        """Darken a soft-edged shape (a fold, a seam) inside another one; negative strength lightens it."""
        colour = (0, 0, 0) if strength > 0 else (255, 255, 255)
        soft = mask.filter(ImageFilter.GaussianBlur(blur)).point(lambda value: round(value * abs(strength)))
        self.image.paste(colour, mask=within(soft, limit))


def _blank_mask() -> tuple[Image.Image, ImageDraw.ImageDraw]:
    mask = Image.new("L", (WIDTH * _OVERSAMPLING, HEIGHT * _OVERSAMPLING), 0)
    return mask, ImageDraw.Draw(mask)


def _index(position: int, count: int, *, closed: bool) -> int:
    return position % count if closed else min(max(position, 0), count - 1)


def _between(near: Sequence[Point], part: float) -> Point:
    """Return the point at `part` (0 to 1) of the way from the second to the third of four points."""
    before, start, end, after = near
    if start == end:
        return start
    # At a corner, which is a repeated point, the line has no direction to keep.
    arriving = (end[0] - before[0], end[1] - before[1]) if before != start else (0.0, 0.0)
    leaving = (after[0] - start[0], after[1] - start[1]) if after != end else (0.0, 0.0)
    x = _hermite(start[0], end[0], (arriving[0] / 2, leaving[0] / 2), part)
    y = _hermite(start[1], end[1], (arriving[1] / 2, leaving[1] / 2), part)
    return (x, y)


def _hermite(start: float, end: float, slopes: Point, part: float) -> float:
    square, cube = part * part, part * part * part
    return (
        (2 * cube - 3 * square + 1) * start
        + (cube - 2 * square + part) * slopes[0]
        + (3 * square - 2 * cube) * end
        + (cube - square) * slopes[1]
    )
