import numpy as np
import torch

from hangtag.networks.multihead import ServedNetwork
from hangtag.networks.registry import build_network
from hangtag.training.data import UNKNOWN
from hangtag.training.rare_classes import STRENGTHS, choose_strength, count_classes, lift_rare_classes


def hesitant_head(photos=1000, rare=50):
    """Return logits of a head that leans to the frequent class by the log of its share, and the truth."""
    random = np.random.default_rng(0)
    truth = np.where(np.arange(photos) < rare, 1, 0)
    log_shares = np.log(np.array([0.95, 0.05])).astype(np.float32)
    evidence = np.where(truth == 1, 1.5, -1.5) + random.normal(0, 0.8, photos)
    logits = np.stack([np.zeros(photos), evidence], axis=1).astype(np.float32)
    return logits + log_shares, truth, log_shares


def macro_f1(truth, answers):
    scores = []
    for label in np.unique(truth):
        right = np.sum((truth == label) & (answers == label))
        scores.append(2 * right / (np.sum(truth == label) + np.sum(answers == label)))
    return np.mean(scores)


def test_a_rare_class_is_answered_more_readily_and_accuracy_stays():
    logits, truth, log_shares = hesitant_head()
    strength = choose_strength(logits, truth, log_shares, 0.0)
    before, after = logits.argmax(axis=1), (logits - strength * log_shares).argmax(axis=1)
    assert 0 < strength <= STRENGTHS[-1]
    assert np.mean(after == truth) >= np.mean(before == truth)
    assert macro_f1(truth, after) > macro_f1(truth, before)


def test_nothing_is_changed_where_it_would_cost_more_than_is_allowed():
    logits, _, log_shares = hesitant_head()
    frequent = np.zeros(len(logits), np.int64)  # the rare class never occurs: each answer of it is wrong
    assert choose_strength(logits, frequent, log_shares, 0.0) == 0.0
    assert choose_strength(logits, np.full(len(logits), UNKNOWN), log_shares, 0.1) == 0.0


def test_unknown_labels_do_not_count():
    assert count_classes(np.array([0, 2, UNKNOWN, 2]), 4).tolist() == [1, 0, 2, 0]


def test_the_bias_of_each_head_moves_by_what_was_chosen(tiny_recipe, tiny_data):
    torch.manual_seed(0)
    counts = {column: len(classes) for column, classes in tiny_data.classes.items()}
    size = (tiny_recipe.preprocessing.height, tiny_recipe.preprocessing.width)
    network = ServedNetwork(*build_network("basic_cnn", counts, size)).eval()
    before = {column: network.network.heads[column].bias.detach().clone() for column in counts}
    strengths = lift_rare_classes(network, tiny_data, allowed_loss=1.0)
    assert set(strengths) == set(counts)
    for column, strength in strengths.items():
        shares = count_classes(tiny_data.train.targets[column], counts[column])
        moved = before[column] - strength * torch.log(torch.from_numpy(shares / shares.sum())).float()
        assert torch.allclose(network.network.heads[column].bias, moved, atol=1e-5)
