"""Operations with hand-written gradients, faster on a CPU than PyTorch's own."""

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor


class _MaxOfPairs(torch.autograd.Function):
    """Max-pooling of two mels, several times as fast as PyTorch's on a CPU in bfloat16.

    The sign bit of the difference says which mel is larger. Spread over all bits, it masks the
    gradient as integers, since every operation on bfloat16 goes through float32 and back.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.mels = x.shape[3]
        ctx.integer = {2: torch.int16, 4: torch.int32, 8: torch.int64}[x.element_size()]
        even = x[:, :, :, : ctx.mels // 2 * 2].permute(0, 2, 3, 1)
        low, high = even.unflatten(2, (-1, 2)).unbind(3)
        high_is_larger = (low - high).view(ctx.integer)
        high_is_larger >>= 8 * x.element_size() - 1
        ctx.save_for_backward(high_is_larger)
        return torch.maximum(low, high).permute(0, 3, 1, 2)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (high_is_larger,) = ctx.saved_tensors
        gradient = gradients[0].permute(0, 2, 3, 1).view(ctx.integer)
        batch, frames, pairs, channels = gradient.shape
        both = gradient.new_empty(batch, frames, ctx.mels, channels)
        both[:, :, 2 * pairs :] = 0
        low, high = both[:, :, : 2 * pairs].unflatten(2, (pairs, 2)).unbind(3)
        torch.bitwise_and(gradient, high_is_larger, out=high)
        torch.bitwise_xor(gradient, high, out=low)
        return both.view(gradients[0].dtype).permute(0, 3, 1, 2)


max_of_pairs = cast(Callable[[Tensor], Tensor], _MaxOfPairs.apply)


class _Gather(torch.autograd.Function):
    """Select rows. A class of its own, as autograd's backward of index_select is slow on a CPU."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, index: Tensor) -> Tensor:
        ctx.save_for_backward(index)
        ctx.count = len(rows)
        return rows.index_select(0, index)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (index,) = ctx.saved_tensors
        return _spread(gradients[0], index, ctx.count), None


gather = cast(Callable[[Tensor, Tensor], Tensor], _Gather.apply)


class _Scatter(torch.autograd.Function):
    """Write rows among ``count`` rows of zeros; the reverse of :class:`_Gather`."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, index: Tensor, count: int) -> Tensor:
        ctx.save_for_backward(index)
        return _spread(rows, index, count)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (index,) = ctx.saved_tensors
        return gradients[0].contiguous().index_select(0, index), None, None


scatter = cast(Callable[[Tensor, Tensor, int], Tensor], _Scatter.apply)


def _spread(rows: Tensor, index: Tensor, count: int) -> Tensor:
    return rows.new_zeros(count, rows.shape[1]).index_copy_(0, index, rows)


class _Permute(torch.autograd.Function):
    """Reorder rows by a permutation that is its own inverse; see :class:`_Gather` for why."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, index: Tensor) -> Tensor:
        ctx.save_for_backward(index)
        return rows.index_select(0, index)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (index,) = ctx.saved_tensors
        return gradients[0].contiguous().index_select(0, index), None


permute = cast(Callable[[Tensor, Tensor], Tensor], _Permute.apply)
