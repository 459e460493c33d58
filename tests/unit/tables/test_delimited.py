import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hangtag.domain.errors import TableError
from hangtag.tables.delimited import RecordReader
from hangtag.tables.lines import iter_lines
from hangtag.tables.values import Repair

cells = st.text(st.sampled_from('ab",; \n'), max_size=6)
rows = st.lists(st.lists(cells, min_size=2, max_size=2), min_size=1, max_size=8)


def reader_of(text, delimiter=None):
    return RecordReader(iter_lines(io.BytesIO(text.encode())), "t.csv", delimiter)


def read(text, delimiter=","):
    reader = reader_of(text, delimiter)
    return [reader.header, *(record.cells for record in reader)]


@given(rows, st.sampled_from(",;"))
def test_what_keeps_to_the_standard_comes_back(rows, delimiter):
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    assert read(f"a{delimiter}b\n{text.getvalue()}", delimiter)[1:] == rows


@given(st.text(st.sampled_from('ab",\n'), max_size=60))
def test_no_character_is_lost_but_quotes_delimiters_and_line_ends(text):
    found = "".join(cell for row in read(f"a,b,c\n{text}")[1:] for cell in row)
    assert found.translate(dict.fromkeys(b'",\n')) == text.translate(dict.fromkeys(b'",\n'))


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ('"Nike" Air shoe,1', [['"Nike" Air shoe', "1"]]),
        ('3.5" disk,"5"" disk"', [['3.5" disk', '5" disk']]),
        ('"a, b" ,  "c"', [["a, b", "c"]]),
        (" a, b ", [[" a", " b "]]),
        (",\n ,", []),
        ("x,y,z,,", [["x", "y,z"]]),
        ('x,"y", z', [["x", '"y", z']]),
        ('"two\nlines","three\n\nlines"', [["two\nlines", "three\n\nlines"]]),
        ('"two\nlines",y, z', [["two\nlines", "y, z"]]),
        ('"open\nb', [['"open'], ["b"]]),
        ('"open\nb" c\nd', [['"open'], ['b" c'], ["d"]]),
        ('x,"open\n\n"y"', [["x", '"open'], ["y"]]),
    ],
)
def test_a_quote_encloses_a_value_or_is_a_part_of_it(lines, expected):
    assert read(f"a,b\n{lines}")[1:] == expected


def test_a_quote_that_is_never_closed_takes_no_row_along():
    text = 'path,name,sku\n1.jpg,"Nike" shoe,1\n2.jpg,"Puma tee,2\n3.jpg,plain,3\n4.jpg,end,4\n'
    assert read(text)[1:] == [
        ["1.jpg", '"Nike" shoe', "1"],
        ["2.jpg", '"Puma tee', "2"],
        ["3.jpg", "plain", "3"],
        ["4.jpg", "end", "4"],
    ]


def test_a_row_by_itself_ends_the_search_for_the_quote_that_closes():
    text = 'path,name,sku\n2.jpg,"Puma tee,2\n3.jpg,plain,3\n4.jpg,5",4\n'
    assert [row[0] for row in read(text)[1:]] == ["2.jpg", "3.jpg", "4.jpg"]


def test_a_line_that_completes_a_row_and_looks_like_one_is_a_part_of_it():
    text = 'id,name,photo\n1,"Tee\nred, slim",1.jpg\n2,"Cap\nblue, ""S""",2.jpg\n'
    expected = [["1", "Tee\nred, slim", "1.jpg"], ["2", 'Cap\nblue, "S"', "2.jpg"]]
    assert read(text)[1:] == expected
    reader = reader_of(text)
    reader.key = 0
    assert [record.cells for record in reader] == expected


def test_a_value_may_have_lines_with_as_many_commas_as_a_row():
    text = 'path,note\n2.jpg,"Puma tee\nblack, large\n"\n3.jpg,x\n'
    assert read(text)[1:] == [["2.jpg", "Puma tee\nblack, large\n"], ["3.jpg", "x"]]


def test_an_open_quote_is_not_followed_for_ever():
    text = 'path,note\n"2,"open\n' + "word\n" * 5000 + 'x"\n'
    assert len(read(text)) == 5003


def test_a_header_may_have_lines_and_open_quotes():
    assert read('"Image\nURL";b\n1;2\n', None) == [["Image\nURL", "b"], ["1", "2"]]
    assert read('path,"b\n1.jpg,2"\n') == [["path", '"b'], ["1.jpg", '2"']]


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        ("a,b", ","),
        ("a;b;c", ";"),
        ("a\tb", "\t"),
        ("a|b", "|"),
        ("image", ","),
        ('"a,|,;|";b', ";"),
        ("id;price, gross\n1;5\n2;6\n", ";"),
        ("id,in;out\n1,2\n3,4\n", ","),
        ("sep=|\na,b|c", "|"),
        ("\n\nSEP=;\na,b;c", ";"),
    ],
)
def test_the_delimiter_is_stated_or_found(text, delimiter):
    assert reader_of(text).delimiter == delimiter


def test_what_was_repaired_is_said_with_each_record():
    reader = reader_of('id,name\n1,a, b\n2,3.5" x\n3,"a\nb"\n4,x\n')
    assert [(record.line, record.repairs) for record in reader] == [
        (2, (Repair.EXTRA_COMMAS,)),
        (3, (Repair.BARE_QUOTE,)),
        (4, (Repair.JOINED_LINES,)),
        (6, ()),
    ]
    assert (reader.lines, reader.joined, reader.blank) == (6, 1, 0)


def test_a_key_tells_rows_from_lines_of_a_value():
    text = 'id,name\n1,"open\n2,b\n3,c"\n'
    reader = reader_of(text)
    assert len(list(reader)) == 1
    reader = reader_of(text)
    reader.key = 0
    assert [record.cells for record in reader] == [["1", '"open'], ["2", "b"], ["3", 'c"']]


@pytest.mark.parametrize("text", ["", "\n \n", "sep=;\n"])
def test_an_empty_table_is_refused(text):
    with pytest.raises(TableError, match=r"t\.csv: the table is empty"):
        reader_of(text)


@pytest.mark.parametrize(
    "title", ["Spring order 2026", "Spring order 2026;;", "Spring;;\n;;\nDraft 2", '"Spring"']
)
def test_titles_above_the_header_are_passed_over(title):
    assert read(f"{title}\nSKU;Image URL;Preis\nA;1.jpg;3\n", None) == [
        ["SKU", "Image URL", "Preis"],
        ["A", "1.jpg", "3"],
    ]


@pytest.mark.parametrize(
    "text",
    [
        "photo\nid, 1.jpg\n",
        "names\nred, 1.jpg\nblue, photo.jpg\n",
        "a\nb\nc\n",
        "a\nphoto,photo\n",
        "Spring\nArtikel,Preis\n",
    ],
)
def test_a_first_line_that_may_be_the_header_is_the_header(text):
    assert read(text)[0] == [text.partition("\n")[0]]


def test_a_further_line_of_the_last_cell_is_no_row_of_a_catalogue_if_it_has_no_number():
    reader = reader_of('id,kind,name\n1,Cap,"Nice, and\nwarm, soft, red"\n2,Cap,"Blue\n3,Cap,Cap 5"\n')
    reader.key = 0
    assert [record.cells for record in reader] == [
        ["1", "Cap", "Nice, and\nwarm, soft, red"],
        ["2", "Cap", '"Blue'],
        ["3", "Cap", 'Cap 5"'],
    ]
