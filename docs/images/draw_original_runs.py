"""Draw `original-runs.png`: accuracy and loss of training runs by epoch, from the cards of their bundles.

python docs/images/draw_original_runs.py runs/*/basic_cnn.onnx runs/*/vgg16.onnx ...
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from matplotlib.ticker import MaxNLocator

from hangtag.bundle.card import Card
from hangtag.bundle.file import read_card
from hangtag.reports.figures import SERIES_COLOURS, add_legend, new_figure, quieten, write_png

PANELS = (("top1_accuracy", "accuracy"), ("loss", "loss"))
PICTURE = Path(__file__).parent / "original-runs.png"


def draw(cards: Sequence[Card]) -> None:
    """Draw one column of panels for each card, accuracy above loss."""
    figure = new_figure(height=4.2, width=2.4 * len(cards))
    rows = figure.subplots(len(PANELS), len(cards), squeeze=False)
    for line, (quantity, name) in enumerate(PANELS):
        for column, card in enumerate(cards):
            axes = rows[line][column]
            for part, colour in zip(("train", "validation"), SERIES_COLOURS, strict=False):
                epochs = [epoch["epoch"] for epoch in card.history]
                values = [epoch[f"{part}_{quantity}"] for epoch in card.history]
                axes.plot(epochs, values, color=colour, label=part, marker=".", linewidth=1.5)
            axes.set_xlim(0.5, len(card.history) + 0.5)
            axes.xaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))
            title, y_name = "" if line else card.name, "" if column else name
            quieten(axes, title=title, x_name="epoch" if line else "", y_name=y_name)
    add_legend(figure, rows[0][0])
    write_png(figure, PICTURE)


if __name__ == "__main__":
    draw([read_card(Path(name)) for name in sys.argv[1:]])
