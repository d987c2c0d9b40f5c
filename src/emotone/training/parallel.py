"""Data-parallel training of one network: processes that each take their share of every batch.

``torchrun`` starts the processes, lightning-fabric connects them and averages their gradients. The
first one leads: it reads the corpus, writes the results and tells the others what to train.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar, cast

import torch
from torch import Tensor, distributed, nn

from emotone.errors import EmotoneError

if TYPE_CHECKING:
    from lightning_fabric import Fabric

PATIENCE = timedelta(days=1)  # torchrun ends all processes if one dies; until then, wait

Item = TypeVar("Item")


@contextmanager
def joined(device: str) -> Iterator[bool]:
    """Connect the processes that torchrun started; without torchrun this one is alone and first.

    Args:
        device: an accelerator name of lightning-fabric: ``cpu``, ``cuda``, ``auto``.

    Yields:
        Whether this process is the first. The others should call :func:`told` until it returns
        ``None``, which the end of the first one's context sends them.
    """
    size = int(os.environ["WORLD_SIZE"]) if distributed.is_torchelastic_launched() else 1
    if size == 1:
        yield True
        return
    fabric(device, size=size)
    try:
        yield is_first()
    except EmotoneError:
        _end()
        raise
    else:
        _end()
    finally:
        distributed.destroy_process_group()


def fabric(device: str, precision: Any = "32-true", size: int | None = None) -> "Fabric":
    """Lightning-fabric for the processes that are joined, or for this one alone."""
    from lightning_fabric import Fabric  # slow to load, and who only leads needs none
    from lightning_fabric.strategies.ddp import DDPStrategy

    size = processes() if size is None else size
    if size == 1:
        return Fabric(accelerator=device, devices=1, precision=precision)
    local = int(os.environ["LOCAL_WORLD_SIZE"])
    joining = Fabric(
        accelerator=device,
        devices=local,
        num_nodes=size // local,
        strategy=DDPStrategy(timeout=PATIENCE),
        precision=precision,
    )
    joining.launch()
    return joining


def processes() -> int:
    """Number of processes that are joined; 1 if there is this one only."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def rank() -> int:
    """Number of this process among those that are joined, from 0."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def is_first() -> bool:
    """Whether this process leads, as one that is alone does."""
    return rank() == 0


def told(value: Item) -> Item:
    """Return the first process's value in all of them."""
    if processes() == 1:
        return value
    values: list[Any] = [value]
    distributed.broadcast_object_list(values)
    return cast(Item, values[0])


def total(value: Tensor) -> Tensor:
    """Sum over processes; gradients flow through it."""
    return value if processes() == 1 else _summed(value)


def share(batch: Sequence[Item]) -> slice:
    """Which part of a batch is this process's, of the same size in all but for one.

    A batch of fewer examples than processes is everybody's, which leaves means as they are.
    """
    size = processes()
    if len(batch) < size:
        return slice(0, len(batch))
    return slice(rank() * len(batch) // size, (rank() + 1) * len(batch) // size)


def normalised_together(module: nn.Module) -> nn.Module:
    """Have the batch normalisation of a network take in all processes; a module as it was if alone.

    Names of weights stay, so a checkpoint fits any number of processes.
    """
    if processes() > 1:
        for part in module.modules():
            if type(part) is nn.BatchNorm1d:
                part.__class__ = SyncedBatchNorm
    return module


class SyncedBatchNorm(nn.BatchNorm1d):
    """Batch normalisation over the examples of all processes; PyTorch's own needs a GPU.

    Shape:
        in and out: ``(examples, channels)`` or ``(examples, channels, frames)``; the numbers of
        examples and frames may differ between processes.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Normalise; statistics of all processes in training, running ones in evaluation."""
        if not self.training:
            return super().forward(x)
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        values = x.float().transpose(1, -1)
        dims = tuple(range(values.ndim - 1))
        count = total(values.new_tensor(values.numel() / values.shape[-1]))
        mean = total(values.sum(dims)) / count
        centred = values - mean
        variance = total(centred.square().sum(dims)) / count
        with torch.no_grad():
            self.num_batches_tracked.add_(1)
            self.running_mean.lerp_(mean.detach(), self.momentum)
            self.running_var.lerp_((variance * count / (count - 1)).detach(), self.momentum)
        scaled = centred * (variance + self.eps).rsqrt() * self.weight + self.bias
        return scaled.transpose(1, -1).to(x.dtype)


class _Total(torch.autograd.Function):
    """Sum over processes, whose gradient is the sum of theirs."""

    @staticmethod
    def forward(_ctx: Any, value: Tensor) -> Tensor:
        summed = value.clone()
        distributed.all_reduce(summed)
        return summed

    @staticmethod
    def backward(_ctx: Any, *gradients: Tensor) -> Tensor:
        summed = gradients[0].clone()
        distributed.all_reduce(summed)
        return summed


_summed = cast(Callable[[Tensor], Tensor], _Total.apply)


def _end() -> None:
    if is_first():
        told(None)
