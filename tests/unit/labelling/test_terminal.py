import io
import time
from collections import Counter

from rich.console import Console

from hangtag.domain.prediction import Flag
from hangtag.domain.reasons import Reason
from hangtag.labelling.outputs import Layout
from hangtag.labelling.run import Summary
from hangtag.labelling.terminal import ProgressLines, TerminalTable, print_summary, show_progress

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
        "answer_level": "articleType",
        "flags": (),
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


def test_what_is_not_sure_is_said_to_be_so():
    assert show(rows(answer_level="masterCategory"))[1] == "a.jpg Apparel · not sure: Tshirts 87% Red 41%"
    assert show(rows(answer_level=None))[1] == "a.jpg not sure: Apparel › Tshirts 87% Red 41%"


def test_flags_stand_below_the_label():
    flagged = rows(flags=("not_a_product", "too_dark"))
    assert show(flagged)[1:] == ["a.jpg Apparel › Tshirts 87% Red 41%", "⚑ not a product, too dark"]
    assert show(flagged, width=80)[1:] == [
        "a.jpg Apparel › Tshirts 87%",
        "Red 41%",
        "⚑ not a product, too dark",
    ]


def test_a_failure_says_why():
    nothing = dict.fromkeys(("articleType", "articleType_confidence", "answer_level", "flags"))
    failed = rows(status="failed", reason="too_small", **nothing)
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
    summary = Summary(Layout(("masterCategory",), frozenset(["masterCategory"])), photos=1200, other_files=1)
    summary.seconds, summary.photos_before = 2.0, 200
    summary.reasons.update({Reason.EMPTY: 2, Reason.CORRUPT: 5})
    summary.labels = {"default": {"masterCategory": Counter({"Apparel": 1000, "Footwear": 193})}}
    summary.bands = {"default": [3, 0, 1190, 0]}
    summary.answers = {"default": Counter({"masterCategory": 1100, None: 93})}
    summary.flags = {"default": Counter({Flag.BLURRED: 4, Flag.NOT_A_PRODUCT: 9})}
    print_summary(console, summary, ["a\x1b.csv: the table cannot be read beyond row 2"])
    assert console.file.getvalue().splitlines() == [
        "1,193 of 1,200 photos labelled, 7 not, 200 of them earlier (2.0 s, 500 images/s)",
        "  5 × corrupt: the file is damaged",
        "  2 × empty: the file is empty",
        r"  a\x1b.csv: the table cannot be read beyond row 2",
        "  1 file without a photo's extension skipped",
        "  Apparel 1,000, Footwear 193",
        "  confidence in masterCategory: 0 from 90%, 1,190 from 70%, 0 from 50%, 3 under that",
        "  confident of the category: 1,100 to masterCategory, 93 not at all",
        "  9 × not_a_product: the photo does not look like a fashion product",
        "  4 × blurred: the photo is blurred",
    ]


def test_progress_shows_how_many_of_how_many(tmp_path):
    for number in range(4):
        (tmp_path / f"{number}.jpg").touch()
    console = Console(file=io.StringIO(), force_terminal=True, width=100)
    with show_progress(console, lambda: 4) as on_progress:
        on_progress(3, 1)
        deadline = time.monotonic() + 30
        while "3/4" not in console.file.getvalue():
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_a_log_gets_a_line_a_minute():
    console = Console(file=io.StringIO(), width=100)
    now = [0.0]
    on_progress = ProgressLines(console, 1000, lambda: now[0])
    for seconds, done, failed in [(10, 50, 0), (60, 70, 0), (90, 100, 1), (120, 80, 0)]:
        now[0] = float(seconds)
        on_progress(done, failed)
    assert console.file.getvalue().splitlines() == [
        "1,120 photos, 2 images/s",
        "1,300 photos, 3 images/s, 0.33% failed",
    ]
