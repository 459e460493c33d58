import pytest

from hangtag.domain.text import printable, render_count, render_share


@pytest.mark.parametrize(
    ("share", "text"),
    [(0, "0.0 %"), (0.0004, "< 0.1 %"), (0.0006, "0.1 %"), (0.481, "48.1 %"), (1, "100.0 %")],
)
def test_shares_are_percentages(share, text):
    assert render_share(share) == text


def test_counts_agree_with_what_they_count():
    assert render_count(1, "photo", "photos") == "1 photo"
    assert render_count(39_655, "photo", "photos") == "39,655 photos"
    assert render_count(0, "photo", "photos") == "0 photos"


def test_control_characters_are_spelled_out():
    assert printable("a\x1b[2Jb\nc é") == r"a\x1b[2Jb\nc é"
