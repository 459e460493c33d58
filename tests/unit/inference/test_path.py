from dataclasses import replace
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hangtag.bundle.file import find_bundle, read_card
from hangtag.domain.taxonomy import Taxonomy
from hangtag.inference.probabilities import PathDecoder
from tiny_bundle import TINY_TAXONOMY, build_tiny_card

LABELS = {level: TINY_TAXONOMY.labels(level) for level in TINY_TAXONOMY.levels}
FULL = build_tiny_card(classes=LABELS)


def named(card, chosen):
    """Return the chosen paths by name, one for each photo."""
    columns = [[card.head(level).classes[index] for index in indices] for level, indices in chosen.items()]
    return list(zip(*columns, strict=True))


@st.composite
def log_probabilities(draw, card, levels):
    count = draw(st.integers(0, 6))
    seed = draw(st.integers(0, 2**32 - 1))
    dice = np.random.default_rng(seed)
    spread = draw(st.sampled_from([0.1, 3.0, 60.0]))
    return {
        level: dice.normal(0, spread, (count, len(card.head(level).classes))).astype(np.float32)
        for level in levels
    }


@given(log_probabilities(FULL, TINY_TAXONOMY.levels))
def test_the_chosen_path_is_one_of_the_taxonomy_and_the_best_of_them(values):
    chosen = PathDecoder.from_card(FULL).choose(values)
    for photo, path in enumerate(named(FULL, chosen)):
        assert path in TINY_TAXONOMY.paths

        def score(path, photo=photo):
            return sum(
                values[level][photo, FULL.head(level).classes.index(label)]
                for level, label in zip(TINY_TAXONOMY.levels, path, strict=True)
            )

        assert score(path) == max(map(score, TINY_TAXONOMY.paths))


TWO = build_tiny_card()


@given(log_probabilities(TWO, ("masterCategory", "articleType")))
def test_levels_without_a_head_are_left_out(values):
    chosen = PathDecoder.from_card(TWO).choose(values)
    known = {(path[0], path[2]) for path in TINY_TAXONOMY.paths}
    assert set(named(TWO, chosen)) <= known


def test_the_whole_path_counts_not_the_surest_level():
    sure = {
        "masterCategory": np.log(np.float32([[0.05, 0.90, 0.05]])),  # Footwear
        "articleType": np.log(np.float32([[0.98, 0.005, 0.005, 0.005, 0.005]])),  # Tshirts
        "gender": np.zeros((1, 2), np.float32),
    }
    assert named(TWO, PathDecoder.from_card(TWO).choose(sure)) == [("Apparel", "Tshirts")]


def test_a_leaf_under_two_parents_follows_the_parent():
    for parent in ("Apparel", "Footwear"):
        values = {
            level: np.log(
                np.float32([[0.9 if label in (parent, "Socks") else 0.01 for label in LABELS[level]]])
            )
            for level in ("masterCategory", "subCategory", "articleType")
        }
        assert named(FULL, PathDecoder.from_card(FULL).choose(values)) == [(parent, "Socks", "Socks")]


def test_a_single_level_and_a_missing_taxonomy_leave_nothing_to_decide():
    alone = build_tiny_card(classes={"articleType": LABELS["articleType"]})
    without = build_tiny_card(taxonomy=Taxonomy((), ()))
    empty = build_tiny_card(taxonomy=Taxonomy(TINY_TAXONOMY.levels, ()))
    for card in (alone, without, empty):
        assert PathDecoder.from_card(card).choose({}) == {}


def weighted(card, weights):
    heads = [replace(head, path_weight=weights.get(head.column)) for head in card.heads]
    return replace(card, heads=heads, golden=())


@given(log_probabilities(FULL, TINY_TAXONOMY.levels))
def test_with_weights_no_label_is_surer_than_its_only_parent(logits):
    decoder = PathDecoder.from_card(weighted(FULL, dict.fromkeys(TINY_TAXONOMY.levels, 0.7)))
    probabilities, chosen = decoder.weigh(logits)
    confidence = {
        level: np.take_along_axis(probabilities[level], chosen[level][:, None], axis=1)[:, 0]
        for level in TINY_TAXONOMY.levels
    }
    assert set(named(FULL, chosen)) <= set(TINY_TAXONOMY.paths)
    has_one_parent = np.array([path[-1] != "Socks" for path in named(FULL, chosen)], np.bool_)
    for upper, lower in pairwise(TINY_TAXONOMY.levels):
        assert (confidence[upper] >= confidence[lower] - 1e-6)[has_one_parent].all()
    for level, values in probabilities.items():
        np.testing.assert_allclose(values.sum(axis=1), 1, atol=1e-5)
        assert values.shape == logits[level].shape
        assert values.max(initial=0) <= 1


def test_a_label_is_as_probable_as_the_paths_that_hold_it():
    weights = {"masterCategory": 0.5, "articleType": 2.0}
    logits = {
        "masterCategory": np.float32([[1, 0, -1]]),
        "articleType": np.float32([[0.5, 1, 0, 0, 0.25]]),
    }
    probabilities, _ = PathDecoder.from_card(weighted(TWO, weights)).weigh(logits)
    classes = {level: TWO.head(level).classes for level in weights}
    shares = {
        (master, article): np.exp(
            sum(
                weights[level] * logits[level][0, classes[level].index(label)]
                for level, label in (("masterCategory", master), ("articleType", article))
            )
        )
        for master, _, article in TINY_TAXONOMY.paths
    }
    expected = [
        sum(share for path, share in shares.items() if path[0] == master) / sum(shares.values())
        for master in classes["masterCategory"]
    ]
    np.testing.assert_allclose(probabilities["masterCategory"][0], expected, rtol=1e-5)


@given(log_probabilities(FULL, TINY_TAXONOMY.levels))
def test_a_photo_has_the_same_bits_alone_and_in_a_batch(logits):
    decoder = PathDecoder.from_card(weighted(FULL, dict.fromkeys(TINY_TAXONOMY.levels, 0.7)))
    together, _ = decoder.weigh(logits)
    for photo in range(len(logits["articleType"])):
        alone, _ = decoder.weigh({level: rows[photo : photo + 1] for level, rows in logits.items()})
        for level, rows in alone.items():
            np.testing.assert_array_equal(rows[0], together[level][photo])


def test_the_shipped_paths_give_a_photo_the_same_bits_alone_and_in_a_batch():
    card = read_card(find_bundle("default"))
    decoder, dice = PathDecoder.from_card(card), np.random.default_rng(1)
    logits = {
        level: dice.normal(0, 4, (40, len(card.head(level).classes))).astype(np.float32)
        for level in decoder.levels
    }
    together, _ = decoder.weigh(logits)
    for photo in range(40):
        alone, _ = decoder.weigh({level: rows[photo : photo + 1] for level, rows in logits.items()})
        for level, rows in alone.items():
            np.testing.assert_array_equal(rows[0], together[level][photo])
