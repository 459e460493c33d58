"""The figures of all reports: bars, lines, confusion matrices and reliability diagrams, all in one style.

Only matplotlib's object interface is used, never `pyplot`, so that no setting leaks into another figure.
"""

import io
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from hangtag.domain.durable import write_whole
from hangtag.domain.extras import missing_extra

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray


PAPER: Final = "#fcfbf8"
INK: Final = "#24221e"
FADED_INK: Final = "#6f6a60"
RULE: Final = "#e3dfd6"
ACCENT: Final = "#2d5fa4"
SERIES_COLOURS: Final = (ACCENT, "#b4aa98", INK, "#7fa7d9", "#857b69", "#c9d8ec")
"""The first series has the accent colour. The others differ in lightness, so that they stay distinct in print."""

DOTS_PER_INCH: Final = 144
WIDTH: Final = 7.2
"""The usual width of a figure in inches: 1,037 pixels, shown at half that size on a high-density screen."""

SMALL: Final = 8.0
NORMAL: Final = 9.0
LARGE: Final = 11.0
"""Font sizes in points."""


def new_figure(height: float, width: float = WIDTH) -> "Figure":
    """Return an empty figure; `height` and `width` are in inches.

    Raises `UsageError` if matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415 - an extra, and half a second to import
    except ImportError:
        raise missing_extra("report", "drawing figures") from None
    return Figure(figsize=(width, height), dpi=DOTS_PER_INCH, facecolor=PAPER, layout="constrained")


def quieten(axes: "Axes", *, title: str = "", x_name: str = "", y_name: str = "") -> None:
    """Style axes like those of all figures: no box, pale grid lines, a title on the left."""
    axes.set_facecolor(PAPER)
    for side in axes.spines.values():
        side.set_visible(False)
    axes.tick_params(length=0, labelsize=SMALL, labelcolor=INK)
    axes.grid(color=RULE, linewidth=0.8)
    axes.set_axisbelow(True)
    if title:
        axes.set_title(title, loc="left", fontsize=LARGE, fontweight="bold", color=INK, pad=12)
    axes.set_xlabel(x_name, fontsize=SMALL, color=FADED_INK)
    axes.set_ylabel(y_name, fontsize=SMALL, color=FADED_INK)


def add_legend(figure: "Figure", axes: "Axes") -> None:
    """Add a legend below the figure, where it covers nothing. One series needs none."""
    handles, names = axes.get_legend_handles_labels()
    if len(names) > 1:
        figure.legend(
            handles, names, loc="outside lower left", ncols=4, frameon=False, fontsize=SMALL, labelcolor=INK
        )


def png_bytes(figure: "Figure") -> bytes:
    """Return the figure as a PNG. The same figure always gives the same bytes."""
    from matplotlib.text import Text  # noqa: PLC0415 - as above

    for text in figure.findobj(Text):
        text.set_parse_math(parse_math=False)  # labels may contain dollar signs
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # labels may be in a script that the font lacks
        figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def write_png(figure: "Figure", path: Path) -> None:
    """Write the figure as a PNG, whole or not at all. Raises `UsageError` if it cannot be written."""
    write_whole(png_bytes(figure), path)


__all__ = [
    "bar_chart",
    "bar_panels",
    "heat_map",
    "line_chart",
    "png_bytes",
    "reliability_diagram",
    "write_png",
]

RIGHT_ANSWERS: Final = "#cfc8ba"
LONGEST_LABEL: Final = 30
ROOM_FOR_LABELS: Final = 1.7
ROOM_FOR_TEXT: Final = 1.0
"""In inches: the space left of the bars for labels, and right of the longest bar for its text."""

LEGIBLE_CELL: Final = 0.3
"""The smallest cell of a heat map, in inches, that has room for text."""


def bar_chart(
    counts: Mapping[str, Mapping[str, float]], *, title: str, value_name: str, horizontal: bool = True
) -> "Figure":
    """Draw a group of bars for each label, one bar for each series: series -> label -> value.

    Labels keep the order in which the series name them, the first at the top or left. A series that lacks a label has
    no bar there.
    """
    labels = _names_of_all(counts)
    figure = new_figure(1.2 + len(labels) * (0.1 + 0.17 * len(counts)) if horizontal else 3.2)
    axes = figure.subplots()
    quieten(axes, title=title, **{"x_name" if horizontal else "y_name": value_name})
    thickness = 0.8 / max(1, len(counts))
    for number, (series, values) in enumerate(counts.items()):
        offsets = [place + (number - (len(counts) - 1) / 2) * thickness for place in range(len(labels))]
        lengths = [values.get(label, 0.0) for label in labels]
        draw = axes.barh if horizontal else axes.bar
        draw(offsets, lengths, thickness * 0.88, color=_colour(number), label=series)
    _name_places(axes, labels, horizontal=horizontal)
    value_axis = axes.xaxis if horizontal else axes.yaxis
    value_axis.set_major_formatter(lambda value, _: f"{value:,.10g}")
    add_legend(figure, axes)
    return figure


def bar_panels(
    counts: Mapping[str, Mapping[str, float]],
    texts: Mapping[str, Mapping[str, str]],
    *,
    title: str,
    value_name: str,
) -> "Figure":
    """Draw a panel of bars for each series, side by side, with the same labels and the same scale.

    `counts` holds the lengths of the bars, `texts` what is written at their ends, both as series -> label -> value. A
    series that lacks a label has no bar there.
    """
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415 - an extra

    labels = _names_of_all(counts)
    figure = new_figure(1.15 + 0.24 * len(labels))
    panels = figure.subplots(1, max(1, len(counts)), sharex=True, sharey=True, squeeze=False)[0]
    figure.suptitle(title, x=0.012, ha="left", fontsize=LARGE, fontweight="bold", color=INK)
    longest = max((value for values in counts.values() for value in values.values()), default=0) or 1
    for number, (axes, (series, values)) in enumerate(zip(panels, counts.items(), strict=False)):
        quieten(axes, x_name=value_name)
        axes.set_title(series if len(counts) > 1 else "", loc="left", fontsize=NORMAL, color=FADED_INK)
        axes.barh(
            range(len(labels)), [values.get(label, 0.0) for label in labels], 0.7, color=_colour(number)
        )
        for place, label in enumerate(labels):
            written = axes.annotate(
                texts[series].get(label, ""),
                (values.get(label, 0.0), place),
                (4, 0),
                textcoords="offset points",
                va="center",
                fontsize=SMALL,
                color=INK,
            )
            written.set_in_layout(
                False
            )  # the scale already leaves room for it, and the layout engine is slow
    _name_places(panels[0], labels, horizontal=True)
    for axes in panels[1:]:
        axes.grid(visible=False, axis="y")
    ticks = MaxNLocator(4, steps=[1, 2, 5, 10]).tick_values(0, longest)
    panels[0].set_xticks([tick for tick in ticks if tick <= longest])
    panels[0].set_xlim(0, longest / (1 - ROOM_FOR_TEXT * max(1, len(counts)) / (WIDTH - ROOM_FOR_LABELS)))
    return figure


def _names_of_all(counts: Mapping[str, Mapping[str, float]]) -> list[str]:
    return list(dict.fromkeys(label for values in counts.values() for label in values))


def _name_places(axes: "Axes", labels: Sequence[str], *, horizontal: bool) -> None:
    shown = [shorten(label) for label in labels]
    places = range(len(labels))
    if horizontal:
        axes.set_yticks(places, shown, fontsize=NORMAL)
        axes.set_ylim(len(labels) - 0.4, -0.6)
        axes.grid(visible=False, axis="y")
    else:
        axes.set_xticks(places, shown)
        axes.grid(visible=False, axis="x")


def heat_map(
    values: "NDArray[np.floating] | Sequence[Sequence[float]]",
    row_names: Sequence[str],
    column_names: Sequence[str],
    *,
    title: str,
    annotate: Sequence[Sequence[str]] | None = None,
) -> "Figure":
    """Draw a confusion matrix: a row for each true class, a column for each predicted one.

    `values` is float (rows, columns), usually shares of the row. Correct cells, where row and column have the same
    name, are grey, so that mistakes stand out; the largest mistake has the deepest colour. With more classes the
    figure grows and the font shrinks. `annotate` holds a text for each cell, shown if the cells are large enough.
    """
    cells = np.asarray(values, dtype=np.float64).reshape(len(row_names), len(column_names))
    side = _cell_side(max(cells.shape))
    names = max((len(shorten(name)) for name in (*row_names, *column_names)), default=0)
    letters = min(NORMAL, max(4.0, side * 50))
    margin = 0.9 + names * letters / 110
    figure = new_figure(margin + 0.3 + side * cells.shape[0], max(4.0, margin + side * cells.shape[1]))
    axes = figure.subplots()
    quieten(axes, title=title, x_name="predicted class", y_name="true class")
    axes.grid(visible=False)
    colours = _cell_colours(cells, row_names, column_names)
    axes.imshow(colours, aspect="equal", interpolation="nearest")
    axes.set_yticks(range(len(row_names)), [shorten(name) for name in row_names], fontsize=letters)
    axes.set_xticks(range(len(column_names)), [shorten(name) for name in column_names], fontsize=letters)
    axes.tick_params(axis="x", rotation=90 if len(column_names) > 4 or names > 8 else 0)  # noqa: PLR2004 - what fits
    if annotate is not None and side >= LEGIBLE_CELL:
        _write_in_cells(axes, colours, annotate)
    return figure


def _cell_side(count: int) -> float:
    """Return the side of a cell in inches: large for a few classes, and small enough for a figure of 20 inches."""
    return float(np.clip(6.0 / max(1, count), 0.13, 0.7))


def _cell_colours(
    cells: "NDArray[np.float64]", row_names: Sequence[str], column_names: Sequence[str]
) -> "NDArray[np.float64]":
    """Return RGB from 0 to 1 (rows, columns, 3). The square root keeps rare mistakes visible."""
    from matplotlib.colors import to_rgb  # noqa: PLC0415 - an extra

    is_right = np.asarray(row_names, dtype=object)[:, None] == np.asarray(column_names, dtype=object)[None, :]
    depth = np.zeros_like(cells)
    for mask in (is_right, ~is_right):
        largest = float(np.max(cells, where=mask, initial=0.0))
        if largest > 0:
            depth[mask] = np.sqrt(np.clip(cells[mask], 0, None) / largest)
    paper: NDArray[np.float64] = np.array(to_rgb(PAPER))
    deepest = np.where(is_right[..., None], to_rgb(RIGHT_ANSWERS), to_rgb(ACCENT))
    colours: NDArray[np.float64] = paper + depth[..., None] * (deepest - paper)
    return colours


def _write_in_cells(axes: "Axes", colours: "NDArray[np.float64]", texts: Sequence[Sequence[str]]) -> None:
    for (row, column), brightness in np.ndenumerate(colours.mean(axis=2)):
        colour = INK if brightness > 0.6 else PAPER  # noqa: PLR2004 - readable on either side of it
        axes.text(column, row, texts[row][column], ha="center", va="center", fontsize=SMALL - 1, color=colour)


def line_chart(
    series: Mapping[str, tuple[Sequence[float], Sequence[float]]], *, title: str, x_name: str, y_name: str
) -> "Figure":
    """Draw a line for each series: name -> (xs, ys). Short series show their points.

    If there are more series than colours, the remaining ones are dashed.
    """
    figure = new_figure(3.4)
    axes = figure.subplots()
    quieten(axes, title=title, x_name=x_name, y_name=y_name)
    for number, (name, (xs, ys)) in enumerate(series.items()):
        marker = "o" if len(xs) <= 30 else ""  # noqa: PLR2004 - beyond it points run together
        drawn = axes.plot(xs, ys, color=_colour(number), linewidth=1.8, marker=marker, markersize=3.5)
        drawn[0].set(label=name, linestyle="-" if number < len(SERIES_COLOURS) else (0, (4, 2)))
    add_legend(figure, axes)
    return figure


def reliability_diagram(bins: Sequence[Mapping[str, float]], *, title: str) -> "Figure":
    """Draw accuracy over confidence, and below it the number of predictions in each bin.

    A bin has `low` and `high` (its bounds), `count`, and the means `confidence` and `accuracy`; all but the count are
    from 0 to 1. A calibrated model lies on the diagonal, an overconfident one below it.
    """
    figure = new_figure(4.6, WIDTH * 0.7)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    quieten(upper, title=title, y_name="accuracy")
    quieten(lower, x_name="confidence", y_name="predictions")
    upper.plot((0, 1), (0, 1), color=FADED_INK, linewidth=1, linestyle=(0, (4, 3)))
    upper.plot(
        [bin_["confidence"] for bin_ in bins],
        [bin_["accuracy"] for bin_ in bins],
        color=ACCENT,
        marker="o",
        markersize=4.5,
        linewidth=1.8,
    )
    middles = [(bin_["low"] + bin_["high"]) / 2 for bin_ in bins]
    widths = [0.9 * (bin_["high"] - bin_["low"]) for bin_ in bins]
    lower.bar(middles, [bin_["count"] for bin_ in bins], widths, color=SERIES_COLOURS[1])
    lower.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    upper.set(xlim=(0, 1), ylim=(0, 1.02))
    lower.grid(visible=False, axis="x")
    lower.axhline(0, color=RULE)
    return figure


def shorten(label: str, longest: int = LONGEST_LABEL) -> str:
    """Return a label, cut with an ellipsis if it is longer than `longest`."""
    return label if len(label) <= longest else f"{label[: longest - 1]}…"


def _colour(number: int) -> str:
    return SERIES_COLOURS[number % len(SERIES_COLOURS)]
