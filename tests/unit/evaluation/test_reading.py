"""Each sentence of a reading, from made-up numbers."""

import pytest

from hangtag.evaluation.heads import Report
from hangtag.evaluation.reading import find_unknown_labels, join_words, percent, read_head, read_overview


def head(cells, unknown=0, confidence=None) -> Report:
    """Build a head's figures from cells (true, answered): count; the last `unknown` labels are not the model's."""
    labels = list(dict.fromkeys(label for pair in cells for label in pair))
    support = {label: sum(n for (true, _), n in cells.items() if true == label) for label in labels}
    right = sum(n for (true, answered), n in cells.items() if true == answered)
    total = sum(cells.values())
    return {
        "top1_accuracy": right / total,
        "interval_95": [0.4, 0.6],
        "support": total,
        "unknown_labels": sum(support[label] for label in labels[len(labels) - unknown :]) if unknown else 0,
        "per_class": [
            {
                "label": label,
                "support": n,
                "answered": 1,
                "recall": cells.get((label, label), 0) / n if n else None,
            }
            for label, n in support.items()
        ],
        "confusion": {
            "labels": labels,
            "counts": [
                [labels.index(true), labels.index(answered), n] for (true, answered), n in cells.items()
            ],
        },
        "reliability": [
            {
                "count": total,
                "confidence": right / total if confidence is None else confidence,
                "accuracy": right / total,
            }
        ],
    }


def test_a_perfect_head_has_no_mistake_to_tell_of():
    assert read_head(head({("a", "a"): 50, ("b", "b"): 1})) == [
        "51 photos, and none is wrong.",
        "1 class has fewer than 5 photos here, too few to judge it.",
        "It is well calibrated: its mean confidence is 100 %, and it is right for 100 %.",
    ]


def test_a_head_without_labels_says_nothing_else():
    assert read_head({"support": 0}) == ["No photo has a label here, so nothing is known."]


def test_a_single_class_can_be_right_alone():
    assert read_head(head({("a", "a"): 1}))[0] == "1 photo, and none is wrong."


def test_mistakes_are_named_by_how_often_and_which_way():
    sentences = read_head(
        head({("a", "a"): 90, ("a", "b"): 10, ("b", "b"): 95, ("b", "a"): 5, ("c", "a"): 2, ("c", "c"): 98})
    )
    assert sentences[:2] == [
        "17 of 300 photos are wrong.",
        "Most often, a and b are confused with each other (15 times) and c is predicted as a (2 of 100).",
    ]


def test_a_single_mistake_is_no_habit():
    sentences = read_head(head({("a", "a"): 9, ("a", "b"): 1}))
    assert sentences[:2] == ["1 of 10 photos is wrong.", "There, a is predicted as b (1 of 10)."]


def test_only_the_most_frequent_confusions_are_named():
    cells = {("a", "a"): 5} | {("a", label): 9 - n for n, label in enumerate("bcde")}
    assert (
        "a is predicted as b (9 of 35); a is predicted as c (8 of 35) and a is predicted as d (7 of 35)."
        in read_head(head(cells))[1]
    )


WEAK = {("rare", "big"): 8, ("rare", "rare"): 2, ("odd", "big"): 6, ("odd", "odd"): 4, ("big", "big"): 500}


def test_weak_classes_are_named_with_their_reason():
    sentences = read_head(head(WEAK), {"rare": 12, "odd": 400, "big": 9000})
    assert "Found less than half of the time: rare (2 of 10) and odd (4 of 10)." in sentences
    assert (
        "1 of them had fewer than 100 training photos (rare 12; the largest class 9,000). "
        "Too few examples is the likely reason."
    ) in sentences
    assert any(
        sentence.startswith("odd had 100 training photos or more, so that is not the reason")
        for sentence in sentences
    )


def test_reasons_for_one_weak_class_and_for_all_of_them():
    one = read_head(head({("rare", "big"): 8, ("big", "big"): 50}), {"big": 9000})
    assert (
        "rare had only 0 training photos, the largest class 9,000. Too few examples is the likely reason."
        in one
    )
    both = read_head(head(WEAK), {"rare": 12, "odd": 30, "big": 9000})
    assert any(
        sentence.startswith("All of them had fewer than 100 training photos (rare 12 and odd 30;")
        for sentence in both
    )


def test_without_the_training_counts_no_reason_is_given():
    for counts in (None, {}):
        assert not any("training photo" in sentence for sentence in read_head(head(WEAK), counts))


def test_many_weak_classes_are_counted():
    cells = {(label, "big"): 10 + n for n, label in enumerate("abcde")} | {("big", "big"): 99}
    assert (
        "5 classes are found less than half of the time, the worst e (0 of 14), d (0 of 13) and c (0 of 12)."
        in read_head(head(cells))
    )


def test_a_class_with_a_handful_of_photos_is_not_judged():
    sentences = read_head(head({("a", "b"): 4, ("c", "b"): 3, ("b", "b"): 90}))
    assert "2 classes have fewer than 5 photos here, too few to judge them." in sentences
    assert not any("half of the time" in sentence for sentence in sentences)


def test_labels_that_the_model_does_not_know_are_named():
    figures = head({("a", "a"): 9, ("Mauve", "a"): 1, ("Puce", "a"): 2}, unknown=2)
    assert find_unknown_labels(figures) == ["Mauve", "Puce"]
    assert (
        "3 photos have a label that the model does not know (Mauve and Puce): every answer there counts as wrong."
        in read_head(figures)
    )
    many = head({("a", "a"): 9} | {(f"x{n}", "a"): 1 for n in range(4)}, unknown=4)
    assert any("(x0, x1, x2 and others)" in sentence for sentence in read_head(many))
    assert find_unknown_labels(head({("a", "a"): 1})) == []


@pytest.mark.parametrize(
    ("confidence", "verdict"),
    [
        (0.905, "It is well calibrated"),
        (0.93, "It is a little over-confident"),
        (0.99, "It is over-confident"),
        (0.87, "It is a little under-confident"),
        (0.7, "It is under-confident"),
    ],
)
def test_confidence_is_held_against_accuracy(confidence, verdict):
    last = read_head(head({("a", "a"): 9000, ("a", "b"): 1000}, confidence=confidence))[-1]
    assert last == f"{verdict}: its mean confidence is {percent(confidence)}, and it is right for 90.0 %."


def test_of_few_photos_a_gap_is_what_chance_explains():
    assert read_head(head({("a", "a"): 18, ("a", "b"): 2}, confidence=0.98))[-1].startswith(
        "It is well calibrated"
    )


def report(heads, verdict="held_out", failed=None, rate=0.5):
    return {
        "seen_in_training": {"verdict": verdict, "reason": "The reason."},
        "photos": {"failed": failed or {}},
        "heads": heads,
        "all_right": {"rate": rate, "support": 20},
    }


def test_what_speaks_against_the_figures_comes_first():
    one = {"gender": head({("a", "a"): 9, ("a", "b"): 1})}
    for verdict in ("tuned_on", "trained_on", "perhaps_trained_on", "unknown"):
        assert read_overview(report(one, verdict))[0] == "The reason."
    assert "The reason." not in read_overview(report(one))
    assert read_overview(report(one, failed={"not_found": 2, "truncated": 1}))[0] == (
        "3 photos could not be read and are not counted (2 not found and 1 truncated)."
    )


def test_a_single_head_is_told_with_its_interval():
    assert read_overview(report({"gender": head({("a", "a"): 9, ("a", "b"): 1})})) == [
        "gender is right for 90.0 % of 10 photos; other photos of the same kind could give 40.0 % to 60.0 %."
    ]


def test_of_several_heads_the_best_and_the_hardest_are_named():
    heads = {"gender": head({("a", "a"): 1}), "season": head({("a", "a"): 1, ("a", "b"): 1})}
    without = {**head({("a", "a"): 1}), "support": 0, "top1_accuracy": None}
    assert read_overview(report({**heads, "usage": without})) == [
        "Best is gender, right for 100 %; hardest is season, right for 50.0 %.",
        "All 2 labels are right for 50.0 % of 20 photos.",
    ]
    assert read_overview(report({"usage": without})) == []


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0, "0 %"),
        (1, "100 %"),
        (0.99999, "over 99.9 %"),
        (0.0001, "under 0.1 %"),
        (0.5, "50.0 %"),
        (0.0449, "4.5 %"),
    ],
)
def test_a_share_is_never_rounded_to_what_it_is_not(share, text):
    assert percent(share) == text


def test_words_are_joined_as_in_a_sentence():
    assert [join_words(words) for words in (["a"], ["a", "b"], ["a", "b", "c"])] == [
        "a",
        "a and b",
        "a, b and c",
    ]
