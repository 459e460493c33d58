"""Draw the picture of the README: three sample photos with the hang tags that a model writes for them.

python docs/images/draw_hang_tags.py [MODEL] writes hang-tags.svg next to this file. The tags show the model's own
predictions, so run it again when the shipped model changes.
"""

import base64
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape

from PIL import Image

from hangtag import Label, Model, Prediction, load_model
from hangtag.domain.columns import ATTRIBUTE_COLUMNS
from hangtag.domain.taxonomy import SEPARATOR
from hangtag.imaging.samples import load_sample_photos

SHOWN: Final = ("tshirt", "handbag", "shoe")
TILTS: Final = (-1.6, 0.7, 1.9)  # degrees: hung by hand
PICTURE: Final = Path(__file__).with_name("hang-tags.svg")

WIDTH, HEIGHT = 960, 580
TAG_WIDTH, TAG_HEIGHT, TAG_TOP = 272, 468, 74
EYELET_Y, MARGIN = 30, 22
CORD_Y, CORD_SAG = 22, 9
LONG_VALUE = 10  # letters: a longer one is set a little narrower, to stay clear of its confidence
INNER: Final = TAG_WIDTH - 2 * MARGIN

STYLE: Final = """
  .wall { fill: #f3ede0 }
  .cord { fill: none; stroke: #8a7a63; stroke-width: 1.6; stroke-linecap: round }
  .card { fill: #fffdf7; stroke: #e2d8c4; stroke-width: 1 }
  .window { fill: #ffffff; stroke: #ece4d4; stroke-width: 1 }
  .brass { fill: none; stroke: #b8955a; stroke-width: 4.5 }
  .rim { fill: none; stroke: #8d6f3f; stroke-width: 0.8 }
  .track { fill: #ebe4d6 }
  .length { fill: #35618e }
  .stitch { fill: none; stroke: #b5a88f; stroke-width: 1; stroke-dasharray: 4 3 }
  .path, .leaf { font-family: "Iowan Old Style", "Palatino Linotype", Palatino, Georgia, "DejaVu Serif", serif }
  .path { fill: #6b6252; font-size: 13px }
  .leaf { fill: #26231e; font-size: 25px }
  .figure, .chip, .share, .flag { font-family: ui-sans-serif, system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif;
    font-variant-numeric: tabular-nums }
  .figure { fill: #26231e; font-size: 14px; text-anchor: end }
  .chip { fill: #26231e; font-size: 11.5px }
  .share { fill: #6b6252; font-size: 11px; text-anchor: end }
  .flag { fill: #7a4a00; font-size: 12px }
"""

LIFT: Final = """
  <filter id="lift" x="-15%" y="-10%" width="130%" height="125%">
    <feDropShadow dx="0" dy="5" stdDeviation="7" flood-color="#5a4a2c" flood-opacity="0.2"/>
  </filter>
"""


def draw_picture(model: Model) -> str:
    """Return the SVG of the picture."""
    photos = load_sample_photos()
    files = {name: _png(photos[name]) for name in SHOWN}
    gap = (WIDTH - len(SHOWN) * TAG_WIDTH) / (len(SHOWN) + 1)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        f"<title>{escape('Hang tags that hangtag wrote for three of its sample photos')}</title>",
        f"<style>{STYLE}</style>",
        f"<defs>{LIFT}</defs>",
        f'<rect class="wall" width="{WIDTH}" height="{HEIGHT}" rx="12"/>',
        f'<path class="cord" d="M0 {CORD_Y} Q{WIDTH / 2} {CORD_Y + 2 * CORD_SAG} {WIDTH} {CORD_Y}"/>',
    ]
    for position, (name, outcome) in enumerate(zip(SHOWN, model.predict(list(files.values())), strict=True)):
        if not isinstance(outcome, Prediction):
            raise SystemExit(f"{name}: {outcome.detail}")
        left = gap + position * (TAG_WIDTH + gap)
        parts += _draw_tag(outcome, files[name], left, TILTS[position])
    return "\n".join([*parts, "</svg>", ""])


def _draw_tag(prediction: Prediction, photo: bytes, left: float, tilt: float) -> Iterator[str]:
    middle = TAG_WIDTH / 2
    yield f'<g transform="translate({left:.1f} {TAG_TOP}) rotate({tilt} {middle} {EYELET_Y})">'
    yield f'<path class="card" filter="url(#lift)" fill-rule="evenodd" d="{_outline()}"/>'
    yield f'<circle class="brass" cx="{middle}" cy="{EYELET_Y}" r="9"/>'
    yield f'<circle class="rim" cx="{middle}" cy="{EYELET_Y}" r="11.4"/>'
    yield from _draw_photo(photo, y=58, height=236)
    yield from _draw_flags(prediction, y=66)
    yield from _draw_path(prediction, y=320)
    yield from _draw_attributes(prediction, y=383)
    yield "</g>"
    yield _draw_string(left + middle)


def _draw_string(x: float) -> str:
    """Return the string of a tag: a loop from the eyelet over the cord and back."""
    share = x / WIDTH
    cord = CORD_Y + 4 * CORD_SAG * share * (1 - share)
    eyelet = TAG_TOP + EYELET_Y
    return (
        f'<path class="cord" d="M{x:.1f} {eyelet} Q{x - 8:.1f} {eyelet - 40} {x - 5:.1f} {cord:.1f} '
        f'a5 4 0 0 1 10 0 Q{x + 8:.1f} {eyelet - 40} {x:.1f} {eyelet}"/>'
    )


def _outline() -> str:
    """Return the card: its upper corners clipped, its lower ones rounded, a hole for the eyelet."""
    clip, round_ = 46, 9
    hole = f"M{TAG_WIDTH / 2 - 9} {EYELET_Y} a9 9 0 1 0 18 0 a9 9 0 1 0 -18 0 Z"
    return (
        f"M{clip} 0 H{TAG_WIDTH - clip} L{TAG_WIDTH} {clip} V{TAG_HEIGHT - round_} "
        f"q0 {round_} {-round_} {round_} H{round_} q{-round_} 0 {-round_} {-round_} V{clip} Z {hole}"
    )


def _draw_photo(photo: bytes, y: int, height: int) -> Iterator[str]:
    encoded = base64.b64encode(photo).decode("ascii")
    box = f'x="{MARGIN}" y="{y}" width="{INNER}" height="{height}"'
    yield f'<rect class="window" {box} rx="3"/>'
    yield f'<image {box} href="data:image/png;base64,{encoded}"/>'


def _draw_flags(prediction: Prediction, y: int) -> Iterator[str]:
    """Yield the photo's flags, on its upper edge."""
    if prediction.flags:
        text = ", ".join(flag.value.replace("_", " ") for flag in prediction.flags)
        yield f'<text class="flag" x="{MARGIN + 9}" y="{y + 14}">{escape(text)}?</text>'


def _draw_path(prediction: Prediction, y: int) -> Iterator[str]:
    *parents, leaf = prediction.path
    label = prediction["articleType"]
    above = "".join(f"{parent}{SEPARATOR}" for parent in parents).rstrip()
    yield f'<text class="path" x="{MARGIN}" y="{y}">{escape(above)}</text>'
    yield f'<text class="leaf" x="{MARGIN}" y="{y + 29}">{escape(leaf)}</text>'
    yield f'<text class="figure" x="{TAG_WIDTH - MARGIN}" y="{y + 29}">{_percent(label)}</text>'
    yield f'<rect class="track" x="{MARGIN}" y="{y + 40}" width="{INNER}" height="3" rx="1.5"/>'
    length = INNER * label.confidence
    yield f'<rect class="length" x="{MARGIN}" y="{y + 40}" width="{length:.1f}" height="3" rx="1.5"/>'


def _draw_attributes(prediction: Prediction, y: int) -> Iterator[str]:
    """Yield the attributes as stitched-on chips, two in a row."""
    space, height = 8, 27
    width = (INNER - space) / 2
    for position, column in enumerate(ATTRIBUTE_COLUMNS):
        label = prediction[column]
        x, top = MARGIN + position % 2 * (width + space), y + position // 2 * (height + space)
        yield f'<rect class="stitch" x="{x}" y="{top}" width="{width}" height="{height}" rx="5"/>'
        fitted = f' textLength="{width - 46}"' if len(label.value) > LONG_VALUE else ""
        fitted += ' lengthAdjust="spacingAndGlyphs"' if fitted else ""
        yield f'<text class="chip" x="{x + 9}" y="{top + 18}"{fitted}>{escape(label.value)}</text>'
        yield f'<text class="share" x="{x + width - 8}" y="{top + 18}">{_percent(label)}</text>'


def _percent(label: Label) -> str:
    return f"{label.confidence:.0%}"


def _png(photo: Image.Image) -> bytes:
    file = io.BytesIO()
    photo.save(file, "PNG", optimize=True)
    return file.getvalue()


if __name__ == "__main__":
    PICTURE.write_text(draw_picture(load_model(*sys.argv[1:2])), encoding="utf-8")
