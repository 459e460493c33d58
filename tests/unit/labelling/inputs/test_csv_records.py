import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hangtag.labelling.inputs.csv_records import CsvRecords
from hangtag.tables.lines import iter_lines

cells = st.text(st.sampled_from('ab",; \n'), max_size=6)
rows = st.lists(st.lists(cells, min_size=2, max_size=2), min_size=1, max_size=8)


def read(text, delimiters=","):
    return [record.cells for record in CsvRecords(iter_lines(io.BytesIO(text.encode())), delimiters)]


@given(rows, st.sampled_from(",;"))
def test_what_keeps_to_the_standard_comes_back(rows, delimiter):
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    assert read(text.getvalue(), delimiter) == [row for row in rows if any(cell.strip() for cell in row)]


@given(st.text(st.sampled_from('ab",\n'), max_size=60))
def test_no_character_is_lost_but_quotes_delimiters_and_line_ends(text):
    found = "".join(cell for row in read(text) for cell in row)
    assert found.replace('"', "").replace("\n", "").replace(",", "") == text.translate(dict.fromkeys(b'",\n'))


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ('"Nike" Air shoe,1', [['"Nike" Air shoe', "1"]]),
        ('3.5" disk,"5"" disk"', [['3.5" disk', '5" disk']]),
        ('"a, b" ,  "c"', [["a, b", "c"]]),
        (" a, b ", [[" a", " b "]]),
        ('"",', []),
        ('"",x,', [["", "x", ""]]),
        ('"two\nlines","three\n\nlines"', [["two\nlines", "three\n\nlines"]]),
        ('"open\nb', [['"open'], ["b"]]),
        ('"open\nb" c\nd', [['"open'], ['b" c'], ["d"]]),
        ('x,"open\n\n"y"', [["x", '"open'], ["y"]]),
    ],
)
def test_a_quote_encloses_a_value_or_is_a_part_of_it(lines, expected):
    assert read(lines) == expected


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


def test_a_value_may_have_lines_with_as_many_commas_as_a_row():
    text = 'path,note\n2.jpg,"Puma tee\nblack, large\n"\n3.jpg,x\n'
    assert read(text)[1:] == [["2.jpg", "Puma tee\nblack, large\n"], ["3.jpg", "x"]]


def test_an_open_quote_is_not_followed_for_ever():
    text = 'path,note\n"2,"open\n' + "word\n" * 5000 + 'x"\n'
    assert len(read(text)) == 5003


def test_a_header_may_have_lines_and_open_quotes():
    assert read('"Image\nURL";b\n1;2\n', ";")[0] == ["Image\nURL", "b"]
    assert read('path,"b\n1.jpg,2"\n') == [["path", '"b'], ["1.jpg", '2"']]
