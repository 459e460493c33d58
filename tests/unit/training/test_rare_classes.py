import numpy as np
import torch

from fakes import build_card, build_path_card
from hangtag.evaluation.metrics import macro_f1
from hangtag.networks.multihead import ServedNetwork
from hangtag.networks.registry import build_network
from hangtag.training.data import UNKNOWN
from hangtag.training.rare_classes import (
    STRENGTHS,
    answer_path,
    choose_strength,
    count_classes,
    lift_rare_classes,
)


def hesitant_head(photos=1000, rare=50):
    """Return logits of a head that leans to the frequent class by the log of its share, and the truth."""
    random = np.random.default_rng(0)
    truth = np.where(np.arange(photos) < rare, 1, 0)
    log_shares = np.log(np.array([0.95, 0.05])).astype(np.float32)
    evidence = np.where(truth == 1, 1.5, -1.5) + random.normal(0, 0.8, photos)
    logits = np.stack([np.zeros(photos), evidence], axis=1).astype(np.float32)
    return logits + log_shares, truth, log_shares


def answer_by_strength(logits, log_shares):
    return {part: (logits - part * log_shares).argmax(axis=1) for part in STRENGTHS}


def test_a_rare_class_is_answered_more_readily_and_accuracy_stays():
    logits, truth, log_shares = hesitant_head()
    answers = answer_by_strength(logits, log_shares)
    strength = choose_strength(answers, truth, 0.0)
    assert 0 < strength <= STRENGTHS[-1]
    assert np.mean(answers[strength] == truth) >= np.mean(answers[0.0] == truth)
    assert macro_f1(truth, answers[strength]) > macro_f1(truth, answers[0.0])


def test_nothing_is_changed_where_it_would_cost_more_than_is_allowed():
    logits, _, log_shares = hesitant_head()
    answers = answer_by_strength(logits, log_shares)
    frequent = np.zeros(len(logits), np.int64)  # the rare class never occurs: each answer of it is wrong
    assert choose_strength(answers, frequent, 0.0) == 0.0
    assert choose_strength(answers, np.full(len(logits), UNKNOWN), 0.1) == 0.0


def test_the_macro_f1_is_that_of_evaluation():
    """Six photos of the rare class become right, and six others a class that is never true."""
    truth = np.repeat([0, 1], [192, 8])
    before, after = truth.copy(), truth.copy()
    before[-6:] = 0
    after[:6] = 2  # counted as a class, its F1 of 0 would outweigh what class 1 has won
    assert macro_f1(truth, after) > macro_f1(truth, before)
    assert choose_strength({0.0: before, 0.1: after}, truth, 0.0) == 0.1


def hesitant_path(photos=1000):
    """Return the logits of two levels, of which the lower one leans to its frequent classes, and the truth."""
    random = np.random.default_rng(4)
    shares = np.array([0.5, 0.05, 0.4, 0.05])
    leaf = random.choice(4, photos, p=shares)
    upper, lower = random.normal(0, 1, (photos, 2)), random.normal(0, 1, (photos, 4)) + 0.8 * np.log(shares)
    upper[np.arange(photos), leaf // 2] += 2.5
    lower[np.arange(photos), leaf] += 1.6
    logits = {"masterCategory": upper.astype(np.float32), "articleType": lower.astype(np.float32)}
    return logits, {"masterCategory": leaf // 2, "articleType": leaf}, np.log(shares).astype(np.float32)


def test_a_level_is_judged_by_the_path_that_the_model_will_answer():
    """By itself this head would gain, and lose nothing; but the path loses five photos by it."""
    logits, truth, log_shares = hesitant_path()
    card = build_path_card([("A", "a"), ("A", "b"), ("B", "c"), ("B", "d")], tuple(logits))
    head, article = logits["articleType"], truth["articleType"]
    alone = choose_strength(answer_by_strength(head, log_shares), article, 0.001)
    answers = {
        part: answer_path(card, {**logits, "articleType": head - part * log_shares}, truth)["articleType"]
        for part in STRENGTHS
    }
    lost = {part: np.mean(answers[0.0] == article) - np.mean(answers[part] == article) for part in answers}
    assert alone > 0
    assert lost[alone] > 0.001 >= lost[choose_strength(answers, article, 0.001)]


def test_unknown_labels_do_not_count():
    assert count_classes(np.array([0, 2, UNKNOWN, 2]), 4).tolist() == [1, 0, 2, 0]


def test_the_bias_of_each_head_moves_by_what_was_chosen(tiny_recipe, tiny_data):
    torch.manual_seed(0)
    counts = {column: len(classes) for column, classes in tiny_data.classes.items()}
    size = (tiny_recipe.preprocessing.height, tiny_recipe.preprocessing.width)
    network = ServedNetwork(*build_network("basic_cnn", counts, size)).eval()
    before = {column: network.network.heads[column].bias.detach().clone() for column in counts}
    strengths = lift_rare_classes(network, tiny_data, build_card(heads=tiny_data.classes), allowed_loss=1.0)
    assert set(strengths) == set(counts)
    for column, strength in strengths.items():
        shares = count_classes(tiny_data.train.targets[column], counts[column])
        moved = before[column] - strength * torch.log(torch.from_numpy(shares / shares.sum())).float()
        assert torch.allclose(network.network.heads[column].bias, moved, atol=1e-5)
