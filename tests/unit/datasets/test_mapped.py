import pytest
import xlsxwriter

from hangtag.catalogue.check import check_catalogue
from hangtag.catalogue.clean import clean_catalogue
from hangtag.datasets.cleaned import load_cleaned
from hangtag.datasets.opening import open_catalogue
from hangtag.domain.errors import CatalogueError, HangtagError, PhotoError


@pytest.fixture
def write_mapped(tmp_path):
    """Write a mapping, a table and photos of some bytes; return the folder."""

    def write(mapping, table, photos=()):
        folder = tmp_path / "shop"
        folder.mkdir(exist_ok=True)
        (folder / "catalogue.toml").write_text(mapping, encoding="utf-8")
        (folder / "labels.csv").write_bytes(table if isinstance(table, bytes) else table.encode())
        for name in photos:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(name.encode())
        return folder

    return write


BY_PHOTO = 'table = "labels.csv"\nphotos = "pics"\nphoto = "file"\n[columns]\narticleType = "label"\n'
BY_BOTH = 'id = "sku"\n' + BY_PHOTO


def test_without_a_column_of_ids_the_photo_s_path_is_the_id(write_mapped):
    table = "file,label,price\ndress/1.jpg,Dress,9\n./hat/2.png,Hat,\nhat/3,Hat,5\nhat\\4.jpg,,\n"
    folder = write_mapped(
        BY_PHOTO, table, ["pics/dress/1.jpg", "pics/hat/2.png", "pics/hat/3.webp", "pics/5.jpg"]
    )
    assert load_cleaned(folder).to_pylist() == [
        {"id": "dress/1", "file": "dress/1.jpg", "articleType": "Dress", "price": "9"},
        {"id": "hat/2", "file": "./hat/2.png", "articleType": "Hat", "price": None},
        {"id": "hat/3", "file": "hat/3", "articleType": "Hat", "price": "5"},
        {"id": "hat/4", "file": "hat\\4.jpg", "articleType": None, "price": None},
    ]
    with open_catalogue(folder) as catalogue:
        assert catalogue.name == "shop"
        assert catalogue.photo_names() == {"dress/1.jpg", "hat/2.png", "hat/3.webp", "5.jpg"}
        assert catalogue.read_photo("dress/1.jpg") == b"pics/dress/1.jpg"
        findings = {(one.kind, one.subject) for one in check_catalogue(catalogue).findings}
    assert findings == {("missing_photo", "hat/4"), ("photo_without_row", "5.jpg")}


def test_with_ids_a_photo_is_called_by_its_id(write_mapped):
    table = "label,sku,file\nShirt,A1,x.jpg\nShirt,A2,x.jpg\nHat,A3,gone.jpg\nHat,A1,y.jpg\nHat,,z.jpg\n"
    folder = write_mapped(BY_BOTH, table, ["pics/x.jpg", "pics/y.jpg", "pics/A3.jpg"])
    with open_catalogue(folder) as catalogue:
        assert catalogue.photo_names() == {"A1.jpg", "A2.jpg", "pics/y.jpg", "pics/A3.jpg"}
        assert catalogue.read_photo("A2.jpg") == b"pics/x.jpg"
        assert catalogue.read_photo("pics/y.jpg") == b"pics/y.jpg"
        for name in ("x.jpg", "A3.jpg", "../labels.csv"):
            with pytest.raises(PhotoError):
                catalogue.read_photo(name)
    assert [(row["id"], row["articleType"]) for row in load_cleaned(folder).to_pylist()] == [
        ("A1", "Shirt"),
        ("A2", "Shirt"),
        ("A3", "Hat"),
    ]


def test_with_ids_alone_photos_bear_them(write_mapped):
    mapping = 'table = "labels.csv"\nphotos = "."\nid = "sku"\n[columns]\ngender = "for"\n'
    folder = write_mapped(mapping, "sku,for\n7,Men\n", ["7.jpg"])
    with open_catalogue(folder) as catalogue:
        assert catalogue.read_photo("7.jpg") == b"7.jpg"
    assert load_cleaned(folder).to_pylist() == [{"id": "7", "gender": "Men"}]


@pytest.mark.parametrize(
    ("levels", "columns"),
    [
        ('["a", "b", "c"]', ["masterCategory", "subCategory", "articleType"]),
        ('["a", "c"]', ["subCategory", "b", "articleType"]),
        ('["b"]', ["a", "articleType", "c"]),
    ],
)
def test_levels_are_the_category_path_from_the_root(write_mapped, levels, columns):
    mapping = f'table = "labels.csv"\nphotos = "."\nphoto = "file"\nlevels = {levels}\n'
    folder = write_mapped(mapping, "file,a,b,c\n1.jpg,x,y,z\n")
    assert load_cleaned(folder).column_names == ["id", "file", *columns]


def test_another_separator_encoding_and_name_of_the_mapping(write_mapped):
    mapping = BY_PHOTO.replace("[columns]", 'separator = ";"\n[columns]\nproductDisplayName = "Größe; Name"')
    table = 'file;label;"Größe; Name"\r\n1.jpg;Hüte;"38,5""; rot"\r\n'.encode("cp1252")
    folder = write_mapped(mapping, table, ["pics/1.jpg"])
    (folder / "catalogue.toml").rename(folder / "hats.toml")
    with open_catalogue(folder / "hats.toml") as catalogue:
        assert catalogue.name == "hats"
    assert load_cleaned(folder / "hats.toml").to_pylist() == [
        {"id": "1", "file": "1.jpg", "articleType": "Hüte", "productDisplayName": '38,5"; rot'}
    ]


def test_columns_of_the_table_give_way_to_hangtag_s(write_mapped):
    table = "id,photo,,file,label,articleType,gender\n1,p,q,1.jpg,Hat,old,Men\n"
    folder = write_mapped(BY_PHOTO, table)
    (row,) = load_cleaned(folder).to_pylist()
    assert row == {
        "id": "1",
        "id_": "1",
        "photo_": "p",
        "column_3": "q",
        "file": "1.jpg",
        "articleType": "Hat",
        "articleType_": "old",
        "gender": "Men",
    }


def test_every_line_ends_somewhere_under_its_own_number(write_mapped, tmp_path, read_csv):
    table = 'file,label\n1.jpg,Hat\n\n2.jpg\n3.jpg,Hat,more\n"4\n.jpg",Hat\n1.jpg,Bag\n,Hat\n'
    with open_catalogue(write_mapped(BY_PHOTO, table)) as catalogue:
        report = clean_catalogue(catalogue, tmp_path / "cleaned")
    assert (report.lines, report.cleaned, report.rejected, report.blank, report.joined) == (9, 2, 4, 1, 1)
    assert [(row["line"], row["reason"]) for row in read_csv(tmp_path / "cleaned" / "rejects.csv")] == [
        ("4", "too_short"),
        ("5", "too_many_fields"),
        ("8", "duplicate_id"),
        ("9", "missing_id"),
    ]


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ("", "the table is empty"),
        ("file,lable\n", r"no column label. Did you mean lable\? Its columns are file, lable"),
        ("path,label\n", "no column file. Its columns are path, label"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(write_mapped, table, problem):
    folder = write_mapped(BY_PHOTO, table)
    with pytest.raises(HangtagError, match=problem) as caught:
        load_cleaned(folder)
    assert "labels.csv" in str(caught.value)


def test_a_quote_that_is_not_closed_takes_no_row_along(write_mapped):
    folder = write_mapped(
        BY_PHOTO, 'file,label\n1.jpg,"Hat\n' + "".join(f"{n}.jpg,Bag\n" for n in range(2, 32))
    )
    assert load_cleaned(folder)["articleType"].to_pylist() == ['"Hat'] + ["Bag"] * 30


def test_the_table_may_state_its_separator_or_be_a_workbook(write_mapped):
    folder = write_mapped(BY_PHOTO, "sep=;\nfile;label\n1.jpg;Hat, red\n")
    assert load_cleaned(folder).to_pylist() == [{"id": "1", "file": "1.jpg", "articleType": "Hat, red"}]
    book = xlsxwriter.Workbook(folder / "labels.xlsx")
    book.add_worksheet().write_row(0, 0, ["file", "label", "size"])
    book.worksheets()[0].write_row(1, 0, ["1.jpg", "Hat", 38])
    book.close()
    (folder / "catalogue.toml").write_text(BY_PHOTO.replace("labels.csv", "labels.xlsx"))
    assert load_cleaned(folder).to_pylist() == [
        {"id": "1", "file": "1.jpg", "articleType": "Hat", "size": "38"}
    ]


@pytest.mark.parametrize(
    ("mapping", "field", "problem"),
    [
        ("table = ", None, "this is not valid TOML"),
        ("", "photos", "the folder of photos is missing"),
        ('photos = "."', "table", "either a table .* or folders"),
        ('photos = 3\ntable = "labels.csv"', "photos", "a text in quotes"),
        ('phots = "."', "phots", r"not a key of this file. Did you mean photos\?"),
        ('photos = "."\nfolders = ["articletype"]', "folders", r"Did you mean articleType\?"),
        ('photos = "."\nfolders = ["gender", "gender"]', "folders", "a value is repeated"),
        ('photos = "."\nfolders = "gender"', "folders", "a list of texts"),
        ('photos = "."\nfolders = ["gender"]\nid = "x"', "id", "needs a table"),
        (BY_PHOTO.replace("[columns]", 'folders = ["gender"]\n[columns]'), "folders", "without a table"),
        (BY_PHOTO.replace('photo = "file"\n', ""), "photo", "column of ids"),
        (BY_PHOTO.replace("[columns]", 'separator = "::"\n[columns]'), "separator", "one character"),
        (BY_PHOTO.replace('"label"', "3"), r"columns\.articleType", "the name of a column"),
        (BY_PHOTO.replace('"label"', '"file"'), "columns", "the column file of the table is named twice"),
        (BY_PHOTO.replace("articleType", "articelType"), r"columns\.articelType", r"mean articleType\?"),
        (BY_PHOTO.replace("articleType", "year"), "columns", "no column of labels"),
        (
            BY_PHOTO.replace("[columns]", 'levels = ["a"]\n[columns]'),
            r"columns\.articleType",
            "`levels` already names it",
        ),
        (
            BY_PHOTO.replace("[columns]", 'levels = ["a","b","c","d"]\n[columns]'),
            "levels",
            "4, but hangtag has only 3",
        ),
        (BY_PHOTO.replace("[columns]\narticleType", "columns"), "columns", "it must be a table"),
    ],
)
def test_a_mapping_that_is_wrong_names_the_field(write_mapped, mapping, field, problem):
    folder = write_mapped(mapping, "file,label\n")
    where = r"catalogue\.toml: " + (f"{field}: " if field else "")
    with pytest.raises(CatalogueError, match=where + ".*" + problem):
        open_catalogue(folder)


def test_a_table_or_folder_that_is_not_there_is_named(write_mapped):
    folder = write_mapped(BY_PHOTO.replace("labels.csv", "none.csv"), "")
    with open_catalogue(folder) as catalogue:
        with pytest.raises(CatalogueError, match=r"none\.csv: there is no such table"):
            catalogue.open_table()
        with pytest.raises(CatalogueError, match="pics: there is no folder of photos"):
            catalogue.photo_names()


def test_an_id_alone_finds_photos_in_folders_below(write_mapped):
    mapping = 'table = "labels.csv"\nphotos = "images"\nid = "sku"\n[columns]\narticleType = "label"\n'
    photos = ("images/010/0108775015.jpg", "images/011/0110065001.jpg")
    folder = write_mapped(mapping, "sku,label\n0108775015,Vests\n0110065001,Dresses\n", photos)
    with open_catalogue(folder) as catalogue:
        assert check_catalogue(catalogue).findings == []


def test_of_several_photos_in_a_cell_the_first_is_the_product_s(write_mapped):
    table = 'label;sku;file\nShirt;A1;x.jpg|y.jpg\nHat;A2;"=HYPERLINK(""z.jpg"")"\nCap;A3;a|b.jpg\n'
    folder = write_mapped(BY_BOTH, table, ["pics/x.jpg", "pics/z.jpg", "pics/a|b.jpg"])
    with open_catalogue(folder) as catalogue:
        assert check_catalogue(catalogue).findings == []
        photos = [catalogue.read_photo(f"A{number}.jpg") for number in (1, 2, 3)]
    assert photos == [b"pics/x.jpg", b"pics/z.jpg", b"pics/a|b.jpg"]


def test_the_group_of_a_mapping_is_a_column_of_its_own_name(write_mapped):
    folder = write_mapped('group = "sku"\n' + BY_PHOTO, "sku,file,label\nS1,1.jpg,Caps\n", ["pics/1.jpg"])
    assert load_cleaned(folder).to_pylist() == [
        {"id": "1", "product_group": "S1", "file": "1.jpg", "articleType": "Caps"}
    ]
