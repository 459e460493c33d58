import io

import pytest
from rich.table import Table

from hangtag.cli.console import TerminalProgress, WholeConsole, open_console

FIGURES = ("100.00%", "8.89 – 53.23", "39,655")


@pytest.fixture
def table():
    table = Table(box=None)
    table.add_column("head", overflow="fold")
    for heading in ("top-1", "95 % interval", "photos"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_row("masterCategory", *FIGURES)
    return table


@pytest.mark.parametrize("width", [10, 40, 80, 200])
def test_no_figure_of_a_table_is_cut_however_narrow_the_terminal_is(table, width):
    file = io.StringIO()
    console = WholeConsole(file=file, width=width, force_terminal=True, no_color=True)
    console.print(table)
    console.print("x" * 300)
    out = file.getvalue()
    assert all(figure in out for figure in (*FIGURES, "95 % interval"))
    assert "…" not in out
    assert console.width == width


def test_a_pipe_is_as_wide_as_what_is_printed(capsys):
    open_console().print(" ".join(["word"] * 100))
    assert capsys.readouterr().out.count("\n") == 1


def test_progress_is_quiet_where_there_is_no_terminal_and_lines_are_not(capsys):
    with TerminalProgress() as progress:
        progress.advance("Opening photos", 1, 2)
        progress.say("a line with [brackets] and \x1b[2J")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "a line with [brackets] and \\x1b[2J\n"


def test_colours_are_off_where_nobody_wants_them(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    file = io.StringIO()
    WholeConsole(file=file, force_terminal=True).print("red", style="red")
    assert "\x1b[31m" not in file.getvalue()
