import csv
import io
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hangtag.domain.columns import CATALOGUE_COLUMNS, LABEL_COLUMNS
from hangtag.domain.errors import CatalogueError, TableError
from hangtag.tables import delimited
from hangtag.tables import rows as rows_module
from hangtag.tables.lines import iter_lines
from hangtag.tables.rows import Reject, RejectReason, Row, RowReader
from hangtag.tables.values import MISSING, Repair, drop_invisible, single_spaced

COLUMNS = ("id", "masterCategory", "subCategory", "articleType", "productDisplayName")
HEADER = ",".join(COLUMNS)


def reader_of(body, header=HEADER):
    data = body if isinstance(body, bytes) else f"{header}\n{body}".encode()
    return RowReader(iter_lines(io.BytesIO(data)))


def only(body, header=HEADER):
    (outcome,) = reader_of(body, header)
    return outcome


def name_of(row):
    return row.values[-1]


def test_a_plain_row_keeps_its_values_and_needs_no_repair():
    row = only("15970,Apparel,Topwear,Shirts,Turtle Check Shirt")
    assert row.values == ["15970", "Apparel", "Topwear", "Shirts", "Turtle Check Shirt"]
    assert row.repairs == ()
    assert row.line == 2


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("Perfume, After Shave Balm and Gel Set", "Perfume, After Shave Balm and Gel Set"),
        ("Be Reasonable,Do It My Way", "Be Reasonable,Do It My Way"),
        ("Live, Life, Laugh Flip Flops", "Live, Life, Laugh Flip Flops"),
    ],
)
def test_commas_in_the_name_are_kept(written, name):
    row = only(f"1,A,B,C,{written}")
    assert name_of(row) == name
    assert row.repairs == (Repair.EXTRA_COMMAS,)


def test_empty_columns_of_a_spreadsheet_vanish_in_header_and_rows():
    reader = reader_of("1,A,B,C,Shirt,,\n2,A,B,C,Tie, Red,,", header=HEADER + ",,")
    assert reader.columns == COLUMNS
    assert [name_of(row) for row in reader] == ["Shirt", "Tie, Red"]


@pytest.mark.parametrize(
    "name",
    ['Tempo 3.5" Pink Short', '"Tempo" Pink Short', 'Pink "Tempo"', '"', '5" x 7" "Frame"', 'Tempo ""'],
)
def test_bare_quotes_survive_as_they_are(name):
    row = only(f"7491,A,B,C,{name}")
    assert name_of(row) == name
    assert row.repairs == (Repair.BARE_QUOTE,)


def test_a_bare_quote_in_a_field_before_the_last_one_survives():
    row = only('1,A,3.5" Shorts,C,Name')
    assert row.values[2] == '3.5" Shorts'
    assert row.repairs == (Repair.BARE_QUOTE,)


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ('"Tie, Cufflink Set"', "Tie, Cufflink Set"),
        ('"Tempo 3.5"" Short"', 'Tempo 3.5" Short'),
        (' "Tie, Cufflink Set" ', "Tie, Cufflink Set"),
        ('"Shirt"', "Shirt"),
        ('""', None),
        ('"Two\nlines"', "Two lines"),
    ],
)
def test_fields_quoted_by_the_standard_are_unquoted(written, name):
    assert name_of(only(f"1,A,B,C,{written}")) == name


def test_a_quoted_field_may_stand_anywhere():
    assert only('"1","A, a",B,"C ""c""",Name').values == ["1", "A, a", "B", 'C "c"', "Name"]


def test_a_quote_with_surplus_commas_after_it_belongs_to_the_name():
    row = only('1,A,B,C,"Classic", red')
    assert name_of(row) == '"Classic", red'
    assert set(row.repairs) == {Repair.BARE_QUOTE, Repair.EXTRA_COMMAS}


def test_lines_of_a_quoted_value_are_joined_and_counted():
    reader = reader_of('1,A,B,C,"Two\nor\r\nthree, lines"\n2,A,B,C,Next')
    joined, following = reader
    assert name_of(joined) == "Two or three, lines"
    assert Repair.JOINED_LINES in joined.repairs
    assert following.line == 5
    assert (reader.lines, reader.joined) == (5, 2)


def test_a_quote_that_is_never_closed_does_not_swallow_the_rows_after_it():
    reader = reader_of('1,A,B,C,"Tempo\n2,A,B,C,Shirt\n3,A,B,C,Tie"\n')
    assert [name_of(row) for row in reader] == ['"Tempo', "Shirt", 'Tie"']
    assert (reader.lines, reader.joined) == (4, 0)


def test_an_open_quote_at_the_end_of_the_file_is_a_bare_one():
    assert name_of(only('1,A,B,C,"Tempo')) == '"Tempo'


def test_the_search_for_a_closing_quote_ends_somewhere(monkeypatch):
    monkeypatch.setattr(delimited, "MAX_JOINED_LINES", 3)
    outcomes = list(reader_of('1,A,B,C,"Tempo\n' + "x\n" * 4 + 'y"\n'))
    assert name_of(outcomes[0]) == '"Tempo'
    assert [one.reason for one in outcomes[1:]] == [RejectReason.TOO_SHORT] * 5


@pytest.mark.parametrize(
    "written", ["  Navy Blue ", "Navy\xa0Blue", "Navy  Blue", "\tNavy Blue", "Navy\u2003Blue"]
)
def test_stray_spaces_are_tidied(written):
    row = only(f"1,A,B,{written},Name")
    assert row.values[3] == "Navy Blue"
    assert row.repairs == (Repair.SPACES,)


@pytest.mark.parametrize("written", ["Na\0vy", "\u200bNavy", "Navy\ufeff", "\x1b\x1bNavy", "\x9bNa\u202evy"])
def test_characters_that_nobody_sees_are_dropped(written):
    row = only(f"1,A,B,{written},Name")
    assert row.values[3] == "Navy"
    assert row.repairs == (Repair.INVISIBLE,)


@pytest.mark.parametrize("written", ["", "NA", "N/A", "null", "NULL", "nan", " NA ", '"NA"', "\xa0"])
def test_the_ways_to_say_missing(written):
    assert only(f"1,A,B,{written},Name").values[3] is None


@pytest.mark.parametrize("written", ["Nano", "NAB", "None", "0", "-"])
def test_values_that_only_look_like_missing_are_kept(written):
    assert only(f"1,A,B,{written},Name").values[3] == written


def test_a_line_in_another_encoding_is_a_repaired_row():
    row = only(HEADER.encode() + b"\n1,A,B,C,Caf\xe9\n")
    assert name_of(row) == "Café"
    assert row.repairs == (Repair.ENCODING,)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("1,A,B,C", RejectReason.TOO_SHORT),
        ("just words", RejectReason.TOO_SHORT),
        ('"1,A,B,C,Name"', RejectReason.TOO_SHORT),
        (",A,B,C,Name", RejectReason.MISSING_ID),
        ("NA,A,B,C,Name", RejectReason.MISSING_ID),
        (HEADER, RejectReason.REPEATED_HEADER),
    ],
)
def test_a_line_that_is_no_product_is_rejected_with_its_reason_and_text(line, reason):
    reject = only(line)
    assert (reject.line, reject.reason, reject.raw) == (2, reason, line)
    assert reject.explanation


def test_an_overlong_line_is_rejected_without_being_kept_whole(monkeypatch):
    monkeypatch.setattr(delimited, "MAX_LINE_LENGTH", 2_000)
    reject = only("1,A,B,C," + "x" * 5_000)
    assert reject.reason == RejectReason.TOO_LONG
    assert len(reject.raw) == rows_module.RAW_LENGTH


def test_blank_lines_are_counted_wherever_they_stand():
    reader = reader_of(f"\n \n{HEADER}\n\n1,A,B,C,Name\n,,,,\n\t\n".encode())
    assert len(list(reader)) == 1
    assert (reader.lines, reader.blank) == (7, 5)


def test_other_columns_and_orders_are_read_as_long_as_the_free_text_is_last():
    reader = reader_of(
        "C,9,B,A,x,Name, with comma",
        header="articleType,id,subCategory,masterCategory,extra,productDisplayName",
    )
    (row,) = reader
    assert dict(zip(reader.columns, row.values, strict=True))["id"] == "9"
    assert name_of(row) == "Name, with comma"


def test_surplus_commas_cannot_be_repaired_when_the_last_column_is_no_free_text():
    header = "productDisplayName,id,masterCategory,subCategory,articleType"
    kept, rejected = reader_of("Name,1,A,B,C\nName, red,2,A,B,C", header)
    assert isinstance(kept, Row)
    assert rejected.reason == RejectReason.TOO_MANY_FIELDS


def test_a_table_without_ids_is_refused():
    with pytest.raises(CatalogueError, match="no column id"):
        reader_of("", HEADER.removeprefix("id,"))


def test_a_table_without_any_label_is_refused():
    with pytest.raises(CatalogueError, match=r"no label column \(masterCategory, .*The header is: id, price"):
        reader_of("", "id,price")


@pytest.mark.parametrize("column", LABEL_COLUMNS)
def test_one_column_of_labels_is_enough(column):
    assert only("1,A", f"id,{column}").values == ["1", "A"]


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_the_delimiter_is_found_in_the_header(delimiter):
    row = only(delimiter.join(["1", "A", "B", "C", " Tie, red "]), HEADER.replace(",", delimiter))
    assert row.values == ["1", "A", "B", "C", "Tie, red"]
    assert row.repairs == (Repair.SPACES,)


def test_excel_may_state_its_delimiter():
    reader = reader_of(f"sep=;\n{HEADER.replace(',', ';')}\n1;A;B;C;Tie, red\n".encode())
    assert [name_of(row) for row in reader] == ["Tie, red"]
    assert (reader.lines, reader.blank) == (3, 1)


def test_columns_are_known_whatever_their_capitals():
    assert reader_of("", "ID,Mastercategory,articletype,Price").columns == (
        "id",
        "masterCategory",
        "articleType",
        "Price",
    )
    assert reader_of("", "id,Gender,gender").columns == ("id", "Gender", "gender")


def test_a_header_that_names_a_column_twice_is_refused():
    with pytest.raises(CatalogueError, match="the header names id twice"):
        reader_of("", HEADER + ",id")


def test_a_column_without_a_name_as_pandas_writes_its_index_is_called_by_its_place():
    assert reader_of("", "," + HEADER).columns == ("column 1", *COLUMNS)


@pytest.mark.parametrize("data", [b"", b"\n\n", b"\xef\xbb\xbf"])
def test_an_empty_table_is_refused(data):
    with pytest.raises(TableError, match="empty"):
        reader_of(data)


messy_lines = st.text(alphabet=st.sampled_from('a1,"\n\r \t\0\xa0é'), max_size=80)


@given(messy_lines)
def test_every_line_is_a_row_a_reject_blank_or_part_of_a_row(body):
    reader = reader_of(f"{HEADER}\n{body}".encode())
    outcomes = list(reader)
    assert reader.lines == 1 + len(outcomes) + reader.blank + reader.joined
    assert all(len(one.values) == len(COLUMNS) for one in outcomes if isinstance(one, Row))
    lines = [one.line for one in outcomes]
    assert lines == sorted(set(lines))


@given(st.binary(max_size=100))
def test_no_bytes_stop_the_reader(body):
    reader = reader_of(HEADER.encode() + b"\n" + body)
    assert all(isinstance(one, Row | Reject) for one in reader)


# A value of several lines with commas may hold what looks like a row; there, no reader can know.
one_line = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), max_size=12)
no_comma = st.text(st.characters(exclude_categories=["Cs"], exclude_characters=","), max_size=12)
written_rows = st.one_of(st.tuples(*[one_line] * 5), st.tuples(*[no_comma] * 5))


@given(st.lists(written_rows, max_size=5))
def test_what_a_csv_writer_wrote_is_read_back_tidied(written):
    rows = [("7", *row[1:]) for row in written]
    buffer = io.StringIO(newline="")
    csv.writer(buffer).writerows([COLUMNS, *rows])
    read = list(reader_of(buffer.getvalue().encode()))
    assert [one.values for one in read] == [[tidied(field) for field in row] for row in rows]


def tidied(field):
    tidy = single_spaced(unicodedata.normalize("NFC", drop_invisible(field)))
    return None if tidy in MISSING else tidy


def test_the_real_header_is_understood():
    assert reader_of("", header=",".join(CATALOGUE_COLUMNS)).columns == CATALOGUE_COLUMNS


def test_usual_columns_are_found_whatever_their_spaces_and_signs_are():
    header = "ID,Master Category,sub_category,Article-Type,product display name"
    assert reader_of("", header).columns == COLUMNS


def test_a_header_of_another_table_says_how_to_describe_it():
    with pytest.raises(
        CatalogueError, match=r"no column id\. The header is: sku, kind\. Describe .* catalogue\.toml"
    ):
        reader_of("", "sku,kind")
