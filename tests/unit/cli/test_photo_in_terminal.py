import io

import pytest
from rich.console import Console

from fakes import COLOURS, paint
from hangtag.cli.asking import print_photo, render_photo


@pytest.mark.parametrize(
    ("size", "lines", "width"),
    [((100, 100), 18, 36), ((100, 1), 1, 36), ((1, 100), 24, 1), ((60, 80), 24, 36)],
)
def test_a_photo_keeps_its_proportions_within_the_terminal(size, lines, width):
    rows = render_photo(paint("Red", size)).plain.splitlines()
    assert (len(rows), len(rows[0])) == (lines, width)


def test_a_character_is_two_pixels():
    photo = paint("Red", (4, 4))
    photo.paste(COLOURS["Blue"], (0, 2, 4, 4))
    style = render_photo(photo, columns=1, max_rows=1).spans[0].style
    assert style.color.triplet.red > 150
    assert style.bgcolor.triplet.blue > 150


def test_where_there_are_no_colours_nothing_is_printed():
    file = io.StringIO()
    print_photo(Console(file=file), paint("Red"))
    assert file.getvalue() == ""
    print_photo(Console(file=file, force_terminal=True, color_system="truecolor"), paint("Red"))
    assert "▀" in file.getvalue()
