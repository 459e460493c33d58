"""The style of all figures: colours and font sizes, and how a figure becomes a PNG.

Only matplotlib's object interface is used, never `pyplot`, so that no setting leaks into another figure.
"""

import io
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hangtag.domain.durable import write_whole
from hangtag.domain.extras import missing_extra

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

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

    Raises `UsageError` when matplotlib is not installed.
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
        text.set_parse_math(parse_math=False)  # a label may hold dollar signs
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # a label in a script that the font lacks
        figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def write_png(figure: "Figure", path: Path) -> None:
    """Write the figure as a PNG, whole or not at all. Raises `UsageError` when it cannot be written."""
    write_whole(png_bytes(figure), path)
