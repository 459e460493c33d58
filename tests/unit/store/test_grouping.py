import pytest

from hangtag.domain.errors import InvalidFieldsError
from hangtag.store.grouping import (
    BY_NUMBER,
    BY_VIEW,
    Group,
    Present,
    find_view,
    group_photos,
    propose_grouping,
    propose_groupings,
    reuse_products,
)


def products(names, by, pattern=None):
    return [[names[position] for position in group.photos] for group in group_photos(names, by, pattern)]


@pytest.mark.parametrize(
    ("name", "view"),
    [
        ("SKU-1000_front.jpg", "front"),
        ("shop/1000-BACK.JPG", "back"),
        ("1000 hinten 2.png", "back"),
        ("1000_dos.webp", "back"),
        ("1000_closeup.jpg", "detail"),
        ("1000_close-up.jpg", "detail"),
        ("1000_left.jpg", "side"),
        ("shirt.jpg", None),
        ("backpack_1.jpg", None),
        ("front/1000.jpg", None),
    ],
)
def test_a_view_is_read_from_words_of_the_name(name, view):
    assert find_view(name) == view


def test_photos_with_one_key_are_one_product():
    names = ["SKU-1_front.jpg", "SKU-2-front.jpg", "SKU-1_back.jpg", "sku-2 detail 2.jpg", "odd.jpg"]
    assert products(names, "name", BY_VIEW) == [
        ["SKU-1_front.jpg", "SKU-1_back.jpg"],
        ["SKU-2-front.jpg", "sku-2 detail 2.jpg"],
        ["odd.jpg"],
    ]


def test_the_same_name_in_two_folders_is_two_products():
    assert len(group_photos(["a/7_front.jpg", "b/7_back.jpg"], "name", BY_VIEW)) == 2


def test_a_folder_is_a_product_and_files_beside_it_stand_alone():
    names = ["shop/A/1.jpg", "shop/A/2.jpg", "shop/B/1.jpg", "3.jpg", "4.jpg"]
    groups = group_photos(names, "folder")
    assert [group.key for group in groups] == ["A", "B", None, None]
    assert [len(group.photos) for group in groups] == [2, 1, 1, 1]


def test_a_pattern_of_ones_own():
    names = ["2024-1000-a-x.jpg", "2024-1000-b-y.jpg", "2024-2000-a-x.jpg"]
    groups = group_photos(names, "name", "{any}-{key}-{n}-{any}")
    assert [(group.key, len(group.photos)) for group in groups] == [("1000", 2), ("2000", 1)]


@pytest.mark.parametrize("pattern", ["{view}", "{key}{key}", "{key}_{colour}", "plain"])
def test_a_pattern_without_one_key_is_refused(pattern):
    with pytest.raises(InvalidFieldsError, match=r"one \{key\}"):
        group_photos(["a.jpg"], "name", pattern)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["1_front.jpg", "1_back.jpg", "2_front.jpg", "2_back.jpg"], ("name", BY_VIEW)),
        (["1000-1.jpg", "1000-2.jpg", "2000-1.jpg", "2000-2.jpg"], ("name", BY_NUMBER)),
        (["A/x.jpg", "A/y.jpg", "B/x.jpg", "B/z.jpg"], ("folder", None)),
        ([f"IMG_{number}.jpg" for number in range(1, 40)], ("photo", None)),
        (["dress_1.jpg", "dress_2.jpg"], ("photo", None)),
        (["10001.jpg", "10002.jpg", "10003.jpg"], ("photo", None)),
        ([], ("photo", None)),
    ],
)
def test_the_likeliest_grouping_is_proposed(names, expected):
    assert propose_grouping(names) == expected


def test_an_unlikely_grouping_is_offered_but_not_first():
    offered = propose_groupings(["dress_1.jpg", "dress_2.jpg"])
    assert [(option["by"], option["pattern"], option["products"]) for option in offered] == [
        ("photo", None, 2),
        ("name", BY_NUMBER, 1),
    ]
    assert offered[1]["examples"] == [{"name": "dress", "photos": ["dress_1.jpg", "dress_2.jpg"]}]


def test_products_are_continued_by_sku_first_and_by_their_photos_else():
    groups = [Group("A", "A", [0, 1]), Group(None, "b", [2, 3]), Group(None, "c", [4])]
    present = [
        Present(10, None, frozenset({0, 1})),
        Present(11, "A", frozenset()),
        Present(12, None, frozenset({2})),
        Present(13, None, frozenset({3, 9})),
    ]
    assert reuse_products(groups, present) == [11, 12, None]
