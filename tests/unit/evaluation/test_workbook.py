"""The Excel report as a reader opens it: openpyxl sees the cells, the rules and the values that they come to."""

import zipfile
from dataclasses import replace

import pyarrow as pa
import pytest
from openpyxl import load_workbook

from fakes import COLOURS, FakeModel, build_card, encode, paint
from hangtag.domain.errors import PhotoError
from hangtag.domain.reasons import Reason
from hangtag.evaluation.answers import Answer, SamplePhoto, answer_sample
from hangtag.evaluation.photo_set import PhotoSet, choose_photos
from hangtag.evaluation.workbook import write_workbook


def photo(truth, answer, origin="test", name="1.jpg", confidence=0.9):
    return SamplePhoto(origin, name, {"gender": truth}, {"one": {"gender": Answer(answer, confidence)}}, None)


@pytest.fixture
def write(tmp_path):
    """Write a workbook and return it, read with its formulas and with the values next to them."""

    def write(photos, columns=None, notes=()):
        path = tmp_path / "predictions.xlsx"
        write_workbook(photos, columns or {"gender": ["one"]}, notes, path)
        return load_workbook(path), load_workbook(path, data_only=True)

    return write


def test_a_row_tells_the_photo_its_label_and_each_answer(write):
    book, _ = write([photo("Men", "Women", origin="custom", name="7.jpg", confidence=0.875)])
    sheet = book["gender"]
    header = [cell.value for cell in sheet[5]]
    assert sheet.freeze_panes == "C5"
    assert [cell.value for cell in sheet[4]] == ["photo", "name", "from", "true label", "one", "confidence"]
    assert header == [None, "7.jpg", "custom", "Men", "Women", 0.875]
    assert sheet.auto_filter.ref == "A4:F5"


def test_summaries_count_right_answers_by_origin_and_in_all(write):
    photos = [
        photo("Men", "Men", origin="custom"),
        photo("Men", "men", origin="custom"),  # another label, although Excel's = would not think so
        photo(None, "Men", origin="test"),
        photo("Women", "Women", origin="test"),
    ]
    formulas, values = write(photos)
    rows = [[cell.value for cell in row[2:6]] for row in values["gender"]["A2:F4"]]
    assert rows == [
        ["custom", "right of 2", 1, 0.5],
        ["test", "right of 1", 1, 1],
        ["all", "right of 3", 2, pytest.approx(2 / 3)],
    ]
    cells = [cell for row in formulas["gender"]["D2:F4"] for cell in row]
    assert all(str(cell.value).startswith("=") for cell in cells)
    assert formulas["gender"]["E2"].value == (
        '=SUMPRODUCT(($D$7:$D$10<>"")*(EXACT($C$7:$C$10,$C$2))*(EXACT($E$7:$E$10,$D$7:$D$10))*1)'
    )


def test_without_a_true_label_nothing_is_right_of_nothing(write):
    _, values = write([photo(None, "Men")])
    assert [cell.value for cell in values["gender"][2]][2:] == ["all", "right of 0", 0, None]


def test_green_is_a_rule_over_all_answers_of_each_model(write):
    photos = [
        SamplePhoto(
            "test",
            "1",
            {"gender": "Men"},
            {name: {"gender": Answer("Men", 1)} for name in ("one", "two")},
            None,
        )
    ] * 3
    book, _ = write(photos, {"gender": ["one", "two"]})
    rules = {
        str(area.sqref): [rule.formula[0] for rule in area.rules]
        for area in book["gender"].conditional_formatting
    }
    assert rules == {"E5:E7": ['AND($D5<>"",EXACT(E5,$D5))'], "G5:G7": ['AND($D5<>"",EXACT(G5,$D5))']}
    rule = next(iter(book["gender"].conditional_formatting))
    assert rule.rules[0].dxf.fill.bgColor.rgb == "FFCFE8CF"


@pytest.mark.parametrize(
    "text", ["=cmd|'/c calc'!A0", "+1", "-1", "@SUM(1)", "{=1}", "http://x.example", "007"]
)
def test_no_text_becomes_anything_else(write, text):
    photos = [
        SamplePhoto(text, text, {"gender": text}, {text: {"gender": Answer(text, 0.5)}}, None),
        SamplePhoto("test", "1", {"gender": text}, {text: {"gender": Answer(text, 0.5)}}, None),
    ]
    book, _ = write(photos, {"gender": [text]}, notes=[text])
    cells = [book["gender"][place] for place in ("B7", "C7", "D7", "E7", "C2", "E6")] + [book["about"]["A2"]]
    for cell in cells:
        assert (cell.value, cell.data_type, cell.hyperlink) == (text, "s", None)
        assert cell.number_format == "@"


def test_text_that_excel_cannot_hold_is_cut_or_spelled_out(write):
    book, _ = write([photo("x" * 40_000, "Men", name="caf\udce9.jpg")])
    assert book["gender"]["B5"].value == "caf\\udce9.jpg"
    assert len(book["gender"]["D5"].value) == 32_767


def test_sheets_are_named_by_their_columns_as_far_as_excel_allows(write):
    names = ["gender", "Gender", "a/b:c[d]*?", "History", "x" * 40, "x" * 41, "about", "\x00"]
    photos = [SamplePhoto("test", "1", {}, {"one": {name: Answer("a", 0.5) for name in names}}, None)]
    book, _ = write(photos, {name: ["one"] for name in names})
    assert book.sheetnames == [
        "gender", "Gender 2", "a-b-c-d---", "History 2", "x" * 31, "x" * 29 + " 2", "about", "-", "about 2",
    ]  # fmt: skip


def test_a_photo_stands_in_its_row_and_moves_with_it(write, tmp_path):
    thumbnail = encode(paint("Red", (60, 80)), "JPEG")
    write([photo("Men", "Men"), replace(photo("Men", "Men"), thumbnail=thumbnail)])
    with zipfile.ZipFile(tmp_path / "predictions.xlsx") as archive:
        drawing = archive.read("xl/drawings/drawing1.xml").decode()
        assert drawing.count('descr="1.jpg"') == 1
        assert "<xdr:from><xdr:col>0</xdr:col>" in drawing
        assert "<xdr:row>5</xdr:row>" in drawing
        assert "editAs" not in drawing  # without it a picture moves and shrinks with its cell


def test_a_workbook_is_whole_or_not_there(tmp_path):
    path = tmp_path / "predictions.xlsx"
    broken = SamplePhoto("test", "1", {"gender": "Men"}, {}, None)
    with pytest.raises(KeyError):
        write_workbook([broken], {"gender": ["one"]}, [], path)
    assert list(tmp_path.iterdir()) == []


class MemoryCatalogue:
    name = "memory"

    def __init__(self, photos):
        self.photos = photos

    def read_photo(self, name):
        if name not in self.photos:
            raise PhotoError(Reason.NOT_FOUND)
        return self.photos[name]


def build_set(count, name="test"):
    names = [f"{number}.png" for number in range(count)]
    colours = [list(COLOURS)[number % 3] for number in range(count)]
    photos = {one: encode(paint(colour)) for one, colour in zip(names, colours, strict=True)}
    return PhotoSet(name, pa.table({"photo": names, "baseColour": colours}), MemoryCatalogue(photos))


def test_the_seed_and_the_names_decide_which_photos_are_chosen():
    photos = build_set(100)
    chosen = choose_photos(photos, 10, 42).rows["photo"].to_pylist()
    reversed_set = photos.take(list(range(99, -1, -1)))
    assert sorted(choose_photos(reversed_set, 10, 42).rows["photo"].to_pylist()) == sorted(chosen)
    assert choose_photos(photos, 10, 43).rows["photo"].to_pylist() != chosen
    assert set(choose_photos(photos, 20, 42).rows["photo"].to_pylist()) > set(chosen)
    assert choose_photos(photos, 1000, 42).rows.num_rows == 100


def test_every_photo_of_the_sample_is_answered_by_every_model_or_has_a_reason():
    photos = build_set(6, "custom")
    del photos.catalogue.photos["2.png"]
    one = FakeModel(build_card(heads={"baseColour": tuple(COLOURS)}))
    two = FakeModel(build_card(heads={"baseColour": ("Rosa", "Lime", "Sky")}))
    sample = answer_sample({"one": one, "two": two}, [photos, build_set(2)])
    assert [(each.origin, each.name) for each in sample[:3]] == [("custom", f"{n}.png") for n in range(3)]
    assert [each.answers["one"]["baseColour"].label for each in sample] == [
        "Red", "Green", None, "Red", "Green", "Blue", "Red", "Green",
    ]  # fmt: skip
    assert sample[4].answers["two"]["baseColour"].label == "Lime"
    assert sample[2].answers["two"]["baseColour"] == Answer(None, None, Reason.NOT_FOUND)
    assert sample[2].thumbnail is None
    assert sample[0].thumbnail.startswith(b"\xff\xd8")


def test_a_photo_without_an_answer_says_why(write):
    lost = SamplePhoto(
        "test", "1", {"gender": "Men"}, {"one": {"gender": Answer(None, None, Reason.TRUNCATED)}}, None
    )
    book, values = write([lost])
    assert book["gender"]["E5"].value == "no answer: the file is cut off"
    assert [cell.value for cell in values["gender"][2]][3:5] == ["right of 1", 0]
