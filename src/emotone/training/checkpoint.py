"""The state of a training on disk, as safetensors."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from emotone.evaluation.results import Epoch
from emotone.files import replacing
from emotone.training.history import History

State = dict[str, Tensor]


def save_checkpoint(path: Path, parts: Mapping[str, State], history: History) -> None:
    """Write the state of a training.

    Args:
        path: file to write, atomically.
        parts: tensors by name, for each part of the state; names of parts have no dot.
        history: epochs so far.

    Raises:
        StorageError: if the file cannot be written.
    """
    tensors = {
        f"{part}.{name}": value.contiguous()
        for part, state in parts.items()
        for name, value in state.items()
    }
    epochs = json.dumps([asdict(epoch) for epoch in history.epochs])
    with replacing(path) as temporary:
        temporary.write_bytes(save(tensors, metadata={"epochs": epochs}))


def load_checkpoint(path: Path) -> tuple[dict[str, State], History]:
    """Read the parts and the history that :func:`save_checkpoint` wrote."""
    parts: dict[str, State] = {}
    with safe_open(path, framework="pt") as file:
        history = History([Epoch(**epoch) for epoch in json.loads(file.metadata()["epochs"])])
        for key in file.keys():  # noqa: SIM118
            part, _, name = key.partition(".")
            parts.setdefault(part, {})[name] = file.get_tensor(key)
    return parts, history


def saved_epochs(path: Path) -> list[Epoch]:
    """Read the finished epochs from a checkpoint; empty if there is none yet."""
    try:
        with safe_open(path, framework="np") as file:
            return [Epoch(**epoch) for epoch in json.loads(file.metadata()["epochs"])]
    except FileNotFoundError:  # none yet, or the run has ended in the meantime
        return []
