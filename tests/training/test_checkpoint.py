import os
from pathlib import Path

import pytest
import torch

from emotone.errors import StorageError
from emotone.evaluation.results import Epoch
from emotone.training.checkpoint import load_checkpoint, save_checkpoint, saved_epochs
from emotone.training.history import History


def test_parts_and_history_are_loaded_as_saved(tmp_path: Path) -> None:
    parts = {
        "network": {"backbone.output.weight": torch.randn(3, 2).T, "count": torch.tensor(4)},
        "optimizer": {"0.exp_avg": torch.randn(5), "10.exp_avg": torch.randn(1)},
    }
    history = History([Epoch(0.1 + 0.2, 1.5, 1 / 3, 0.01, 2.5), Epoch(0.25, seconds=1 / 7)])
    path = tmp_path / "new" / "checkpoint.safetensors"
    save_checkpoint(path, parts, history)
    loaded, epochs = load_checkpoint(path)
    assert epochs == history
    assert [epoch.seconds for epoch in epochs.epochs] == [2.5, 1 / 7]
    assert {part: set(state) for part, state in loaded.items()} == {
        part: set(state) for part, state in parts.items()
    }
    for part, state in parts.items():
        for name, value in state.items():
            assert torch.equal(loaded[part][name], value)
            assert loaded[part][name].dtype == value.dtype


def test_the_epochs_alone_are_read_without_the_state(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    assert saved_epochs(path) == []
    history = History([Epoch(0.5, 1.5, 1 / 3, 0.01, 2.5), Epoch(0.25, seconds=1 / 7)])
    save_checkpoint(path, {"network": {"weight": torch.randn(3)}}, history)
    assert saved_epochs(path) == history.epochs


def test_a_folder_whose_name_is_no_text_is_read(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe")) / "checkpoint.safetensors"
    history = History([Epoch(0.5, 1.5, 1 / 3, 0.01, 2.5)])
    save_checkpoint(path, {"network": {"weight": torch.ones(3)}}, history)
    parts, epochs = load_checkpoint(path)
    assert parts["network"]["weight"].tolist() == [1, 1, 1]
    assert epochs == history
    assert saved_epochs(path) == history.epochs


@pytest.mark.parametrize("data", [b"", b"x" * 100, b"\xff" * 8 + b"{}", b"\2\0\0\0\0\0\0\0{}"])
def test_a_damaged_checkpoint_says_what_to_do(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "checkpoint.safetensors"
    path.write_bytes(data)
    for read in (load_checkpoint, saved_epochs):
        with pytest.raises(StorageError, match="is damaged; remove it, then the run begins again"):
            read(path)
