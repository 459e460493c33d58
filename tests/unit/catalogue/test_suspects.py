import csv
import json

import numpy as np
import pytest

from hangtag.catalogue.check import check_catalogue
from hangtag.catalogue.findings import Finding, FindingKind, Suspect, write_findings
from hangtag.catalogue.suspects import write_suspects
from hangtag.datasets.opening import open_catalogue
from hangtag.datasets.out_of_fold import HeadGuesses, OutOfFold
from hangtag.domain.errors import UsageError
from hangtag.tables.writing import restore_text

MASTERS = ("Accessories", "Apparel", "Footwear")
GENDERS = ("Men", "Women")
SEASONS = ("Fall", "Summer")


def read_labels(folder, column):
    with (folder / "styles.csv").open(newline="") as file:
        rows = csv.DictReader(file)
        return {row["id"]: None if row[column] == "NA" else row[column] for row in rows}


def guess(labels, classes, mistaken=()):
    """Return guesses that agree with the labels at 80 %, but for the mistaken ids, which are the next class at 90 %."""
    probabilities = np.full((len(labels), len(classes)), 0.2 / (len(classes) - 1), np.float32)
    for row, (id_, label) in enumerate(labels.items()):
        index = classes.index(label or classes[0])
        if id_ in mistaken:
            probabilities[row] = 0.1 / (len(classes) - 1)
            probabilities[row, (index + 1) % len(classes)] = 0.9
        else:
            probabilities[row, index] = 0.8
    return HeadGuesses(tuple(labels.values()), classes, probabilities)


@pytest.fixture
def guesses(tiny_catalogue):
    """Guesses by which 1003 has the wrong season, 1005 and 1007 the wrong gender, 1002 a master category too rare."""
    columns = ("masterCategory", "season", "gender")
    masters, seasons, genders = (read_labels(tiny_catalogue, column) for column in columns)
    heads = {
        "masterCategory": guess(masters, MASTERS, {"1002"}),
        "season": guess(seasons, SEASONS, {"1003"}),
        "gender": guess(genders, GENDERS, {"1005", "1007"}),
    }
    ids = tuple(masters)
    return OutOfFold(ids, tuple(f"{id_}.jpg" for id_ in ids), (1,) * len(ids), heads, {"recipe": "tiny"})


def check(folder, guesses):
    with open_catalogue(folder) as catalogue:
        return check_catalogue(catalogue, guesses=guesses)


def suspects_of(result):
    return [one.suspect for one in result.findings if one.kind is FindingKind.SUSPECT_LABEL]


def test_suspect_labels_are_findings_the_worst_of_each_column_first(tiny_catalogue, guesses):
    result = check(tiny_catalogue, guesses)
    found = suspects_of(result)
    assert [(one.column, one.rank) for one in found] == [("season", 1), ("gender", 1), ("gender", 2)]
    assert (found[0].given, found[0].suggested) == ("Summer", "Fall")
    assert (found[0].given_probability, found[0].suggested_probability) == (0.1, 0.9)
    (first, *_) = [one for one in result.findings if one.kind is FindingKind.SUSPECT_LABEL]
    assert (first.id, first.photo) == ("1003", "1003.jpg")
    assert first.detail == "season: labelled Summer (10%), more likely Fall (90%)"
    assert not result.is_good


def test_each_column_says_what_was_judged(tiny_catalogue, guesses):
    masters, seasons, genders = check(tiny_catalogue, guesses).label_noise
    assert (masters.column, masters.labels, masters.judged, masters.suspects) == ("masterCategory", 60, 36, 0)
    assert masters.not_judged == ("Accessories", "Footwear")
    assert (seasons.labels, seasons.judged, seasons.suspects) == (40, 40, 1)
    assert (genders.judged, genders.not_judged) == (60, ())
    assert genders.estimated_wrong == pytest.approx(2 / 60, abs=0.01)


def test_a_label_that_was_corrected_since_is_not_suspected(tiny_catalogue, guesses):
    table = tiny_catalogue / "styles.csv"
    table.write_text(table.read_text().replace("1005,Women", "1005,Men"))
    assert {one.id for one in check(tiny_catalogue, guesses).findings if one.suspect} == {"1003", "1007"}


def test_guesses_about_other_products_are_refused(tiny_catalogue, guesses):
    ids = tuple(f"9{id_}" for id_ in guesses.ids)
    others = OutOfFold(ids, guesses.photos, guesses.folds, guesses.heads, {})
    with pytest.raises(UsageError, match="other products"):
        check(tiny_catalogue, others)


def test_the_files_have_the_suspects(tiny_catalogue, guesses, tmp_path, read_csv):
    result = check(tiny_catalogue, guesses)
    table, report = write_findings(result, tmp_path)
    write_suspects(result.findings, tmp_path / "suspects.csv")
    rows = read_csv(tmp_path / "suspects.csv")
    assert rows[0] == {
        "id": "1003",
        "photo": "1003.jpg",
        "column": "season",
        "given": "Summer",
        "suggested": "Fall",
        "given_probability": "0.1",
        "suggested_probability": "0.9",
        "rank": "1",
    }
    in_findings = [row for row in read_csv(table) if row["kind"] == "suspect_label"]
    assert [{name: row[name] for name in rows[0]} for row in in_findings] == rows
    values = json.loads(report.read_text())
    assert values["settings"]["out_of_fold"] == {"recipe": "tiny"}
    assert [column["suspects"] for column in values["label_noise"]] == [0, 1, 2]


def test_the_table_of_suspects_holds_no_formula_and_is_read_back_whole(tmp_path):
    suspect = Suspect("season", '=HYPERLINK("x")', "-Fall", 0.1, 0.9, 1)
    finding = Finding(FindingKind.SUSPECT_LABEL, "", "@7", "7.jpg", suspect=suspect)
    path = tmp_path / "suspects.csv"
    write_suspects([finding], path)
    row = path.read_text().splitlines()[1]
    assert row.startswith("'@7,7.jpg,season,\"'=HYPERLINK(")
    assert [restore_text(cell) for cell in next(csv.reader([row]))[:5]] == [
        "@7",
        "7.jpg",
        "season",
        suspect.given,
        suspect.suggested,
    ]
