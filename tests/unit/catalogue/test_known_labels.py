import pyarrow as pa
import pytest

from fakes import build_card, build_path_card
from hangtag.catalogue.known_labels import KnownLabels
from hangtag.domain.columns import CATEGORY_COLUMNS

PATHS = (
    ("Accessories", "Accessories", "Wallets"),
    ("Accessories", "Bags", "Handbags"),
    ("Accessories", "Bags", "Wallets"),
    ("Accessories", "Belts", "Belts"),
    ("Accessories", "Belts", "Tshirts"),
    ("Accessories", "Wallets", "Wallets"),
    ("Apparel", "Topwear", "Belts"),
    ("Apparel", "Topwear", "Shirts"),
    ("Apparel", "Topwear", "Tshirts"),
)


@pytest.fixture
def known():
    """The labels of a model, two of whose paths are slips of its catalogue."""
    return KnownLabels.from_card(build_path_card(PATHS, gender=("Men", "Women")))


def path_of(labels):
    return tuple(labels.get(level) for level in CATEGORY_COLUMNS)


def test_missing_upper_levels_are_filled_from_the_lower(known):
    assert known.check({"articleType": "Shirts"}) == (
        dict(zip(CATEGORY_COLUMNS, PATHS[7], strict=True)),
        [],
        [],
    )
    assert path_of(known.check({"subCategory": "Topwear"}).labels) == ("Apparel", "Topwear", None)
    assert path_of(known.check({"masterCategory": "Apparel"}).labels) == ("Apparel", None, None)


def test_labels_are_written_as_the_taxonomy_does(known):
    checked = known.check({"articleType": "shirts", "gender": "women", "colour of the tag": "red"})
    assert checked.labels["articleType"] == "Shirts"
    assert checked.labels["gender"] == "Women"
    assert checked.labels["colour of the tag"] == "red"


def test_an_unknown_label_is_named_with_the_one_that_was_perhaps_meant(known):
    checked = known.check({"articleType": "Shrits", "gender": "Mannequin"})
    assert checked.labels == {}
    assert checked.problems == [
        "there is no articleType Shrits. Did you mean Shirts?",
        "there is no gender Mannequin.",
    ]


def test_levels_that_contradict_each_other_are_a_problem(known):
    checked = known.check({"masterCategory": "Accessories", "articleType": "Shirts", "gender": "Men"})
    assert checked.labels == {"gender": "Men"}
    assert checked.problems == [
        "the articleType Shirts is not under Accessories. It is Apparel › Topwear › Shirts"
    ]


@pytest.mark.parametrize(
    ("label", "path", "other"),
    [
        ("Tshirts", ("Apparel", "Topwear", "Tshirts"), ("Accessories", "Belts", "Tshirts")),
        ("Belts", ("Accessories", "Belts", "Belts"), ("Apparel", "Topwear", "Belts")),
    ],
)
def test_without_counts_a_namesake_or_the_larger_family_is_usual_and_the_other_a_doubt(
    known, label, path, other
):
    checked = known.check({"articleType": label})
    assert path_of(checked.labels) == path
    assert checked.others == [other]


def test_a_level_that_is_given_decides(known):
    checked = known.check({"subCategory": "Bags", "articleType": "Wallets"})
    assert path_of(checked.labels) == ("Accessories", "Bags", "Wallets")
    assert checked.others == []


def test_counts_tell_the_usual_path_and_leave_no_doubt_where_the_others_are_slips():
    paths = [("Accessories", "Wallets", "Wallets")] * 2 + [("Accessories", "Bags", "Wallets")] * 30
    paths += [("Free Items", "Free Gifts", "Wallets"), ("Apparel", None, None)]
    columns = dict(zip(CATEGORY_COLUMNS, map(list, zip(*paths, strict=True)), strict=True))
    known = KnownLabels.from_table(pa.table({"id": [str(number) for number in range(34)], **columns}))
    checked = known.check({"articleType": "Wallets"})
    assert path_of(checked.labels) == ("Accessories", "Bags", "Wallets")
    assert checked.others == [("Accessories", "Wallets", "Wallets")]
    assert known.classes["masterCategory"] == ["Accessories", "Apparel", "Free Items"]


@pytest.mark.parametrize(
    ("folders", "path"),
    [
        (["Shirts"], ("Apparel", "Topwear", "Shirts")),
        (["topwear"], ("Apparel", "Topwear", None)),
        (["Apparel"], ("Apparel", None, None)),
        (["Accessories"], ("Accessories", None, None)),
        (["Apparel", "Shirts"], ("Apparel", "Topwear", "Shirts")),
        (["Bags", "Wallets"], ("Accessories", "Bags", "Wallets")),
        (["Accessories", "Wallets"], ("Accessories", "Wallets", "Wallets")),
        (["Accessories", "Accessories"], ("Accessories", "Accessories", None)),
        (["Accessories", "Bags", "Wallets"], ("Accessories", "Bags", "Wallets")),
    ],
)
def test_folders_may_be_called_as_labels_of_any_level(known, folders, path):
    checked = known.read_folders(folders)
    assert checked.problems == []
    assert path_of(checked.labels) == path


def test_folders_may_be_called_as_labels_of_other_columns(known):
    assert known.read_folders(["Women", "Shirts"]).labels == {
        "gender": "Women",
        **dict(zip(CATEGORY_COLUMNS, PATHS[7], strict=True)),
    }


@pytest.mark.parametrize(
    ("folders", "problem"),
    [
        (["Shrits"], r"there is no label Shrits. Did you mean Shirts\?"),
        (["Accessories", "Shirts"], "Accessories/Shirts is not a path of the taxonomy"),
        (["Shirts", "Apparel"], "Shirts/Apparel is not a path"),
        (["Women", "Men"], "Women/Men is not a path"),
    ],
)
def test_folders_that_name_no_path_are_a_problem(known, folders, problem):
    checked = known.read_folders(folders)
    assert checked.labels == {}
    with pytest.raises(ValueError, match=problem):
        raise ValueError(*checked.problems)


def test_a_model_without_taxonomy_knows_its_classes():
    known = KnownLabels.from_card(build_card(heads={"articleType": ("Bag", "T-shirt/top")}))
    assert known.levels == ("articleType",)
    assert known.check({"articleType": "bag"}) == ({"articleType": "Bag"}, [], [])
    assert known.read_folders(["Bags"]).problems == ["there is no label Bags. Did you mean Bag?"]
