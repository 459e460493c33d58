import io
import json
import re
import sys

import pytest
from PIL import Image

from hangtag.catalogue.describe import Column, Kind, describe_catalogue
from hangtag.catalogue.describe_plots import (
    draw_sheet,
    make_strip,
    make_strips,
    plot_classes,
    plot_long_tail,
    plot_years,
)
from hangtag.catalogue.describe_report import Described, write_description
from hangtag.datasets.cleaned import read_cleaned
from hangtag.datasets.opening import open_catalogue
from hangtag.domain.errors import UsageError


def described(path, *columns):
    """Describe a catalogue by some of its columns: each figure takes its time."""
    catalogue = open_catalogue(path)
    table = read_cleaned(catalogue).table
    chosen = table.select(["id", *columns]) if columns else table
    return Described(catalogue, describe_catalogue(catalogue, chosen))


def bars(figure, panel=0):
    """Return the lengths of a panel's bars by label, those that have one."""
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    lengths = [bar.get_width() for bar in figure.axes[panel].patches]
    return {label: length for label, length in zip(labels, lengths, strict=True) if length}


@pytest.mark.costly
def test_everything_is_written(tiny_catalogue, tmp_path):
    steps = []
    main = described(tiny_catalogue, "articleType", "season", "year")
    page = write_description(main, None, tmp_path / "out", steps.append)
    assert page == tmp_path / "out" / "describe.html"
    assert {path.name for path in page.parent.iterdir()} == {
        "describe.html",
        "statistics.json",
        "distribution-articleType.png",
        "distribution-season.png",
        "distribution-year.png",
        "missing.png",
        "samples-articleType.png",
    }
    assert steps == ["articleType", "season", "year"]
    facts = json.loads((tmp_path / "out" / "statistics.json").read_text("utf-8"))
    assert facts["catalogue"]["products"] == 60
    assert facts["custom"] is None
    assert "1 product has no photo." in facts["notable"]


@pytest.mark.costly
def test_the_custom_set_stands_beside_the_catalogue(tiny_catalogue, tmp_path):
    main = described(tiny_catalogue, "masterCategory")
    page = write_description(main, main, tmp_path, lambda _: None)
    html = page.read_text("utf-8")
    assert "The custom set next to the catalogue" in html
    assert re.search(r"<td>Apparel</td><td[^>]*>36</td><td[^>]*>60.0.%</td><td[^>]*>36</td>", html)
    assert (tmp_path / "samples-custom.png").is_file()


def test_a_catalogue_without_photos_or_rows_is_described(write_catalogue, tmp_path):
    main = described(write_catalogue(b"id,masterCategory,subCategory,articleType\n"))
    assert write_description(main, main, tmp_path, lambda _: None).is_file()


def test_hostile_labels_become_neither_markup_nor_paths(write_catalogue, tmp_path):
    folder = write_catalogue(
        b"id,masterCategory,subCategory,articleType,../../size\n1,<script>x</script>,$a$,b,c\n2,d,e,f,g\n"
    )
    page = write_description(described(folder), None, tmp_path / "out", lambda _: None)
    assert "<script>" not in page.read_text("utf-8")
    assert (page.parent / "distribution-_size.png").is_file()
    assert {path.name for path in tmp_path.iterdir()} <= {"out", "written"}


def test_without_matplotlib_the_extra_is_named(tiny_catalogue, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(UsageError, match=r"hangtag\[report\]"):
        write_description(described(tiny_catalogue, "season"), None, tmp_path, lambda _: None)


def test_shares_are_of_each_set_and_small_classes_share_a_bar():
    many = tuple((f"class{number}", 100 - number) for number in range(50))
    column = Column("articleType", Kind.LEVEL, 0, 50, many)
    own = Column("articleType", Kind.LEVEL, 0, 3, (("class0", 2), ("class49", 1), ("unknown", 1)))
    figure = plot_classes(column, own)
    assert list(bars(figure))[:2] == ["class0", "class1"]
    assert list(bars(figure))[-2:] == ["class49", "9 other classes"]
    assert sum(bars(figure).values()) == pytest.approx(100)
    assert bars(figure, panel=1) == {"class0": 50, "class49": 25, "unknown": 25}


def test_the_long_tail_shows_every_class():
    column = Column(
        "articleType", Kind.LEVEL, 0, 50, tuple((f"class{number}", 150 - 2 * number) for number in range(50))
    )
    figure = plot_long_tail(column)
    assert len(figure.axes[0].patches) == 50
    assert "24 classes with fewer than 100 products" in [text.get_text() for text in figure.axes[0].texts]


def test_years_are_counts_alone_and_shares_side_by_side(tiny_catalogue):
    statistics = described(tiny_catalogue).statistics
    assert [bar.get_height() for bar in plot_years(statistics, None).axes[0].patches] == [10] * 6
    both = plot_years(statistics, statistics).axes[0].patches
    assert sum(bar.get_height() for bar in both) == pytest.approx(200)


def test_strips_hold_the_photos_that_can_be_shown(tiny_catalogue):
    (tiny_catalogue / "images" / "1003.jpg").write_bytes(b"broken")
    with open_catalogue(tiny_catalogue) as catalogue:
        strip = make_strip([(catalogue, ["1000.jpg", "1003.jpg", "absent.jpg", "1004.jpg"])], "Two")
        assert strip.image.size == (2 * 60 + 4, 80)
        beside = make_strip([(catalogue, ["1000.jpg"]), (catalogue, [])], "Empty second row")
        assert beside.image.size == (60, 2 * 80 + 4)
        assert make_strip([(catalogue, ["1003.jpg"])], "None") is None
        strips = make_strips(catalogue, {"a": ["1000.jpg"], "b": []}, {"b": "B", "a": "A"})
    assert [one.caption for one in strips] == ["A"]
    sheet = Image.open(io.BytesIO(draw_sheet([strip, beside, *strips])))
    assert sheet.size == (3 * (124 + 16) + 16, 164 + 22 + 16 + 16)
