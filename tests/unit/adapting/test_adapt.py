import numpy as np
import pytest

from hangtag.adapting import adapt as stage
from hangtag.adapting.adapt import DATA_KEY, Adapter, write_adapted
from hangtag.adapting.examples import FEWEST_OF_NEW, Examples, group_alike, plan_lesson
from hangtag.adapting.fitting import BaseMetric, Labelled, fit_shift
from hangtag.adapting.forgetting import _Noise
from hangtag.bundle.file import read_bundle
from hangtag.bundle.statistics import EmbeddingStatistics, read_statistics
from hangtag.domain.errors import BundleError, UsageError
from hangtag.inference.model import load_model
from hangtag.inference.predictions import NO_LABEL
from shop_bundle import answer, draw_shop, write_shop_bundle

NAMES = ("Tshirts", "Jeans", "Kimono")  # the last one is new
SLEEVES = ("long", "short", None)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return write_shop_bundle(tmp_path_factory.mktemp("base") / "base.onnx")


def draw_examples(bundle, count, seed=9):
    pixels, kinds = draw_shop(count, seed)
    labels = {"articleType": [NAMES[kind] for kind in kinds], "sleeve": [SLEEVES[kind] for kind in kinds]}
    return Examples(answer(bundle, pixels), labels), pixels, kinds


def test_a_shop_is_learnt_with_a_new_class_and_a_new_attribute(bundle, tmp_path):
    examples, *_ = draw_examples(bundle, 240)
    adapted = Adapter(bundle).adapt(examples, "shop")
    card = write_adapted(adapted, bundle.card, tmp_path / "shop.onnx")
    pixels, kinds = draw_shop(200, seed=31)
    model = load_model(tmp_path / "shop.onnx", precision="fp32", threads=1)  # the golden photos are checked
    found = model.run(pixels)
    for column, names in (("articleType", NAMES), ("sleeve", SLEEVES)):
        classes = list(card.head(column).classes)
        known = np.array([names[kind] is not None for kind in kinds])
        true = np.array([classes.index(names[kind]) if names[kind] else NO_LABEL for kind in kinds])
        accuracy = (found[column].argmax(axis=1) == true)[known].mean()
        result = adapted.columns[column]
        assert accuracy > 0.9
        assert result.interval[0] - 0.05 <= accuracy <= result.interval[1] + 0.05
    assert adapted.columns["articleType"].new_classes == ("Kimono",)
    assert adapted.columns["articleType"].before < adapted.columns["articleType"].after
    assert adapted.columns["sleeve"].before is None
    assert card.head("gender") == bundle.card.head("gender")
    assert any(path[-1] == "Kimono" for path in card.taxonomy.paths)


def test_the_card_says_where_the_model_comes_from_and_it_can_learn_again(bundle, tmp_path):
    examples, *_ = draw_examples(bundle, 120)
    write_adapted(Adapter(bundle).adapt(examples, "shop"), bundle.card, tmp_path / "shop.onnx")
    shop = read_bundle(tmp_path / "shop.onnx")
    lineage = shop.card.data[DATA_KEY]
    assert lineage["from"] == {"name": "tiny", "version": "1", "sha256": bundle.sha256}
    assert lineage["photos"] == 120
    assert not shop.card.metrics
    assert shop.card.description == "tiny 1, adapted to 120 labelled photos."
    statistics = read_statistics(shop)
    assert statistics is not None
    assert len(statistics.class_means["articleType"]) == len(shop.card.head("articleType").classes)
    again, *_ = draw_examples(shop, 60, seed=77)
    assert Adapter(shop).adapt(again, "shop2").columns["articleType"].before > 0.8


def test_a_bundle_without_embedding_or_statistics_is_refused(tmp_path):
    with pytest.raises(BundleError, match="cannot be adapted: it holds no statistics"):
        Adapter(write_shop_bundle(tmp_path / "bare.onnx", statistics=False))


def test_few_labels_teach_nothing(bundle):
    examples, *_ = draw_examples(bundle, 6)
    with pytest.raises(UsageError, match="no column has 10 labels"):
        Adapter(bundle).adapt(examples, "shop")


def test_what_has_too_few_examples_is_left_out_and_named(bundle):
    pixels, kinds = draw_shop(40)
    said = [NAMES[kind] if kind < 2 else "Tshirts" for kind in kinds]
    said[: FEWEST_OF_NEW - 1] = ["Sari"] * (FEWEST_OF_NEW - 1)
    lesson = plan_lesson(bundle.card, Examples(answer(bundle, pixels), {"articleType": said}))
    assert lesson.left_out == {"articleType": {"Sari": FEWEST_OF_NEW - 1}}
    assert "Sari" not in lesson.classes["articleType"]
    assert (lesson.targets["articleType"][: FEWEST_OF_NEW - 1] == NO_LABEL).all()


def test_a_leaf_brings_its_parents_along_but_not_over_what_was_said(bundle):
    pixels, _ = draw_shop(20)
    labels = {"articleType": ["Jeans"] * 10 + ["Socks"] * 10, "masterCategory": ["Footwear"] + [None] * 19}
    lesson = plan_lesson(bundle.card, Examples(answer(bundle, pixels), labels))
    masters = [
        bundle.card.head("masterCategory").classes[index] for index in lesson.targets["masterCategory"][:10]
    ]
    assert masters == ["Footwear"] + ["Apparel"] * 9
    assert (lesson.targets["masterCategory"][10:] == NO_LABEL).all()  # socks have two parents


def test_photos_of_one_product_share_a_group():
    rows = np.random.default_rng(0).normal(size=(50, 30)).astype(np.float32)
    rows[40:] = rows[:10] * 1.001
    groups = group_alike(rows)
    assert (groups[40:] == groups[:10]).all()
    assert len(set(groups.tolist())) == 40


def test_a_shift_is_cheap_where_base_photos_do_not_vary_and_dear_where_they_do():
    """Both directions tell the classes apart equally well; only the second leaves base photos alone."""
    dice = np.random.default_rng(1)
    labels = dice.integers(0, 2, 80)
    shop = np.stack([labels - 0.5, labels - 0.5], axis=1).astype(np.float32) + dice.normal(
        0, 0.05, (80, 2)
    ).astype(np.float32)
    covariance = np.diag([4.0, 0.01]).astype(np.float32)
    metric = BaseMetric(EmbeddingStatistics(100, np.zeros(2, np.float32), covariance, {}, {}))
    logits = np.zeros((80, 2), np.float32)
    shift = fit_shift(metric, Labelled(metric.rotate(shop), logits, labels, 2))
    assert (shift.apply(shop, logits).argmax(axis=1) == labels).mean() > 0.95
    moved = np.abs(shift.weights[1] - shift.weights[0])
    assert moved[1] > 10 * moved[0]


def test_testing_on_one_part_of_very_many_labels_says_what_all_parts_say(bundle, monkeypatch):
    examples, *_ = draw_examples(bundle, 600)
    every = Adapter(bundle).adapt(examples, "shop")
    monkeypatch.setattr(stage, "_VERY_MANY", 300)
    some = Adapter(bundle).adapt(examples, "shop")
    assert set(some.shifts) == set(every.shifts)
    for column, result in every.columns.items():
        assert some.columns[column].labels == result.labels
        assert some.columns[column].after == pytest.approx(result.after, abs=0.04)
        width = result.interval[1] - result.interval[0]
        assert some.columns[column].interval[1] - some.columns[column].interval[0] >= width
    rows = examples.outputs["features"]
    for column, shift in every.shifts.items():
        known = examples.outputs.get(column, np.zeros((600, 0), np.float32))
        alike = shift.apply(rows, known).argmax(1) == some.shifts[column].apply(rows, known).argmax(1)
        assert alike.mean() > 0.97


def test_a_fit_from_an_earlier_one_on_answers_as_one_from_the_start():
    dice = np.random.default_rng(2)
    labels = dice.integers(0, 5, 300)
    rows = (dice.normal(0, 1, (5, 12))[labels] + dice.normal(0, 1, (300, 12))).astype(np.float32)
    covariance = np.cov(dice.normal(0, 1, (12, 60))).astype(np.float32)
    metric = BaseMetric(EmbeddingStatistics(100, np.ones(12, np.float32), covariance, {}, {}))
    logits = dice.normal(0, 1, (300, 4)).astype(np.float32)  # the last class is new
    learnt = Labelled(metric.rotate(rows), logits, labels, 5)
    part = Labelled(learnt.rotated[:200], logits[:200], labels[:200], 5)
    plain = fit_shift(metric, learnt).apply(rows, logits)
    warm = fit_shift(metric, learnt, start=fit_shift(metric, part)).apply(rows, logits)
    assert (plain.argmax(axis=1) == warm.argmax(axis=1)).mean() > 0.98


def test_embeddings_are_drawn_as_they_vary_within_classes():
    dice = np.random.default_rng(3)
    between = dice.normal(0, 0.3, (3, 6)).astype(np.float32)
    within = np.cov(dice.normal(0, 1, (6, 40))).astype(np.float32)
    metric = BaseMetric(
        EmbeddingStatistics(100, np.zeros(6, np.float32), within + between.T @ between, {}, {})
    )
    drawn = _Noise(metric.variances, metric.axes).within(between)
    assert np.abs(np.cov(drawn.T) - within).max() < 0.12 * within.max()


def test_a_new_class_is_found_after_few_examples_beside_many_others():
    dice = np.random.default_rng(4)
    centres = dice.normal(0, 0.75, (5, 20))
    labels = np.repeat(np.arange(5), [150, 150, 150, 150, 5])  # the last one is new
    rows = (centres[labels] + dice.normal(0, 2, (605, 20))).astype(np.float32)
    covariance = np.cov(centres[dice.integers(0, 4, 500)].T + dice.normal(0, 2, (20, 500)))
    metric = BaseMetric(
        EmbeddingStatistics(100, np.zeros(20, np.float32), covariance.astype(np.float32), {}, {})
    )

    def answer_known(rows):
        return (rows @ centres[:4].T - 0.5 * (centres[:4] ** 2).sum(axis=1)).astype(np.float32)

    shift = fit_shift(metric, Labelled(metric.rotate(rows), answer_known(rows), labels, 5))
    true = np.repeat(np.arange(5), 400)
    tested = (centres[true] + dice.normal(0, 2, (2000, 20))).astype(np.float32)
    right = shift.apply(tested, answer_known(tested)).argmax(axis=1) == true
    assert right[true == 4].mean() > 0.56
    assert right[true < 4].mean() > 0.6
