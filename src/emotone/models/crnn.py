"""The CRNN: multi-kernel-width CNN, one BLSTM, a summary over time, fully connected head.

After Meyer, Xu & Fingscheidt, "Improving Convolutional Recurrent Neural Networks for Speech
Emotion Recognition", SLT 2021. Its abstract fixes this topology; the sizes are our choice.
"""

import math
from typing import Annotated, Literal, cast

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from emotone.features import FeatureOptions
from emotone.models.kinds import MOST_LAYERS, Backbone, NetworkKind, Size
from emotone.models.layers import BLSTM, MultiKernelConv
from emotone.models.summaries import SUMMARIES, Summary

Width = Annotated[int, Field(ge=1, le=63)]


class CrnnOptions(NetworkKind):
    """Sizes of the CRNN.

    Attributes:
        kind: name of this kind of model.
        channels: output channels of each block, over all its kernel widths together.
        kernel_widths: widths along time, in frames of the block's input, that run in parallel in
            every block; odd numbers. One number is the single-width baseline.
        time_strides: step along time of each block's convolutions.
        mel_pools: max-pooling along the mel axis in each block; powers of two.
        lstm: units of each direction of the BLSTM.
        summary: how the BLSTM's output sequence becomes one vector: ``last``, ``mean``, ``max``,
            ``mean_std``, ``mean_std_max`` or ``attention``.
        hidden: units of the fully connected layer before the output layer.
        dropout: probability at the input of each fully connected layer and of the BLSTM.
    """

    kind: Literal["crnn"] = "crnn"
    channels: tuple[Size, ...] = Field((32, 48, 64, 64), max_length=MOST_LAYERS)
    kernel_widths: tuple[Width, ...] = (3,)
    time_strides: tuple[Size, ...] = (2, 2, 1, 2)
    mel_pools: tuple[Size, ...] = (2, 2, 2, 2)
    lstm: Size = 64
    summary: Summary = "mean_std_max"
    hidden: Size = 64
    dropout: float = Field(0.0, ge=0, lt=1)

    @model_validator(mode="after")
    def _blocks_agree(self) -> "CrnnOptions":
        if not self.channels:
            raise ValueError("channels: at least one block is needed")
        if not len(self.channels) == len(self.time_strides) == len(self.mel_pools):
            raise ValueError(
                "channels, time_strides and mel_pools need one number per block each, got "
                f"{len(self.channels)}, {len(self.time_strides)} and {len(self.mel_pools)}"
            )
        odd = [pool for pool in self.mel_pools if pool.bit_count() != 1]
        if odd:
            raise ValueError(f"mel_pools must be powers of two, got {odd}")
        even = [width for width in self.kernel_widths if width % 2 == 0]
        if even or not self.kernel_widths:
            raise ValueError(f"kernel_widths must be odd and at least one, got {even or 'none'}")
        if len(set(self.kernel_widths)) < len(self.kernel_widths):
            raise ValueError(f"kernel_widths must differ, got {list(self.kernel_widths)}")
        if min(self.channels) < len(self.kernel_widths):
            raise ValueError(
                f"channels: a block of {min(self.channels)} cannot be shared by "
                f"{len(self.kernel_widths)} kernel widths"
            )
        return self

    @property
    def title(self) -> str:
        """Name for tables and model cards."""
        return "CRNN"

    def build(self, *, channels: int, mels: int, classes: int) -> "CRNN":
        """Build the backbone; see :class:`CRNN`."""
        return CRNN(self, channels=channels, mels=mels, classes=classes)

    def check(self, features: FeatureOptions) -> None:
        """Raise a :class:`ValueError` if pooling leaves no mel band."""
        pooled = math.prod(self.mel_pools)
        if pooled > features.mels:
            raise ValueError(
                f"model.mel_pools leave no mel band: {features.mels} bands, pooled {pooled} "
                "times; pool less or use more features.mels"
            )


class CRNN(Backbone):
    """Features to one logit per emotion. Padding frames never change the logits.

    Args:
        options: sizes.
        channels: channels of the features.
        mels: bands of the features.
        classes: number of emotions.

    Shape:
        in: features ``(batch, channels, frames, mels)``, zero in padding; lengths ``(batch,)`` in
        frames.
        out: logits ``(batch, classes)``.
    """

    def __init__(self, options: CrnnOptions, *, channels: int, mels: int, classes: int) -> None:
        super().__init__()
        self.options = options
        blocks = []
        for width, stride, pool in zip(
            options.channels, options.time_strides, options.mel_pools, strict=True
        ):
            blocks.append(MultiKernelConv(channels, width, options.kernel_widths, stride, pool))
            channels, mels = width, mels // pool
        self.blocks = nn.ModuleList(blocks)
        self.dropout = nn.Dropout(options.dropout)
        self.lstm = BLSTM(channels * mels, options.lstm)
        self.summary = SUMMARIES[options.summary](2 * options.lstm)
        self.hidden = nn.Linear(self.summary.size, options.hidden)
        self.output = nn.Linear(options.hidden, classes)

    @property
    def convolutional(self) -> nn.Module:
        """The blocks, normalisation included."""
        return self.blocks

    def embed(self, features: Tensor, lengths: Tensor) -> Tensor:
        """Summarise the BLSTM's outputs, shape ``(batch, summary.size)``."""
        x = features.contiguous(memory_format=torch.channels_last)
        for block in self.blocks:
            x, lengths = block(x, lengths)
        sequence = x.permute(0, 2, 1, 3).flatten(2)
        sequence = self.lstm(self.dropout(sequence), lengths)
        return cast(Tensor, self.summary(sequence, lengths))

    def classify(self, embedding: Tensor) -> Tensor:
        """Compute logits with the fully connected layers."""
        hidden = self.dropout(functional.relu(self.hidden(self.dropout(embedding))))
        return cast(Tensor, self.output(hidden))
