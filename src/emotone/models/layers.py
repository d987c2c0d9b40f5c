"""Layers for padded batches: convolutions, normalisation and a BLSTM that ignore padding."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from emotone.features import frame_mask
from emotone.models.kernels import gather, max_of_pairs, permute, scatter

KERNEL_MELS = 3  # extent of every kernel along the mel axis


class MultiKernelConv(nn.Module):
    """Parallel convolutions of several widths along time, concatenated, normalised, pooled.

    The widths share the output channels evenly, so a block's size does not depend on the widths.

    Shape:
        in: ``(batch, in_channels, frames, mels)``, ``(batch,)``
        out: ``(batch, out_channels, ceil(frames / stride), mels // pool)``, ``(batch,)``
    """

    def __init__(
        self, in_channels: int, out_channels: int, widths: Sequence[int], stride: int, pool: int
    ) -> None:
        super().__init__()
        share, rest = divmod(out_channels, len(widths))
        self.convolutions = nn.ModuleList(
            nn.Conv2d(
                in_channels,
                share + (index < rest),
                (width, KERNEL_MELS),
                stride=(stride, 1),
                padding=(width // 2, KERNEL_MELS // 2),
                bias=False,
            )
            for index, width in enumerate(widths)
        )
        self.norm = MaskedNormReLU(out_channels)
        self.stride = stride
        self.pool = pool

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Apply the block; see the class for shapes."""
        convolved = [convolution(x) for convolution in self.convolutions]
        x = convolved[0] if len(convolved) == 1 else torch.cat(convolved, dim=1)
        x = self._pooled(x)  # pooling before the norm leaves less to normalise
        lengths = (lengths + self.stride - 1) // self.stride
        return self.norm(x, frame_mask(lengths, x.shape[2])), lengths

    def _pooled(self, x: Tensor) -> Tensor:
        if not self.training:
            return functional.max_pool2d(x, (1, self.pool))
        for _ in range(self.pool.bit_length() - 1):
            x = max_of_pairs(x)
        return x


class MaskedNormReLU(nn.Module):
    """Batch normalisation (Ioffe & Szegedy 2015) and ReLU of valid frames; padding becomes zero.

    In training, valid frames are gathered, so padding takes no part in the statistics.

    Shape:
        in: ``(batch, channels, frames, mels)``, mask ``(batch, frames)``; out: as in.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.batch_norm = nn.BatchNorm1d(channels)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Normalise; batch statistics in training, running ones in evaluation."""
        if not self.training:
            norm = self.batch_norm
            assert norm.running_mean is not None
            assert norm.running_var is not None
            scale = norm.weight * (norm.running_var + norm.eps).rsqrt()
            shift = norm.bias - norm.running_mean * scale
            x = x * scale[:, None, None] + shift[:, None, None]
            return functional.relu(x) * mask[:, None, :, None]
        batch, channels, frames, mels = x.shape
        rows = x.permute(0, 2, 3, 1).reshape(batch * frames, mels * channels)
        index = mask.flatten().nonzero()[:, 0]
        valid = gather(rows, index).view(-1, channels)
        valid = functional.relu(self.batch_norm(valid), inplace=True)
        rows = scatter(valid.view(len(index), -1), index, len(rows))
        return rows.view(batch, frames, mels, channels).permute(0, 3, 1, 2)


class BLSTM(nn.Module):
    """One bidirectional LSTM layer over padded sequences.

    The backward direction reads each sequence reversed within its own length, so padding comes
    last for both directions and neither sees it. This is faster than packing on a CPU.

    Shape:
        in: ``(batch, frames, inputs)``, ``(batch,)``; out: ``(batch, frames, 2 * units)``.
    """

    def __init__(self, inputs: int, units: int) -> None:
        super().__init__()
        self.forwards = nn.LSTM(inputs, units, batch_first=True)
        self.backwards = nn.LSTM(inputs, units, batch_first=True)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Run both directions; see the class for shapes."""
        ahead, _ = self.forwards(x)
        back, _ = self.backwards(_reversed(x, lengths))
        return torch.cat([ahead, _reversed(back, lengths)], dim=2)


def _reversed(x: Tensor, lengths: Tensor) -> Tensor:
    """Reverse each sequence within its length; padding stays where it is."""
    batch, frames, size = x.shape
    here = torch.arange(frames, device=x.device)[None]
    there = torch.where(here < lengths[:, None], lengths[:, None] - 1 - here, here)
    index = (there + frames * torch.arange(batch, device=x.device)[:, None]).flatten()
    return permute(x.reshape(-1, size), index).view(batch, frames, size)
