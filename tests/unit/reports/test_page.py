import io
import re
import sys
from html.parser import HTMLParser

import pytest
from PIL import Image

from hangtag.domain.errors import UsageError
from hangtag.reports.page import Page, Share

VOID = {"meta", "img", "input", "br"}


class Tree(HTMLParser):
    """Collects the tags and attributes of a page, and fails on one that is not closed."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.text = [], [], ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data

    def find(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def photo(size=(20, 10), kind="PNG"):
    buffer = io.BytesIO()
    Image.new("RGB", size, "red").save(buffer, kind)
    return buffer.getvalue()


@pytest.fixture
def page():
    return Page("A report", "All is well.")


def test_sections_are_listed_in_the_contents(page):
    page.add_section("Totals")
    page.add_text("Some words.")
    page.add_section("Samples")
    tree = Tree(page.render())
    assert [link["href"] for link in tree.find("a")] == ["#section-1", "#section-2"]
    assert [section["id"] for section in tree.find("section")] == ["section-1", "section-2"]
    assert "All is well." in tree.text
    assert "Some words." in tree.text


def test_nothing_that_is_written_becomes_markup():
    hostile = '<script>alert(1)</script>" onerror="x'
    page = Page(hostile, hostile)
    page.add_section(hostile)
    page.add_heading(hostile)
    page.add_text(hostile)
    page.add_list([hostile])
    page.add_table([hostile], [[hostile]], hostile)
    page.add_picture(photo(), hostile, hostile)
    page.add_photos([(photo(), hostile)], hostile)
    tree = Tree(page.render())
    assert tree.find("script") == []
    assert not any("onerror" in attributes for _, attributes in tree.tags)
    assert tree.text.count(hostile) == 13  # each of them once, and the title twice


def test_nothing_is_fetched(page):
    page.add_picture(photo(), "a figure")
    page.add_photos([(photo(kind="JPEG"), "one")])
    tree = Tree(page.render())
    sources = [image["src"] for image in tree.find("img")]
    assert [source[: source.index(",")] for source in sources] == [
        "data:image/png;base64",
        "data:image/jpeg;base64",
    ]
    assert tree.find("link") == []
    assert "url(" not in page.render()
    assert "default-src 'none'" in next(
        meta["content"] for meta in tree.find("meta") if meta.get("http-equiv") == "Content-Security-Policy"
    )


def test_columns_of_numbers_are_aligned_at_the_right(page):
    header = ("class", "products", "share", "interval", "mixed")
    page.add_table(
        header,
        [
            ("Tshirts", 12_345, Share(0.5), "90.1 % (89.0–91.2)", 1),
            ("2XL", None, Share(0.0001), "–", "none"),
        ],
    )
    html = page.render()
    tree = Tree(html)
    assert ["class" in cell for cell in tree.find("th")] == [False, True, True, True, False]
    assert re.findall(r"<td[^>]*>(.*?)</td>", html.replace("\N{NO-BREAK SPACE}%", " %")) == [
        *("Tshirts", "12,345", "50.0 %", "90.1 % (89.0–91.2)", "1"),
        *("2XL", "–", "&lt; 0.1 %", "–", "none"),
    ]
    assert [cell["style"] for cell in tree.find("td") if "style" in cell] == ["--bar: 50.0%", "--bar: 0.01%"]


def test_no_number_is_parted_from_its_percent_sign(page):
    page.add_text("It is 5.0 % of all.")
    assert "It is 5.0\N{NO-BREAK SPACE}% of all." in page.render()


def test_a_long_table_scrolls_and_many_photos_are_folded(page):
    page.add_table(["n"], [[number] for number in range(21)], "Long")
    page.add_photos([(photo(), "one")] * 61, "All of them")
    tree = Tree(page.render())
    assert {"class": "table long", "tabindex": "0", "role": "region", "aria-label": "Long"} in tree.find(
        "div"
    )
    assert tree.find("details") == [{}]
    assert "All of them (61)" in tree.text


def test_pictures_are_shown_at_their_natural_size(page):
    page.add_picture(photo((1036, 10)), "narrow")
    page.add_picture(photo((3000, 10)), "wide")
    tree = Tree(page.render())
    assert [image["width"] for image in tree.find("img")] == ["690", "2000"]
    assert len(tree.find("input")) == 1  # only the wide one can be enlarged


def test_a_page_is_written_whole_and_a_bad_place_is_told(page, tmp_path):
    page.write(tmp_path / "new" / "page.html")
    assert (tmp_path / "new" / "page.html").read_text("utf-8") == page.render()
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["page.html"]
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        page.write(tmp_path / "file" / "page.html")


def test_without_jinja_the_extra_is_named(page, monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(UsageError, match=r"hangtag\[report\]"):
        page.render()
