"""The mappings: complete, consistent, the most specific rule first, nothing unmapped silently."""

import pytest

from hangtag.bundle.file import find_bundle, read_card
from hangtag.domain.columns import CATEGORY_COLUMNS
from hangtag.domain.errors import TableError, UsageError
from hangtag.exporting.taxonomy import (
    BUILT_IN,
    check_mapping,
    compare_with_official,
    describe_rule,
    draft_mapping,
    load_mapping,
)


@pytest.fixture(scope="module")
def card():
    return read_card(find_bundle("default"))


def labels_of(path, **others):
    return dict(zip(CATEGORY_COLUMNS, path, strict=False)) | others


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_path_of_the_model_has_a_row_of_its_own(name, card):
    found = check_mapping(
        load_mapping(name), card.taxonomy.paths, {head.column: head.classes for head in card.heads}
    )
    assert found.is_complete
    assert set(found.counts) == {"exact", "broader", "judgement", "none"}
    assert found.counts["none"] == 1


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_level_of_the_model_has_a_default(name, card):
    mapping = load_mapping(name)
    for path in card.taxonomy.paths:
        for depth in (1, 2):
            assert mapping.find(labels_of(path[:depth])) is not None, path[:depth]


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_path_has_one_id_and_an_id_one_path(name):
    pairs = {
        (rule.category.id, rule.category.path)
        for rule in load_mapping(name).rules
        if not rule.category.is_open
    }
    assert len({id_ for id_, _ in pairs}) == len({path for _, path in pairs}) == len(pairs)


def test_ids_of_shopify_have_a_part_for_each_level():
    for id_, path in load_mapping("shopify").categories().items():
        assert id_.removeprefix("gid://shopify/TaxonomyCategory/").count("-") == path.count(" > ")


@pytest.mark.parametrize(
    ("name", "path", "id_"),
    [
        ("google", ("Apparel", "Topwear", "Tshirts"), "212"),
        ("google", ("Accessories", "Eyewear", "Sunglasses"), "178"),
        ("google", ("Footwear", "Shoes", "Heels"), "187"),
        ("shopify", ("Apparel", "Topwear", "Tshirts"), "gid://shopify/TaxonomyCategory/aa-1-13-8"),
    ],
)
def test_well_known_categories(name, path, id_):
    assert load_mapping(name).find(labels_of(path)).category.id == id_


def test_one_path_may_go_to_several_categories_by_attribute():
    briefs = ("Apparel", "Innerwear", "Briefs")
    mapping = load_mapping("shopify")
    ends = [
        mapping.find(labels_of(briefs, gender=gender)).category.path for gender in ("Men", "Women", "Unisex")
    ]
    assert ends == [
        "Apparel & Accessories > Clothing > Men's Undergarments > Men's Underwear > Briefs",
        "Apparel & Accessories > Clothing > Lingerie > Women's Underpants > Briefs",
        "Apparel & Accessories > Clothing",
    ]


def test_a_shops_own_table_has_defaults_at_any_level(tmp_path):
    table = tmp_path / "own.csv"
    table.write_text(
        "articletype,subCategory,masterCategory,gender,path\n"
        "Tshirts,,,Women,Damen/Shirts\nTshirts,,,,Shirts\n,Topwear,,,Oberteile\n,,Apparel,,Mode\n,,,,Alles\n",
        encoding="utf-8",
    )
    mapping = load_mapping(table)
    shirt = labels_of(("Apparel", "Topwear", "Tshirts"))
    assert mapping.find(shirt | {"gender": "Women"}).category.path == "Damen/Shirts"
    assert mapping.find(shirt | {"gender": "Men"}).category.path == "Shirts"
    assert mapping.find(labels_of(("Apparel", "Topwear", "Shirts"))).category.path == "Oberteile"
    assert mapping.find(labels_of(("Apparel", "Dress", "Dresses"))).category.path == "Mode"
    assert mapping.find({}).category.path == "Alles"
    assert [describe_rule(rule) for rule in mapping.rules][:2] == ["Tshirts, Women", "Tshirts"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("articleType\nTshirts\n", "needs a column of categories"),
        ("article,path\nTshirts,Shirts\n", "no column article"),
        ("articleType,path,confidence\nTshirts,Shirts,certain\n", "line 2: 'certain' is not a confidence"),
    ],
)
def test_a_table_that_is_no_mapping_is_refused(tmp_path, text, message):
    table = tmp_path / "own.csv"
    table.write_text(text, encoding="utf-8")
    with pytest.raises(TableError, match=message):
        load_mapping(table)


def test_an_unknown_taxonomy_is_refused():
    with pytest.raises(UsageError, match="Did you mean google"):
        load_mapping("gogle")


def test_what_a_mapping_leaves_open_is_told(tmp_path, card):
    table = tmp_path / "own.csv"
    table.write_text("articleType,path\nTshirts,Shirts\nTeeshirt,Shirts\n", encoding="utf-8")
    paths = [("Apparel", "Topwear", "Tshirts"), ("Footwear", "Shoes", "Heels")]
    found = check_mapping(load_mapping(table), paths, {head.column: head.classes for head in card.heads})
    assert [path.outcome for path in found.paths] == ["exact", "unmapped"]
    assert found.unknown == ["line 3: articleType has no class Teeshirt. Did you mean Tshirts?"]
    assert not found.is_complete


def test_ids_are_compared_with_the_channels_file():
    mapping, base = load_mapping("google"), "Apparel & Accessories > Clothing Accessories"
    official = [f"{id_} - {path}" for id_, path in mapping.categories().items()]
    assert compare_with_official(mapping, ["# Google_Product_Taxonomy_Version: 2021-09-21", *official]) == []
    changed = [line.replace("212 - ", "999 - ").replace("> Hats", "> Headgear") for line in official]
    assert sorted(compare_with_official(mapping, changed)) == [
        f"173 is {base} > Headgear, not {base} > Hats",
        "Apparel & Accessories > Clothing > Shirts & Tops is 999, not 212",
    ]


def test_a_draft_maps_by_name_and_says_that_it_is_one():
    paths = [("Apparel", "Topwear", "Tshirts"), ("Footwear", "Shoes", "Heels")]
    draft = draft_mapping(paths, ["Mode > T-Shirts", "Mode > Hosen"]).decode().splitlines()
    assert draft == [
        "masterCategory,subCategory,articleType,path,confidence,note",
        "Apparel,Topwear,Tshirts,Mode > T-Shirts,judgement,by its name; please check",
        "Footwear,Shoes,Heels,,none,",
    ]
