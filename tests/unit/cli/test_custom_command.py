import csv
import io
import json
import shlex
import sys

import pytest

from fakes import encode, paint
from hangtag.bundle.file import write_bundle
from hangtag.cli.main import main
from tiny_bundle import build_tiny_card, build_tiny_graph

TABLE = "custom_clothing_metadata.csv"


@pytest.fixture
def model(tmp_path):
    """A model that knows Tshirts, Jeans, Shoes, Watches and Socks, the latter under two parents."""
    graph = build_tiny_graph()
    write_bundle(graph, build_tiny_card(graph), tmp_path / "tiny.onnx")
    return tmp_path / "tiny.onnx"


@pytest.fixture
def write_photos(tmp_path):
    """Write photos of one colour each and return their folder."""

    def write(*names):
        for number, name in enumerate(names):
            path = tmp_path / "mine" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encode(paint((80 * number % 256, 200, 40 * number % 256))))
        return tmp_path / "mine"

    return write


@pytest.fixture
def custom(capsys, monkeypatch, model):
    """Run `hangtag custom`, a person's answers given as lines; return status, standard output and standard error."""

    def run(*arguments, answers=()):
        monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{line}\n" for line in answers)))
        with pytest.raises(SystemExit) as left:
            main(["custom", *map(str, arguments), "--model", str(model)])
        captured = capsys.readouterr()
        return left.value.code or 0, captured.out, captured.err

    return run


def rows_of(folder):
    with (folder / TABLE).open(newline="", encoding="utf-8") as file:
        return {row["id"]: row for row in csv.DictReader(file)}


def article_types(folder):
    return {id_: row["articleType"] for id_, row in rows_of(folder).items()}


def test_sub_folders_are_labels(custom, write_photos):
    folder = write_photos("Tshirts/1.png", "watches/2.png", "Footwear/Socks/3.png", "4.png")
    status, out, err = custom(folder)
    assert status == 0, err
    assert "4 photos, 3 of them labelled, 0 that cannot be opened" in out
    rows = rows_of(folder)
    assert rows["Tshirts/1"]["subCategory"] == "Topwear"
    assert rows["Footwear/Socks/3"]["masterCategory"] == "Footwear"
    assert rows["4"]["masterCategory"] == ""


def test_a_doubtful_folder_is_told(custom, write_photos):
    status, _, err = custom(write_photos("Socks/1.png"))
    assert status == 0
    assert "please check: Socks/: read as " in err


def test_nothing_is_written_while_a_label_is_wrong(custom, write_photos):
    folder = write_photos("Jeens/1.png", "Tshirts/2.png")
    status, _, err = custom(folder)
    assert status == 2
    assert "wrong: Jeens/: there is no label Jeens. Did you mean Jeans?" in err
    assert "1 of the labels cannot be used; nothing was written" in err
    assert not (folder / TABLE).exists()


def test_photos_without_any_label_are_refused(custom, write_photos):
    status, _, err = custom(write_photos("1.png"))
    assert status == 2
    assert "no photo has a label" in err
    assert "--ask" in err


def test_a_bad_photo_keeps_its_row_and_is_told(custom, write_photos):
    folder = write_photos("Tshirts/1.png", "Tshirts/2.png")
    (folder / "Tshirts" / "1.png").write_bytes(b"")
    status, _, err = custom(folder)
    assert status == 3
    assert "cannot be opened: Tshirts/1.png: empty" in err
    assert article_types(folder) == {"Tshirts/1": "Tshirts", "Tshirts/2": "Tshirts"}


def test_a_table_that_is_there_is_replaced_only_when_asked(custom, write_photos):
    folder = write_photos("Tshirts/1.png")
    (folder / TABLE).write_text("mine")
    status, _, err = custom(folder)
    assert (status, (folder / TABLE).read_text()) == (2, "mine")
    assert "--force" in err
    assert custom(folder, "--force")[0] == 0
    assert article_types(folder) == {"Tshirts/1": "Tshirts"}


def test_labels_come_from_a_table_and_a_set_grows_by_its_own(custom, write_photos, tmp_path):
    folder = write_photos("1.png", "2.png")
    (tmp_path / "labels.csv").write_text("file,articleType,gender\n1.png,jeans,Men\n2,Shoes,\n")
    assert custom(folder, "--labels", tmp_path / "labels.csv")[0] == 0
    assert article_types(folder) == {"1": "Jeans", "2": "Shoes"}
    write_photos("1.png", "2.png", "3.png")
    assert custom(folder, "--labels", folder / TABLE, "--force")[0] == 0
    assert article_types(folder) == {"1": "Jeans", "2": "Shoes", "3": ""}
    assert rows_of(folder)["1"]["gender"] == "Men"


def test_another_catalogue_can_say_which_labels_there_are(custom, write_photos, tiny_catalogue):
    folder = write_photos("Casual Shoes/1.png")
    assert custom(folder)[0] == 2
    status, _, err = custom(folder, "--taxonomy", tiny_catalogue)
    assert status == 0, err
    assert rows_of(folder)["Casual Shoes/1"]["subCategory"] == "Shoes"


def test_answers_are_labels_beginnings_paths_and_nothing(custom, write_photos):
    folder = write_photos("1.png", "2.png", "3.png", "4.png", "Jeans/5.png")
    status, out, err = custom(folder, "--ask", answers=["shoes", "Ts", "Footwear/Socks", ""])
    assert status == 0, err
    assert "Apparel › Topwear › Tshirts" in out
    assert article_types(folder) == {"1": "Shoes", "2": "Tshirts", "3": "Socks", "4": "", "Jeans/5": "Jeans"}
    assert rows_of(folder)["3"]["masterCategory"] == "Footwear"
    assert sorted(path.name for path in folder.glob("custom*")) == [TABLE]


def test_an_answer_that_is_no_label_is_asked_again(custom, write_photos):
    folder = write_photos("1.png")
    status, out, _ = custom(folder, "--ask", answers=["Shose", "S", "Apparel/Shoes", "-"])
    assert status == 0
    assert "There is no label Shose. Did you mean Shoes?" in out
    assert "S could be Shoes, Socks." in out
    assert "Apparel/Shoes is not a path of the taxonomy" in out
    assert article_types(folder) == {"1": ""}


def test_an_interruption_loses_no_answer(custom, write_photos):
    folder = write_photos("1.png", "2.png", "3.png")
    columns = ("--ask", "--column", "articleType", "--column", "gender")
    status, _, err = custom(folder, *columns, answers=["Shoes", "Men", "Jeans"])
    assert (status, err) == (130, "interrupted\n")
    assert not (folder / TABLE).exists()
    status, out, _ = custom(folder, *columns, answers=["Women", "-", "-"])
    assert status == 0
    assert "1 of 2: " in out
    rows = rows_of(folder)
    assert [(row["articleType"], row["gender"]) for row in rows.values()] == [
        ("Shoes", "Men"),
        ("Jeans", "Women"),
        ("", ""),
    ]


def test_a_person_can_go_back(custom, write_photos):
    folder = write_photos("1.png", "2.png")
    answers = ["Shoes", "<", "Jeans", "Watches"]
    assert custom(folder, "--ask", answers=answers)[0] == 0
    assert article_types(folder) == {"1": "Jeans", "2": "Watches"}


def test_going_back_asks_for_everything_again_also_after_an_interruption(custom, write_photos):
    folder = write_photos("1.png")
    columns = ("--ask", "--column", "articleType", "--column", "gender")
    assert custom(folder, *columns, answers=["Shoes"])[0] == 130
    assert custom(folder, *columns, answers=["<", "Jeans", "Women"])[0] == 0
    row = rows_of(folder)["1"]
    assert (row["articleType"], row["gender"]) == ("Jeans", "Women")


def test_files_that_are_no_photos_are_counted(custom, write_photos):
    folder = write_photos("Jeans/1.png", "Jeans/2.JXL", "Jeans/3.jxl", "readme", ".hidden")
    status, _, err = custom(folder)
    assert status == 0
    assert "skipped files without the extension of a photo: 2 .jxl, 1 readme" in err
    assert "skipped" in custom(folder, "--force")[2]
    assert "csv" not in custom(folder, "--force")[2]


def test_a_wrong_folder_is_asked_for(custom, write_photos):
    folder = write_photos("Jeens/1.png")
    status, _, err = custom(folder, "--ask", answers=["Jeans"])
    assert status == 0
    assert "Did you mean Jeans?" in err
    assert article_types(folder) == {"Jeens/1": "Jeans"}


def test_an_answer_takes_the_place_of_a_category_that_was_less_deep(custom, write_photos):
    folder = write_photos("Footwear/1.png", "Footwear/2.png")
    assert custom(folder, "--ask", answers=["Jeans", ""])[0] == 0
    rows = rows_of(folder)
    assert [row["masterCategory"] for row in rows.values()] == ["Apparel", "Footwear"]


def test_proposals_are_confirmed_or_replaced(custom, write_photos):
    folder = write_photos("1.png", "2.png", "3.png")
    status, out, err = custom(folder, "--ask", "--propose", answers=["", "2", "Jeans"])
    assert status == 0, err
    proposed = [line.split()[-2] for line in out.splitlines() if line.startswith(("  1  ", "  2  "))]
    assert list(article_types(folder).values()) == [proposed[0], proposed[3], "Jeans"]


def test_proposals_alone_are_written_to_be_edited_and_are_no_labels(custom, write_photos):
    folder = write_photos("1.png", "Jeans/2.png")
    status, out, err = custom(folder, "--propose")
    assert status == 0, err
    assert not (folder / TABLE).exists()
    with (folder / "custom_proposals.csv").open(newline="") as file:
        first, second = csv.DictReader(file)
    assert 0 < float(first["articleType_confidence"]) <= 1
    assert (second["photo"], second["articleType"], second["articleType_confidence"]) == (
        "Jeans/2.png",
        "Jeans",
        "",
    )
    assert "--labels" in out
    assert custom(folder, "--propose")[0] == 2
    assert custom(folder, "--labels", folder / "custom_proposals.csv")[0] == 0
    assert article_types(folder) == {"1": first["articleType"], "Jeans/2": "Jeans"}


def test_answers_that_cannot_be_read_are_not_overwritten(custom, write_photos):
    folder = write_photos("1.png")
    for text in ("{", "[1]", json.dumps({"1.png": "Jeans"})):
        (folder / "custom_answers.json").write_text(text)
        status, _, err = custom(folder, "--ask", answers=["Jeans"])
        assert status == 2
        assert "the saved answers cannot be read" in err
        assert (folder / "custom_answers.json").read_text() == text


def test_a_column_of_which_nothing_is_known_is_refused(custom, write_photos):
    status, _, err = custom(write_photos("1.png"), "--ask", "--column", "baseColour")
    assert status == 2
    assert "no labels of baseColour are known" in err


def advised(text):
    """Return the arguments of the `hangtag custom` that a message advises."""
    return shlex.split(text.splitlines()[-1].partition("hangtag custom ")[2])


def test_the_advice_of_a_second_run_keeps_the_labels(custom, write_photos):
    folder = write_photos("Tshirts/1.png", "Jeans/2.png")
    assert custom(folder)[0] == 0
    before = rows_of(folder)
    status, _, err = custom(folder)
    assert status == 2
    status, _, err = custom(*advised(err))
    assert status == 0, err
    assert rows_of(folder) == before


def test_the_advice_of_proposals_reads_them_back(custom, write_photos):
    folder = write_photos("Tshirts/1.png", "2.png")
    assert custom(folder)[0] == 0
    status, out, _ = custom(folder, "--propose")
    assert status == 0
    status, _, err = custom(*advised(out.splitlines()[0]))
    assert status == 0, err
    assert all(rows_of(folder)[name]["articleType"] for name in ("Tshirts/1", "2"))
