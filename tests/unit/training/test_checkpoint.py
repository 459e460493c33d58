import pytest
import torch

from hangtag.training.checkpoint import RunState, read_checkpoint, write_checkpoint

STATE = RunState("recipe", "data", epoch=1)
TENSORS = {"weight": torch.arange(6.0)}


@pytest.fixture
def path(tmp_path):
    write_checkpoint(tmp_path / "checkpoint.safetensors", STATE, TENSORS)
    return tmp_path / "checkpoint.safetensors"


def test_a_checkpoint_is_on_the_disk_before_it_takes_the_place_of_the_last(path, synced):
    write_checkpoint(path, RunState("recipe", "data", epoch=2), TENSORS)
    file, folder = synced
    assert file.startswith(".checkpoint.safetensors.")
    assert folder == path.parent.name
    assert read_checkpoint(path)[0].epoch == 2


def test_a_write_that_fails_leaves_the_last_checkpoint_and_no_other_file(path, monkeypatch):
    def fail(_number):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        write_checkpoint(path, RunState("recipe", "data", epoch=2), TENSORS)
    assert read_checkpoint(path)[0] == STATE
    assert list(path.parent.iterdir()) == [path]
