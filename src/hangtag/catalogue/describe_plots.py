"""The pictures of a description: figures of distributions and missing values, and sample photos."""

import io
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from PIL import Image, ImageDraw, ImageFont, ImageOps

from hangtag.catalogue.describe import PHOTO, Column, Statistics
from hangtag.catalogue.describe_words import FEW_EXAMPLES
from hangtag.datasets.opening import Catalogue
from hangtag.domain.errors import PhotoError
from hangtag.domain.extras import missing_extra
from hangtag.domain.text import render_count, render_share
from hangtag.imaging.colour import BACKGROUND
from hangtag.imaging.decode import decode_photo
from hangtag.reports.figures import (
    ACCENT,
    FADED_INK,
    INK,
    SERIES_COLOURS,
    SMALL,
    bar_chart,
    bar_panels,
    new_figure,
    quieten,
    shorten,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure


CATALOGUE: Final = "catalogue"
CUSTOM: Final = "custom set"

SHOWN_CLASSES: Final = 40
"""How many of the largest classes get their own bar. The others share one."""

TAIL_CLASSES: Final = 30
"""If there are more classes than this, the sizes of all of them are also drawn by rank."""

Counts = Mapping[str, int]


def plot_classes(column: Column, own: Column | None) -> "Figure":
    """Draw the share of each class, next to that in the custom set, so that 20 products compare to 40,000.

    Shares are of the products that have a value.
    """
    sets = _present(column, own)
    shown = [label for label, _ in column.counts[:SHOWN_CLASSES]]
    shown += [label for counts in list(sets.values())[1:] for label in counts if label not in shown]
    others = {label for counts in sets.values() for label in counts}.difference(shown)
    rest = render_count(len(others), "other class", "other classes")
    grouped = {
        name: {label: counts[label] for label in shown if label in counts} | _sum_up(counts, others, rest)
        for name, counts in sets.items()
    }
    title = f"Products by {column.name}"
    return _draw_shares(grouped, {name: sum(counts.values()) for name, counts in grouped.items()}, title)


def plot_long_tail(column: Column) -> "Figure":
    """Draw the sizes of all classes, the largest first, and mark those with few examples."""
    sizes = [count for _, count in column.counts]
    many = sum(size >= FEW_EXAMPLES for size in sizes)
    figure = new_figure(3.0)
    axes = figure.subplots()
    quieten(
        axes,
        title=f"All {len(sizes):,} classes of {column.name}",
        x_name="rank of the class",
        y_name="products",
    )
    colours = [ACCENT] * many + [SERIES_COLOURS[1]] * (len(sizes) - many)
    axes.bar(range(1, len(sizes) + 1), sizes, 0.8, color=colours)
    axes.set_yscale("log")
    axes.set(xlim=(0, len(sizes) + 1), ylim=(0.7, 2 * max(sizes)))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.tick_params(which="minor", length=0)
    axes.grid(visible=False, axis="x")
    axes.axhline(FEW_EXAMPLES, color=FADED_INK, linewidth=1, linestyle=(0, (4, 3)))
    few = f"{render_count(len(sizes) - many, 'class', 'classes')} with fewer than {FEW_EXAMPLES} products"
    axes.annotate(
        few,
        (len(sizes), FEW_EXAMPLES),
        (0, 4),
        textcoords="offset points",
        ha="right",
        fontsize=SMALL,
        color=INK,
    )
    return figure


def plot_years(statistics: Statistics, custom: Statistics | None) -> "Figure":
    """Draw how many products each year has, or shares if there is a custom set with years."""
    sets = {CATALOGUE: dict(statistics.years)}
    if custom is not None and custom.years:
        sets[CUSTOM] = dict(custom.years)
    if len(sets) == 1:
        return bar_chart(sets, title="Products by year", value_name="products", horizontal=False)
    years = sorted({year for counts in sets.values() for year in counts})
    shares = {
        name: {year: 100 * counts.get(year, 0) / sum(counts.values()) for year in years}
        for name, counts in sets.items()
    }
    return bar_chart(
        shares, title="Products by year", value_name="share of the products, %", horizontal=False
    )


def plot_missing(statistics: Statistics, custom: Statistics | None) -> "Figure":
    """Draw the share of products without a photo, and without a value in each column that has gaps."""
    sets = {CATALOGUE: statistics} if custom is None else {CATALOGUE: statistics, CUSTOM: custom}
    missing = {name: count_missing(described) for name, described in sets.items()}
    lacking = [what for what in missing[CATALOGUE] if any(counts.get(what) for counts in missing.values())]
    shown = {name: {what: counts.get(what, 0) for what in lacking} for name, counts in missing.items()}
    totals = {name: described.products for name, described in sets.items()}
    return _draw_shares(shown, totals, "Products without a photo or a value")


def count_missing(statistics: Statistics) -> dict[str, int]:
    """Return how many products have no photo, and how many have no value in each column."""
    return {PHOTO: statistics.products_without_photo} | {
        column.name: column.missing for column in statistics.columns
    }


def _draw_shares(counts: Mapping[str, Counts], totals: Mapping[str, int], title: str) -> "Figure":
    """Draw counts as percentages of each set's total, with the counts as text."""
    shares = {
        name: {label: count / max(1, totals[name]) for label, count in found.items()}
        for name, found in counts.items()
    }
    percentages = {
        name: {label: 100 * share for label, share in found.items()} for name, found in shares.items()
    }
    texts = {
        name: {label: f"{count:,} · {render_share(shares[name][label])}" for label, count in found.items()}
        for name, found in counts.items()
    }
    return bar_panels(percentages, texts, title=title, value_name="share of the products, %")


def _sum_up(counts: Counts, labels: Collection[str], name: str) -> dict[str, int]:
    total = sum(counts.get(label, 0) for label in labels)
    return {name: total} if total else {}


def _present(column: Column, own: Column | None) -> dict[str, Counts]:
    """Return the sets that have values in a column."""
    sets: dict[str, Counts] = {CATALOGUE: dict(column.counts)}
    return sets if own is None or not own.counts else sets | {CUSTOM: dict(own.counts)}


CELL: Final = (60, 80)
LARGE_CELL: Final = (96, 128)
"""The width and height in pixels into which a photo is fitted: for thumbnails, and for larger photos."""

GAP: Final = 4
CAPTION_HEIGHT: Final = 22
MARGIN: Final = 16
SHEET_COLUMNS: Final = 4


@dataclass(frozen=True, slots=True)
class Strip:
    """Photos of one class side by side, and their caption."""

    image: Image.Image
    caption: str

    def jpeg(self) -> bytes:
        """Return the photos as a JPEG."""
        buffer = io.BytesIO()
        self.image.save(buffer, "JPEG", quality=85)
        return buffer.getvalue()


def make_strip(
    rows: Sequence[tuple[Catalogue, Sequence[str]]], caption: str, cell: tuple[int, int] = CELL
) -> Strip | None:
    """Lay photos side by side, one row per catalogue; None if none can be shown."""
    found = [
        [image for name in names if (image := _load(catalogue, name, cell))] for catalogue, names in rows
    ]
    longest = max((len(images) for images in found), default=0)
    if not longest:
        return None
    width, height = cell
    size = (longest * (width + GAP) - GAP, len(found) * (height + GAP) - GAP)
    strip = Image.new("RGB", size, BACKGROUND)
    for row, images in enumerate(found):
        for place, image in enumerate(images):
            left = place * (width + GAP) + (width - image.width) // 2
            strip.paste(image, (left, row * (height + GAP) + (height - image.height) // 2))
    return Strip(strip, caption)


def make_strips(
    catalogue: Catalogue, samples: Mapping[str, Sequence[str]], captions: Mapping[str, str]
) -> list[Strip]:
    """Return a strip for each class in the order of its `captions`. A class without photos has none."""
    strips = (
        make_strip([(catalogue, samples.get(label, ()))], caption) for label, caption in captions.items()
    )
    return [strip for strip in strips if strip is not None]


def draw_sheet(strips: Sequence[Strip]) -> bytes:
    """Return a contact sheet of strips, from left to right, as a PNG.

    Raises `UsageError` if matplotlib, whose fonts are used, is not installed.
    """
    font = ImageFont.truetype(_find_font(), 13)
    columns = min(SHEET_COLUMNS, len(strips))
    width = max((strip.image.width for strip in strips), default=0) + MARGIN
    height = max((strip.image.height for strip in strips), default=0) + CAPTION_HEIGHT + MARGIN
    rows = -(-len(strips) // columns) if strips else 0
    sheet = Image.new("RGB", (columns * width + MARGIN, rows * height + MARGIN), BACKGROUND)
    pen = ImageDraw.Draw(sheet)
    for number, strip in enumerate(strips):
        left, top = MARGIN + number % columns * width, MARGIN + number // columns * height
        sheet.paste(strip.image, (left, top))
        pen.text((left, top + strip.image.height + 3), shorten(strip.caption, 42), INK, font)
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG")
    return buffer.getvalue()


def _load(catalogue: Catalogue, name: str, cell: tuple[int, int]) -> Image.Image | None:
    try:
        return ImageOps.contain(decode_photo(catalogue.read_photo(name), at_least=cell), cell)
    except PhotoError:
        return None  # `hangtag check` reports it


def _find_font() -> Path:
    try:
        from matplotlib import get_data_path  # noqa: PLC0415 - an extra
    except ImportError:
        raise missing_extra("report", "drawing figures") from None
    return Path(get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
