"""The 3-D ACRNN, a common baseline: CNN, BLSTM and attention on log-mel with deltas.

After Chen, He, Yang & Zhang, "3-D Convolutional Recurrent Neural Networks With Attention Model for
Speech Emotion Recognition", IEEE Signal Processing Letters 25 (10), 2018. The sizes are the
published ones. In the article waveforms have zero mean and unit variance (``features.level=rms``),
segments last 3 s, and an utterance's answer is the maximum over them
(``training.segment_answer=max``). The code that the authors released pools 2×4 and normalises with
statistics of the test batch, this one with those of the training set. Use
``training.batch_norm=population``: running statistics lag behind its weights.
"""

from typing import ClassVar, Literal, cast

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from emotone.models.kinds import MOST_LAYERS, Backbone, NetworkKind, Size

KERNEL = (5, 3)  # frames, mels
FIRST_POOL = (2, 2)  # frames, mels
LEAKY_SLOPE = 0.01


class Acrnn3dOptions(NetworkKind):
    """Sizes of the 3-D ACRNN; the defaults are the published ones.

    Attributes:
        kind: name of this kind of model.
        first_channels: maps of the first convolution, which is followed by max-pooling.
        channels: maps of each further convolution.
        convolutions: number of convolutions, the first included; five was best on EMO-DB.
        linear: units of the layer between convolutions and BLSTM, applied to each frame.
        lstm: units of each direction of the BLSTM.
        hidden: units of the fully connected layer after the attention.
    """

    masks_padding: ClassVar[bool] = False

    kind: Literal["acrnn-3d"] = "acrnn-3d"
    first_channels: Size = 128
    channels: Size = 256
    convolutions: int = Field(5, ge=1, le=MOST_LAYERS)
    linear: Size = 768
    lstm: Size = 128
    hidden: Size = 64

    @property
    def title(self) -> str:
        """Name for tables and model cards."""
        return "3-D ACRNN"

    def build(self, *, channels: int, mels: int, classes: int) -> "ACRNN3D":
        """Build the backbone; see :class:`ACRNN3D`."""
        return ACRNN3D(self, channels=channels, mels=mels, classes=classes)


class ACRNN3D(Backbone):
    """Features of segments of equal length to one logit per emotion; padding is not masked.

    Args:
        options: sizes.
        channels: channels of the features.
        mels: bands of the features.
        classes: number of emotions.

    Shape:
        in: features ``(batch, channels, frames, mels)``; lengths are ignored.
        out: logits ``(batch, classes)``.
    """

    def __init__(self, options: Acrnn3dOptions, *, channels: int, mels: int, classes: int) -> None:
        super().__init__()
        counts = [options.first_channels] + [options.channels] * (options.convolutions - 1)
        convolutions = []
        for count in counts:
            convolutions.append(nn.Conv2d(channels, count, KERNEL, padding="same"))
            channels = count
        self.convolutions = nn.ModuleList(convolutions)
        self.linear = nn.Linear(channels * (mels // FIRST_POOL[1]), options.linear)
        self.linear_norm = nn.BatchNorm1d(options.linear)
        self.lstm = nn.LSTM(options.linear, options.lstm, batch_first=True, bidirectional=True)
        self.attention = nn.Linear(2 * options.lstm, 1)
        self.hidden = nn.Linear(2 * options.lstm, options.hidden)
        self.hidden_norm = nn.BatchNorm1d(options.hidden)
        self.output = nn.Linear(options.hidden, classes)

    def embed(self, features: Tensor, lengths: Tensor) -> Tensor:  # noqa: ARG002
        """Weight the BLSTM's outputs by attention, shape ``(batch, 2 * lstm)``."""
        x = features.contiguous(memory_format=torch.channels_last)
        for number, convolution in enumerate(self.convolutions):
            x = functional.leaky_relu(convolution(x), LEAKY_SLOPE)
            if number == 0:
                x = functional.max_pool2d(x, FIRST_POOL)
        x = self.linear(x.permute(0, 2, 1, 3).flatten(2))
        x = self.linear_norm(x.transpose(1, 2)).transpose(1, 2)
        x, _ = self.lstm(functional.leaky_relu(x, LEAKY_SLOPE))
        return cast(Tensor, (self.attention(x).softmax(dim=1) * x).sum(dim=1))

    def classify(self, embedding: Tensor) -> Tensor:
        """Compute logits with the fully connected layers."""
        hidden = self.hidden_norm(self.hidden(embedding))
        return cast(Tensor, self.output(functional.leaky_relu(hidden, LEAKY_SLOPE)))
