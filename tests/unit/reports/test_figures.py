import io
import sys

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.text import Text
from PIL import Image

from hangtag.domain.errors import UsageError
from hangtag.reports.figures import (
    ACCENT,
    PAPER,
    bar_chart,
    bar_panels,
    heat_map,
    line_chart,
    png_bytes,
    reliability_diagram,
    write_png,
)

BINS = [{"low": 0.5, "high": 0.6, "count": 10, "confidence": 0.55, "accuracy": 0.4}]


def texts(figure):
    return [text.get_text() for text in figure.findobj(Text)]


def test_bars_are_as_long_as_their_values():
    figure = bar_chart(
        {"shop": {"Shirts": 0.5, "Belts": 0.25}, "own": {"Shirts": 1.0}}, title="Types", value_name="share"
    )
    bars = {
        container.get_label(): [bar.get_width() for bar in container]
        for container in figure.axes[0].containers
    }
    assert bars == {"shop": [0.5, 0.25], "own": [1.0, 0.0]}
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["Shirts", "Belts"]
    assert figure.axes[0].yaxis_inverted()  # the first one is at the top
    assert {"Types", "share", "shop", "own"} <= set(texts(figure))


def test_bars_may_stand_upright():
    upright = bar_chart(
        {"shop": {"2011": 3, "2012": 4}}, title="Years", value_name="products", horizontal=False
    )
    assert [bar.get_height() for bar in upright.axes[0].patches] == [3, 4]
    assert upright.legends == []  # one series needs no name


def test_panels_share_their_labels_and_their_scale():
    shares = {"shop": {"Shirts": 40.0, "Belts": 60.0}, "own": {"Shirts": 100.0}}
    written = {"shop": {"Shirts": "2 of 5", "Belts": "3 of 5"}, "own": {"Shirts": "1 of 1"}}
    figure = bar_panels(shares, written, title="Types", value_name="share, %")
    assert [[bar.get_width() for bar in axes.patches] for axes in figure.axes] == [[40, 60], [100, 0]]
    assert figure.axes[0].get_xlim() == figure.axes[1].get_xlim()
    assert max(figure.axes[0].get_xticks()) == 100
    assert {"Types", "shop", "own", "Shirts", "Belts", "2 of 5", "3 of 5", "1 of 1"} <= set(texts(figure))


def test_no_bars_are_a_figure_too():
    assert png_bytes(bar_chart({"shop": {}}, title="", value_name="")).startswith(b"\x89PNG")
    assert png_bytes(bar_panels({}, {}, title="", value_name="")).startswith(b"\x89PNG")


def test_mistakes_stand_out_of_a_heat_map_and_right_answers_do_not():
    figure = heat_map(
        [[0.9, 0.1], [0.0, 1.0]], ["a", "b"], ["a", "b"], title="", annotate=[["9", "1"], ["0", "5"]]
    )
    colours = figure.axes[0].images[0].get_array().data
    assert colours[0, 1] == pytest.approx(to_rgb(ACCENT))  # the largest mistake
    assert colours[1, 0] == pytest.approx(to_rgb(PAPER))
    assert np.ptp(colours[1, 1]) < 0.15  # grey
    assert {"true class", "predicted class", "9", "1", "0", "5"} <= set(texts(figure))


def test_a_heat_map_grows_with_its_classes_and_then_leaves_out_the_texts():
    names = [f"class {number}" for number in range(141)]
    figure = heat_map(np.eye(141), names, names, title="", annotate=[["x"] * 141] * 141)
    assert 15 < figure.get_size_inches()[0] < 25
    assert "x" not in texts(figure)
    assert "class 140" in texts(figure)


def test_a_heat_map_may_have_more_columns_than_rows():
    figure = heat_map([[0.5, 0.0, 0.5]], ["b"], ["a", "b", "c"], title="")
    assert figure.axes[0].images[0].get_array().shape == (1, 3, 3)


def test_lines_and_reliability_name_their_axes():
    lines = line_chart(
        {"train": ([1, 2], [3, 2]), "validation": ([1, 2], [4, 3])}, title="", x_name="epoch", y_name="loss"
    )
    assert [list(line.get_ydata()) for line in lines.axes[0].lines] == [[3, 2], [4, 3]]
    assert {"epoch", "loss", "train", "validation"} <= set(texts(lines))
    diagram = reliability_diagram(BINS, title="")
    assert {"accuracy", "confidence", "predictions"} <= set(texts(diagram))
    assert list(diagram.axes[0].lines[1].get_ydata()) == [0.4]


def test_any_label_can_be_drawn():
    labels = {"$x$ and $y": 1, "\u7d20\u6750": 2, "x" * 80: 3, "": 4}
    image = Image.open(io.BytesIO(png_bytes(bar_chart({"shop": labels}, title="$", value_name="$^$"))))
    assert image.width == 1036


def test_the_same_figure_gives_the_same_file(tmp_path):
    for name in ("one.png", "two.png"):
        write_png(reliability_diagram(BINS, title="Same"), tmp_path / name)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()


def test_without_matplotlib_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(UsageError, match=r"hangtag\[report\]"):
        line_chart({}, title="", x_name="", y_name="")
