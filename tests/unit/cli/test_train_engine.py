import sys

import pytest

pytest.importorskip("torch", reason="the extra `train` is not installed")

from hangtag.cli.train_bundle import choose_engine
from hangtag.domain.errors import UsageError
from hangtag.training.loop import train


def test_this_process_trains_unless_told_otherwise():
    assert choose_engine("local", None, None) is train


@pytest.mark.parametrize(("address", "workers"), [("auto", None), (None, 2)])
def test_what_is_said_of_a_cluster_needs_one(address, workers):
    with pytest.raises(UsageError, match="--engine ray"):
        choose_engine("local", address, workers)


def test_without_ray_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "hangtag.training.on_ray", raising=False)
    with pytest.raises(UsageError, match=r"extra `ray`.*pip install 'hangtag\[train,ray\]'"):
        choose_engine("ray", "auto", None)
