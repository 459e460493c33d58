import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hangtag.datasets.splits import TEST, TRAIN, VALIDATION, Item, assign_by_year, assign_stratified
from hangtag.domain.errors import CatalogueError

FRACTIONS = {TEST: 0.10, VALIDATION: 0.05}


def items_of(sizes_by_label):
    return [
        Item(f"{label}{number}", label, size)
        for label, sizes in sizes_by_label.items()
        for number, size in enumerate(sizes)
    ]


def sizes_by_split(items, splits):
    sizes = Counter()
    for item, split in zip(items, splits, strict=True):
        sizes[split] += item.size
    return sizes


def test_each_label_and_the_whole_meet_their_shares():
    items = items_of({"Shirts": [1] * 1000, "Shoes": [1] * 200, "Bags": [1] * 100})
    splits = assign_stratified(items, FRACTIONS, seed=42)
    for label, total in (("Shirts", 1000), ("Shoes", 200), ("Bags", 100)):
        counts = Counter(split for item, split in zip(items, splits, strict=True) if item.label == label)
        assert counts == {TRAIN: 0.85 * total, TEST: 0.10 * total, VALIDATION: 0.05 * total}


def test_what_rare_labels_cannot_give_is_carried_on():
    items = items_of({f"label {number:03}": [1] * 3 for number in range(100)})
    sizes = sizes_by_split(items, assign_stratified(items, FRACTIONS, seed=1))
    assert sizes == {TRAIN: 255, TEST: 30, VALIDATION: 15}


def test_the_only_item_of_a_label_stays_in_train():
    items = items_of({"Shirts": [1] * 7, **{f"single {number}": [1] for number in range(30)}})
    splits = assign_stratified(items, FRACTIONS, seed=3)
    assert set(splits[7:]) == {TRAIN}


def test_what_the_smallest_labels_could_not_give_is_taken_from_the_largest():
    sizes = {"Shirts": 40, "Shoes": 30, "Bags": 25, **{f"few {number}": 3 for number in range(20)}}
    singles = {f"single {number}": 1 for number in range(45)}
    items = items_of({label: [1] * size for label, size in (sizes | singles).items()})
    for seed in range(20):
        found = sizes_by_split(items, assign_stratified(items, FRACTIONS, seed))
        assert (found[TEST], found[VALIDATION]) == (20, 10)


def test_a_handful_of_products_has_a_validation_too():
    items = items_of({"Shirts": [1] * 6, "Shoes": [1] * 3, "Bags": [1] * 2, "Caps": [1], "Belts": [1]})
    for seed in range(20):
        found = sizes_by_split(items, assign_stratified(items, {TEST: 0.2, VALIDATION: 0.1}, seed))
        assert (found[TEST], found[VALIDATION]) == (3, 1)


def test_every_label_keeps_something_in_train_whatever_is_carried():
    items = items_of({"huge": [500], "pair": [1, 1], "few": [1, 1, 1]})
    splits = assign_stratified(items, {TEST: 0.4, VALIDATION: 0.4}, seed=5)
    for label in ("huge", "pair", "few"):
        assert TRAIN in {split for item, split in zip(items, splits, strict=True) if item.label == label}


def test_groups_of_several_products_meet_the_shares_too():
    dice = random.Random(0)
    items = items_of({"Shirts": [dice.choice([1, 1, 1, 2, 3, 10]) for _ in range(500)]})
    total = sum(item.size for item in items)
    sizes = sizes_by_split(items, assign_stratified(items, FRACTIONS, seed=42))
    assert sizes[TEST] == pytest.approx(0.10 * total, abs=2)
    assert sizes[VALIDATION] == pytest.approx(0.05 * total, abs=2)
    large = Counter(
        split
        for item, split in zip(items, assign_stratified(items, FRACTIONS, seed=42), strict=True)
        if item.size == 10
    )
    assert large[TEST] > 0  # large groups are not all left to train


drawn_items = st.lists(
    st.builds(Item, st.uuids().map(str), st.sampled_from("abcd"), st.integers(1, 5)),
    max_size=40,
    unique_by=lambda i: i.key,
)


@given(drawn_items, st.randoms(use_true_random=False), st.integers(0, 99))
def test_the_order_of_the_items_does_not_matter(items, dice, seed):
    shuffled = items.copy()
    dice.shuffle(shuffled)
    first = dict(zip(items, assign_stratified(items, FRACTIONS, seed), strict=True))
    assert dict(zip(shuffled, assign_stratified(shuffled, FRACTIONS, seed), strict=True)) == first


def test_the_seed_decides():
    items = items_of({"Shirts": [1] * 100})
    first = assign_stratified(items, FRACTIONS, seed=1)
    assert assign_stratified(items, FRACTIONS, seed=1) == first
    assert assign_stratified(items, FRACTIONS, seed=2) != first


def test_the_newest_years_are_test_and_those_before_them_validation():
    years = [2012] * 50 + [2013] * 30 + [2014] * 6 + [2015] * 5 + [2016] * 4 + [2017] * 5 + [None] * 3
    splits = assign_by_year(years, FRACTIONS)
    by_year = dict(zip(years, splits, strict=True))
    assert by_year == {
        2012: TRAIN,
        2013: TRAIN,
        2014: TRAIN,
        2015: VALIDATION,
        2016: TEST,
        2017: TEST,
        None: TRAIN,
    }


def test_each_split_has_a_year_even_where_the_newest_is_large():
    splits = assign_by_year([2010, 2011] + [2012] * 98, FRACTIONS)
    assert splits == [TRAIN, VALIDATION] + [TEST] * 98


@pytest.mark.parametrize("years", [[], [None, None], [2012] * 9, [2012, 2013]])
def test_too_few_years_are_an_error_that_says_how_many_there_are(years):
    with pytest.raises(CatalogueError, match=f"there are {len(set(years) - {None})}"):
        assign_by_year(years, FRACTIONS)


def test_a_split_that_lacks_less_than_a_hundredth_stays_as_it_was_drawn():
    items = items_of({"Shirts": [1] * 2000, **{f"single {number}": [1] for number in range(10)}})
    found = sizes_by_split(items, assign_stratified(items, FRACTIONS, seed=42))
    assert (found[TEST], found[VALIDATION]) == (200, 100)  # a tenth of 2,010 would be 201
