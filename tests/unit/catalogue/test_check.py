import csv
import io
import json
import time
import zipfile

import pytest
from PIL import Image

from hangtag.catalogue.check import check_catalogue
from hangtag.catalogue.findings import SUSPECT_COLUMNS, FindingKind, Severity, write_findings
from hangtag.datasets.folder import FolderCatalogue
from hangtag.datasets.interface import PHOTOS_AT_ONCE, for_each_photo
from hangtag.datasets.opening import open_catalogue
from hangtag.domain.errors import CatalogueError, PhotoError
from hangtag.domain.reasons import Reason


def check(folder, *, decode=True):
    with open_catalogue(folder) as catalogue:
        return check_catalogue(catalogue, decode=decode)


def found(result, kind):
    return [finding for finding in result.findings if finding.kind is kind]


def photos_of(result, kind):
    return {finding.photo for finding in found(result, kind)}


def save(folder, name, image, format_="PNG", **options):
    image.save(folder / "images" / name, format_, **options)


def copy(folder, name, to):
    (folder / "images" / to).write_bytes((folder / "images" / name).read_bytes())


def reencode(folder, name, to, quality=80):
    image = Image.open(io.BytesIO((folder / "images" / name).read_bytes()))
    image.save(folder / "images" / to, quality=quality)


def test_the_tiny_catalogue_has_what_is_said_of_it(tiny_catalogue):
    result = check(tiny_catalogue)
    assert (result.rows, result.photos, result.decoded) == (60, 59, True)
    assert {entry.kind: entry.count for entry in result.summary()} == {
        FindingKind.MISSING_PHOTO: 1,
        FindingKind.DUPLICATES_DISAGREE: 3,
        FindingKind.DUPLICATE: 2,
    }
    assert found(result, FindingKind.MISSING_PHOTO)[0].id == "1024"
    assert photos_of(result, FindingKind.DUPLICATE) == {"1000.jpg", "1001.jpg"}


def test_without_decode_no_photo_is_opened(tiny_catalogue):
    (tiny_catalogue / "images" / "1003.jpg").write_bytes(b"no photo")
    result = check(tiny_catalogue, decode=False)
    assert [finding.kind for finding in result.findings] == [FindingKind.MISSING_PHOTO]
    assert result.settings == {"decode": False}


def test_a_zip_is_checked_like_its_folder(tiny_catalogue, tmp_path):
    path = tmp_path / "tiny.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(tiny_catalogue.rglob("*.*")):
            archive.write(file, f"tiny/{file.relative_to(tiny_catalogue)}")
    assert check(path).findings == check(tiny_catalogue).findings


def test_a_catalogue_in_order_is_good(tiny_catalogue):
    (tiny_catalogue / "images" / "1024.jpg").write_bytes(
        (tiny_catalogue / "images" / "1025.jpg").read_bytes()
    )
    table = tiny_catalogue / "styles.csv"
    lines = table.read_text().splitlines(keepends=True)
    table.write_text("".join(line for line in lines if not line.startswith(("1001,", "1024,"))))
    for name in ("1001.jpg", "1024.jpg"):
        (tiny_catalogue / "images" / name).unlink()
    result = check(tiny_catalogue)
    assert (result.findings, result.is_good) == ([], True)


def test_photos_and_rows_that_do_not_belong_together(tiny_catalogue):
    copy(tiny_catalogue, "1005.jpg", "9999.jpg")
    save(tiny_catalogue, "1006.png", Image.new("RGB", (60, 80)))
    (tiny_catalogue / "images" / "1007.jpg").unlink()
    result = check(tiny_catalogue, decode=False)
    assert photos_of(result, FindingKind.PHOTO_WITHOUT_ROW) == {"9999.jpg"}
    assert [(one.photo, one.detail) for one in found(result, FindingKind.SECOND_PHOTO)] == [
        ("1006.png", "1006.jpg is used")
    ]
    assert {one.id for one in found(result, FindingKind.MISSING_PHOTO)} == {"1007", "1024"}


def test_lines_that_are_no_product_are_told_with_their_number(tiny_catalogue):
    with (tiny_catalogue / "styles.csv").open("a") as table:
        table.write("1059,Men,Apparel,Topwear,Shirts,Red,Fall,2011,Casual,once more\n2000,Men\n")
    result = check(tiny_catalogue, decode=False)
    assert [one.detail for one in found(result, FindingKind.REJECTED_ROW)] == [
        "line 62: the id 1059 occurs twice (duplicate_id)",
        "line 63: it has 2 of 10 fields (too_short)",
    ]
    assert result.rows == 60


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", Reason.EMPTY),
        (b"id,gender\n", Reason.NOT_A_PHOTO),
        (b"8BPS\0\1" + bytes(40), Reason.UNSUPPORTED_FORMAT),
    ],
)
def test_a_photo_that_cannot_be_opened_is_an_error_with_its_reason(tiny_catalogue, data, reason):
    (tiny_catalogue / "images" / "1003.jpg").write_bytes(data)
    (finding,) = found(check(tiny_catalogue), FindingKind.UNDECODABLE)
    assert (finding.id, finding.photo, finding.kind.severity) == ("1003", "1003.jpg", Severity.ERROR)
    assert finding.detail == f"{reason}: {reason.explanation}"


def test_a_truncated_photo_is_an_error(tiny_catalogue):
    path = tiny_catalogue / "images" / "1003.jpg"
    path.write_bytes(path.read_bytes()[:700])
    (finding,) = found(check(tiny_catalogue), FindingKind.UNDECODABLE)
    assert finding.detail.startswith("truncated: ")


def test_flaws_of_single_photos(tiny_catalogue):
    frames = [Image.new("RGB", (60, 80), colour) for colour in ("red", "lime")]
    noise = Image.effect_noise((60, 80), 60)
    save(tiny_catalogue, "1002.jpg", noise.convert("RGB"), "PNG")
    save(tiny_catalogue, "1003.jpg", noise.rotate(90, expand=True).convert("RGB"), "JPEG")
    save(tiny_catalogue, "1004.jpg", noise.rotate(180), "JPEG")
    save(tiny_catalogue, "1005.jpg", noise.point(lambda value: value // 2).convert("CMYK"), "JPEG")
    save(tiny_catalogue, "1006.jpg", frames[0], "GIF", save_all=True, append_images=frames[1:])
    (tiny_catalogue / "images" / "1007.jpg").unlink()
    save(tiny_catalogue, "1007.png", noise.point(lambda value: 255 - value).convert("RGBA"))
    result = check(tiny_catalogue)
    assert {
        (one.kind.value, one.photo, one.detail)
        for one in result.findings
        if one.group is None and one.kind is not FindingKind.MISSING_PHOTO
    } == {
        ("wrong_format", "1002.jpg", "the file is a PNG"),
        ("odd_size", "1003.jpg", "80x60, not 60x80"),
        ("greyscale", "1004.jpg", "the file's mode is L"),
        ("cmyk", "1005.jpg", "the file's mode is CMYK"),
        ("wrong_format", "1006.jpg", "the file is a GIF"),
        ("several_frames", "1006.jpg", "2 pictures"),
        ("blank", "1006.jpg", "its contrast is 0.0 levels"),
        ("transparent", "1007.png", "the file's mode is RGBA"),
    }


def test_blank_and_nearly_blank_are_told_apart(tiny_catalogue):
    nearly = Image.new("RGB", (60, 80), "white")
    nearly.paste((230, 230, 230), (20, 30, 26, 40))
    save(tiny_catalogue, "1003.jpg", nearly, "JPEG")
    save(tiny_catalogue, "1004.jpg", Image.new("RGB", (60, 80), "white"), "JPEG")
    result = check(tiny_catalogue)
    assert photos_of(result, FindingKind.BLANK) == {"1004.jpg"}
    assert photos_of(result, FindingKind.NEARLY_BLANK) == {"1003.jpg"}


def test_no_size_is_odd_where_none_is_usual(tiny_catalogue):
    for number in range(1000, 1030):
        if number != 1024:
            path = tiny_catalogue / "images" / f"{number}.jpg"
            Image.open(path).resize((number - 940, 90)).save(path, quality=90)
    result = check(tiny_catalogue)
    assert result.settings["usual_size"] == (60, 80)
    assert len(found(result, FindingKind.ODD_SIZE)) == 29
    path = tiny_catalogue / "images" / "1059.jpg"
    Image.open(path).resize((61, 80)).save(path, quality=90)
    result = check(tiny_catalogue)
    assert result.settings["usual_size"] is None
    assert found(result, FindingKind.ODD_SIZE) == []


def test_labels_of_exact_duplicates_are_compared_column_by_column(tiny_catalogue):
    disagreeing = found(check(tiny_catalogue), FindingKind.DUPLICATES_DISAGREE)
    assert [(one.id, one.photo, one.detail) for one in disagreeing] == [
        ("1000", "1000.jpg", "gender: Men (1000); Women (1001)"),
        ("1000", "1000.jpg", "baseColour: Blue (1001); Red (1000)"),
        ("1000", "1000.jpg", "season: Fall (1001); Summer (1000)"),
    ]
    assert {one.group for one in disagreeing} == {1}


def test_a_missing_label_contradicts_none(tiny_catalogue):
    copy(tiny_catalogue, "1003.jpg", "1011.jpg")  # alike in everything, but that the season of 1011 is NA
    result = check(tiny_catalogue)
    assert "1011.jpg" in photos_of(result, FindingKind.DUPLICATE)
    assert not [one for one in found(result, FindingKind.DUPLICATES_DISAGREE) if "1011" in one.detail]


def test_near_duplicates_and_exact_ones_of_a_picture_share_a_group(tiny_catalogue):
    reencode(tiny_catalogue, "1020.jpg", "1024.jpg")
    copy(tiny_catalogue, "1020.jpg", "1032.jpg")
    result = check(tiny_catalogue)
    near = {(one.photo, one.detail) for one in found(result, FindingKind.NEAR_DUPLICATE)}
    assert near == {
        ("1020.jpg", "nearly the same as 1024.jpg"),
        ("1024.jpg", "nearly the same as 1020.jpg"),
        ("1032.jpg", "nearly the same as 1024.jpg"),
    }
    assert photos_of(result, FindingKind.DUPLICATE) == {"1000.jpg", "1001.jpg", "1020.jpg", "1032.jpg"}
    groups = {one.photo: one.group for one in result.findings if one.photo}
    assert groups["1020.jpg"] == groups["1024.jpg"] == groups["1032.jpg"] != groups["1000.jpg"]


def test_a_disagreement_among_near_duplicates_is_said_once(tiny_catalogue):
    reencode(
        tiny_catalogue, "1020.jpg", "1025.jpg"
    )  # nearly the photo of a man's red shirt for a woman's blue jeans
    copy(tiny_catalogue, "1020.jpg", "1032.jpg")  # and its very pixels for a man's red jeans
    result = check(tiny_catalogue)
    exact = [one.detail for one in found(result, FindingKind.DUPLICATES_DISAGREE) if "1020" in one.detail]
    near = [one.detail for one in found(result, FindingKind.NEAR_DUPLICATES_DISAGREE)]
    assert exact == [
        "subCategory: Bottomwear (1032); Topwear (1020)",
        "articleType: Jeans (1032); Shirts (1020)",
    ]
    assert near == ["gender: Men (1020, 1032); Women (1025)", "baseColour: Blue (1025); Red (1020, 1032)"]


def test_many_ids_behind_one_value_are_counted(tiny_catalogue):
    for number in range(1002, 1012):
        copy(tiny_catalogue, "1000.jpg", f"{number}.jpg")
    details = [one.detail for one in found(check(tiny_catalogue), FindingKind.DUPLICATES_DISAGREE)]
    assert details[0] == (
        "gender: Men (1000, 1002, 1004, 1006, 1008 and 1 more); Women (1001, 1003, 1005, 1007, 1009 and 1 more)"
    )


def test_the_files_say_what_the_result_says(tiny_catalogue, tmp_path):
    result = check(tiny_catalogue)
    table, report = write_findings(result, tmp_path / "new" / "folder")
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(result.findings)
    assert rows[0] == {
        "kind": "missing_photo",
        "severity": "error",
        "id": "1024",
        "photo": "",
        "detail": "no photo has this id",
        "group": "",
        **dict.fromkeys(SUSPECT_COLUMNS, ""),
    }
    values = json.loads(report.read_text())
    assert values["severities"] == {"error": 1, "warning": 3, "info": 2}
    assert [(one["kind"], one["count"], one["groups"]) for one in values["summary"]] == [
        ("missing_photo", 1, 0),
        ("duplicates_disagree", 3, 1),
        ("duplicate", 2, 1),
    ]
    assert values["settings"]["usual_size"] == [60, 80]
    ceilings = {(one["column"], one["likeness"]): one for one in values["noise_ceilings"]}
    assert ceilings["gender", "exact"]["best_accuracy"] == 0.5
    assert ceilings["usage", "exact"]["disagreement"] == 0.0
    assert values["label_noise"] == []
    assert sorted(path.name for path in table.parent.iterdir()) == ["findings.csv", "findings.json"]


@pytest.mark.parametrize("kind", FindingKind)
def test_every_kind_has_a_severity_and_an_explanation(kind):
    assert kind.severity in Severity
    assert kind.explanation


def test_kinds_are_listed_with_the_worst_first():
    order = list(Severity)
    severities = [order.index(kind.severity) for kind in FindingKind]
    assert severities == sorted(severities)


def test_a_catalogue_without_photos_says_so(write_catalogue):
    folder = write_catalogue(b"id,masterCategory,subCategory,articleType\n1,A,B,C\n")
    (folder / "images").rmdir()
    with pytest.raises(CatalogueError, match="no folder of photos"):
        check(folder)


def test_an_empty_folder_of_photos_is_all_missing(write_catalogue):
    result = check(write_catalogue(b"id,masterCategory,subCategory,articleType\n1,A,B,C\n"))
    assert [one.kind for one in result.findings] == [FindingKind.MISSING_PHOTO]


def test_a_photo_that_vanishes_meanwhile_is_a_finding(tiny_catalogue):
    class Vanishing(FolderCatalogue):
        def read_photo(self, name):
            if name == "1030.jpg":
                raise PhotoError(Reason.NOT_FOUND)
            return super().read_photo(name)

    result = check_catalogue(Vanishing(tiny_catalogue), decode=True)
    assert found(result, FindingKind.UNDECODABLE)[0].detail == "not_found: the file does not exist"


def test_progress_counts_every_photo(tiny_catalogue):
    seen = []
    with open_catalogue(tiny_catalogue) as catalogue:
        check_catalogue(catalogue, decode=True, on_progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (59, 59)


def test_results_are_sorted_by_name_whatever_the_threads():
    names = [f"{number:05}" for number in range(1000, 0, -1)]
    results = for_each_photo(names, int, threads=8)
    assert list(results.values()) == list(range(1, 1001))


def test_after_an_interruption_no_more_photos_are_begun():
    begun = []

    def work(name):
        begun.append(name)
        if int(name) % PHOTOS_AT_ONCE == 0:  # so that all blocks together would take half a minute
            time.sleep(0.05)

    def interrupt(_done, _total):
        raise KeyboardInterrupt

    names = [f"{number:05}" for number in range(1000 * PHOTOS_AT_ONCE)]
    with pytest.raises(KeyboardInterrupt):
        for_each_photo(names, work, interrupt, threads=2)
    assert len(begun) < len(names) // 2


def write_catalogue(folder, rows, photos):
    (folder / "images").mkdir(parents=True)
    (folder / "styles.csv").write_text("id,articleType\n" + "\n".join(rows) + "\n", encoding="utf-8")
    for name in photos:
        (folder / "images" / name).parent.mkdir(exist_ok=True)
        (folder / "images" / name).write_bytes(b"x")
    return folder


def details_of(folder, kind):
    return [finding.detail for finding in found(check(folder, decode=False), kind)]


def test_photos_in_folders_below_and_under_other_spellings_are_found(tmp_path):
    photos = ["010/0108775015.jpg", "B.JPG", "c_front.jpg", "c_back.jpg"]
    folder = write_catalogue(tmp_path / "shop", ["0108775015,Vests", "b,Caps", "c,Dresses"], photos)
    result = check(folder, decode=False)
    assert [(finding.kind, finding.photo) for finding in result.findings] == [
        (FindingKind.SECOND_PHOTO, "c_front.jpg")
    ]


def test_a_row_whose_photo_could_be_one_of_several_says_so(tmp_path):
    folder = write_catalogue(tmp_path / "shop", ["7,Caps"], ["a/7.jpg", "b/7.jpg"])
    assert details_of(folder, FindingKind.MISSING_PHOTO) == [
        "no photo has this id; several photos could be meant: a/7.jpg, b/7.jpg"
    ]


def test_files_that_do_not_end_like_a_photo_are_counted(tmp_path):
    folder = write_catalogue(tmp_path / "shop", ["1,Caps"], ["1.jpg", "2.jxl", "3.jxl", "4", ".5.jxl"])
    assert details_of(folder, FindingKind.OTHER_FILES) == [
        "2 .jxl files passed over",
        "1 file named 4 passed over",
    ]


def test_labels_that_differ_in_capitals_spaces_and_hyphens_are_told(tmp_path):
    labels = [
        "Tshirts",
        "tshirts",
        "T-Shirts",
        "Tshirts",
        "Caps",
        "D\u00e9collet\u00e9",
        "De\u0301collete\u0301",
    ]
    rows = [f"{number},{label}" for number, label in enumerate(labels)]
    folder = write_catalogue(tmp_path / "shop", rows, ["0.jpg"])
    assert details_of(folder, FindingKind.TWIN_LABELS) == [
        "articleType: Tshirts (2), T-Shirts (1), tshirts (1)"
    ]
