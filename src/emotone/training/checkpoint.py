"""The state of a training on disk, as safetensors."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from emotone.errors import StorageError
from emotone.evaluation.results import Epoch
from emotone.files import replacing
from emotone.training.history import History

MOST_HEADER = 100_000_000  # bytes, as safetensors itself accepts

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
    """Read the parts and the history that :func:`save_checkpoint` wrote.

    Raises:
        StorageError: if the file is damaged.
    """
    parts: dict[str, State] = {}
    try:
        for key, value in load(path.read_bytes()).items():
            part, _, name = key.partition(".")
            parts.setdefault(part, {})[name] = value
    except SafetensorError as error:
        raise _damaged(path) from error
    return parts, History(saved_epochs(path))


def saved_epochs(path: Path) -> list[Epoch]:
    """Read the finished epochs from a checkpoint; empty if there is none yet.

    Raises:
        StorageError: if the file is damaged.
    """
    try:  # not safe_open of safetensors, which refuses paths that are no Unicode
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(min(length, MOST_HEADER)))
        return [Epoch(**epoch) for epoch in json.loads(header["__metadata__"]["epochs"])]
    except FileNotFoundError:  # none yet, or the run has ended in the meantime
        return []
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(path) from error


def _damaged(path: Path) -> StorageError:
    return StorageError(f"{path} is damaged; remove it, then the run begins again")
