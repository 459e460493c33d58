"""What is said where Ray is not, or is not wanted."""

import os
import sys
from types import ModuleType

import pytest

from hangtag.cli.main import main
from hangtag.domain.errors import UsageError
from hangtag.labelling.cluster.pool import ClusterSettings
from hangtag.labelling.cluster.with_ray import import_ray
from hangtag.pipelines.predict import TableOptions, label_on_ray


def test_without_the_extra_it_is_said_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match=r"needs the extra `ray`. Run `pip install 'hangtag\[ray\]'"):
        label_on_ray(ClusterSettings(), TableOptions(inputs=()), {})


def test_nobody_is_told_that_ray_is_used(monkeypatch):
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "")
    monkeypatch.delenv("RAY_USAGE_STATS_ENABLED")
    ray = ModuleType("ray")
    monkeypatch.setitem(sys.modules, "ray", ray)
    assert import_ray() is ray
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"


def test_options_of_ray_are_refused_by_another_engine(capsys):
    with pytest.raises(SystemExit) as leaving:
        main(["predict", "a.jpg", "--workers", "3"])
    assert leaving.value.code == 2
    assert "--workers: this option needs --engine ray" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", [{"workers": 0}, {"cpus": 0}, {"chunk": 0}, {"gpus": -1.0}])
def test_settings_that_mean_nothing_are_refused(wrong):
    with pytest.raises(UsageError):
        ClusterSettings(**wrong)
