import io
import time

from rich.console import Console

from hangtag.domain.reasons import Reason
from hangtag.labelling.layout import Layout
from hangtag.labelling.progress import show_progress
from hangtag.labelling.summary import Summary
from hangtag.labelling.terminal import TerminalTable, print_summary

COLUMNS = ("masterCategory", "articleType", "baseColour")
LAYOUT = Layout(COLUMNS, frozenset(COLUMNS))


def rows(count=1, **changes):
    values = {
        "path": "a.jpg",
        "status": "labelled",
        "reason": None,
        "masterCategory": "Apparel",
        "masterCategory_confidence": 0.99,
        "articleType": "Tshirts",
        "articleType_confidence": 0.87,
        "baseColour": "Red",
        "baseColour_confidence": 0.41,
    }
    return {name: [value] * count for name, value in (values | changes).items()}


def show(*batches, width=140, layout=LAYOUT, limit=100):
    console = Console(file=io.StringIO(), width=width)
    table = TerminalTable(console, layout, limit)
    for batch in batches:
        table.write(batch)
    table.finish()
    return [" ".join(line.split()) for line in console.file.getvalue().splitlines()]


def test_a_wide_terminal_has_a_column_for_each_attribute():
    assert show(rows()) == ["photo category colour", "a.jpg Apparel › Tshirts 87% Red 41%"]


def test_a_narrow_terminal_has_the_attributes_below_the_category():
    other = rows(articleType="Shirts", baseColour=None, baseColour_confidence=None)
    assert show(rows(), other, width=80) == [
        "photo label",
        "a.jpg Apparel › Tshirts 87%",
        "Red 41%",
        "a.jpg Apparel › Shirts 87%",
        "–",
    ]


def test_a_failure_says_why():
    failed = rows(status="failed", reason="too_small", articleType=None, articleType_confidence=None)
    assert show(failed)[1] == "a.jpg the photo is too small to show anything"


def test_compared_models_are_named():
    layout = Layout(COLUMNS, frozenset(["baseColour"]), ("one", "two"))
    assert show(rows(model="one"), layout=layout) == ["photo model colour", "a.jpg one Red 41%"]


def test_a_long_run_is_cut_and_says_so():
    shown = show(rows(3), rows(4), limit=5)
    assert len(shown) == 7
    assert shown[-1].startswith("… and 2 more:")


def test_a_name_cannot_steer_the_terminal():
    assert show(rows(path="\x1b[2J[bold]\n.jpg"))[1].startswith(r"\x1b[2J[bold]\n.jpg ")
    assert show(rows(baseColour="\x1b[31mRed"))[1].endswith(r"\x1b[31mRed 41%")


def test_the_summary_says_what_a_run_came_to():
    console = Console(file=io.StringIO(), width=140)
    summary = Summary(photos=1200, other_files=1, seconds=2.0)
    summary.reasons.update({Reason.EMPTY: 2, Reason.CORRUPT: 5})
    summary.categories = {"default": {"Apparel": 1000, "Footwear": 193}}
    summary.categories = {name: type(summary.reasons)(counts) for name, counts in summary.categories.items()}
    print_summary(console, summary)
    assert console.file.getvalue().splitlines() == [
        "1,193 of 1,200 photos labelled, 7 not (2.0 s, 600 images/s)",
        "  5 × corrupt: the file is damaged",
        "  2 × empty: the file is empty",
        "  1 file that does not end like a photo: passed over",
        "  Apparel 1,000, Footwear 193",
    ]


def test_progress_shows_how_many_of_how_many(tmp_path):
    for number in range(4):
        (tmp_path / f"{number}.jpg").touch()
    console = Console(file=io.StringIO(), force_terminal=True, width=100)
    with show_progress([tmp_path], console) as on_progress:
        on_progress(3)
        deadline = time.monotonic() + 30
        while "3/4" not in console.file.getvalue():
            assert time.monotonic() < deadline
            time.sleep(0.05)
