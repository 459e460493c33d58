"""What the parts of a batch come to when they are added up: two real processes, and none of Ray."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")

from torch import distributed, multiprocessing  # noqa: E402

from hangtag.networks.multihead import HeadedNetwork, Normalise  # noqa: E402
from hangtag.training.data import OOD_OUTPUT, UNKNOWN  # noqa: E402
from hangtag.training.learner import Learner  # noqa: E402
from hangtag.training.losses import Losses  # noqa: E402
from hangtag.training.recipe import find_recipe, read_recipe  # noqa: E402
from hangtag.training.workers import SINGLE_PROCESS, ProcessGroup  # noqa: E402

COUNTS = {"masterCategory": 2, "gender": 3, "season": 4, OOD_OUTPUT: 1}


def build_learner(group) -> Learner:
    torch.manual_seed(0)
    values = read_recipe(find_recipe("default")).model_dump()
    values |= {"columns": ("masterCategory", "gender", "season")}
    values["optimisation"] |= {"precision": "float32", "ema_decay": 0.0, "weight_decay": 0.1}
    recipe = type(read_recipe(find_recipe("default"))).model_validate(values)
    backbone = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()
    )
    network = HeadedNetwork(backbone, 4, COUNTS, 0.0)
    losses = Losses(
        recipe.columns,
        label_smoothing=0.1,
        ood_weight=0.5,
        class_weights={"gender": torch.tensor([1.0, 2.0, 3.0])},
    )
    return Learner(recipe, Normalise((0.5,) * 3, (0.5,) * 3), network, losses, group)


def learn(group) -> dict[str, torch.Tensor]:
    """Learn from two batches: seven photos, the labels of which are mostly in the second half, and three."""
    learner = build_learner(group)
    dice = torch.Generator().manual_seed(1)
    for count in (7, 3):
        part = torch.from_numpy(group.part_of(np.arange(count)))
        photos = torch.randn(count, 3, 8, 8, generator=dice)
        unknown = torch.full((count,), UNKNOWN)
        known = torch.randint(0, 2, (count,), generator=dice)
        targets = {
            "masterCategory": torch.where(torch.arange(count) < count // 2 + 1, unknown, known),
            "gender": known,
            "season": unknown,
            OOD_OUTPUT: known,
        }
        mine = {name: values[part] for name, values in targets.items()}
        loss, accuracy = learner.learn(photos[part], mine, 0.01)
    return {**learner.network.state_dict(), "loss": torch.tensor(loss), "accuracy": torch.tensor(accuracy)}


def work(rank: int, folder: Path) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    group = ProcessGroup(torch.device("cpu"))
    parts = [group.part_of(np.arange(count)).tolist() for count in (8, 7, 3)]
    norm = torch.nn.BatchNorm1d(1)
    norm.running_mean.fill_(float(rank))
    norm.num_batches_tracked.fill_(rank)
    group.average_batch_norms(norm)
    facts = {
        "first": group.is_first,
        "parts": parts,
        "sum": group.sum([1.5, float(rank)]),
        "mean": norm.running_mean.item(),
        "batches": norm.num_batches_tracked.item(),
    }
    torch.save({"facts": facts, "learnt": learn(group)}, folder / f"{rank}.pt")
    distributed.destroy_process_group()


@pytest.fixture(scope="module")
def workers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("workers")
    multiprocessing.spawn(work, (folder,), nprocs=2)
    return [torch.load(folder / f"{rank}.pt") for rank in range(2)]


def test_a_batch_is_cut_into_equal_parts_and_a_tiny_one_is_not(workers):
    first, second = (worker["facts"]["parts"] for worker in workers)
    assert first == [[0, 1, 2, 3], [0, 1, 2, 3], [0, 1, 2]]
    assert second == [[4, 5, 6, 7], [4, 5, 6], [0, 1, 2]]
    assert SINGLE_PROCESS.part_of(np.arange(3)).tolist() == [0, 1, 2]


def test_workers_agree_on_sums_and_statistics_and_one_of_them_writes(workers):
    assert [worker["facts"]["first"] for worker in workers] == [True, False]
    assert [worker["facts"]["sum"] for worker in workers] == [[3.0, 1.0]] * 2
    assert [worker["facts"]["mean"] for worker in workers] == [0.5, 0.5]
    assert [worker["facts"]["batches"] for worker in workers] == [0, 1]
    assert SINGLE_PROCESS.sum([1.5]) == [1.5]


def test_two_workers_take_the_very_steps_of_one(workers):
    first, second = (worker["learnt"] for worker in workers)
    alone = learn(SINGLE_PROCESS)
    for name, value in alone.items():
        assert torch.equal(first[name], second[name]) or name == "accuracy", name
        if name != "accuracy":
            assert torch.allclose(value, first[name], rtol=1e-5, atol=1e-6), name
    # A head that nobody has a label for is passed over, weight decay and all.
    assert torch.equal(
        first["heads.season.weight"], build_learner(SINGLE_PROCESS).network.heads["season"].weight
    )
