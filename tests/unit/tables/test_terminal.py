import io

import pytest
from rich.console import Console
from rich.text import Text

from hangtag.tables.terminal import add_figures, figures_table, print_table


def shown(table, width):
    file = io.StringIO()
    print_table(Console(file=file, width=width, force_terminal=True, color_system=None), table)
    return file.getvalue()


def build():
    table = figures_table("head", "top-1", "95 % interval", "photos")
    table.add_row("masterCategory", "100.00%", "99.87 – 100.00", "39,655")
    return table


@pytest.mark.parametrize("width", [10, 30, 80, 200])
def test_no_figure_is_cut_however_narrow_the_terminal(width):
    text = shown(build(), width)
    assert "…" not in text
    assert all(figure in text for figure in ("masterCategory", "100.00%", "99.87 – 100.00", "39,655"))
    assert len(text.splitlines()) == 2


def test_text_wraps_where_figures_need_the_room():
    table = figures_table("model", "right")
    table.add_column("what", overflow="fold")
    table.add_row("a", "66.67%", Text("many words that need more room than there is"))
    text = shown(table, 30)
    assert "66.67%" in text
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 30
    assert len(text.splitlines()) > 2


def test_a_table_with_lines_around_it_keeps_its_figures_too():
    table = figures_table("x")
    add_figures(table, "a", "b", "c")
    table.box = __import__("rich.box").box.SQUARE
    table.add_row("long name of a row", "1,000,000", "2,000,000", "3,000,000")
    assert "3,000,000" in shown(table, 20)
