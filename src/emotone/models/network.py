"""The network: multi-kernel-width CNN, one BLSTM, a summary over time, fully connected head.

After Meyer, Xu & Fingscheidt, "Improving Convolutional Recurrent Neural Networks for Speech
Emotion Recognition", SLT 2021. Its abstract fixes this topology; sizes are choices of ours.
"""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal, cast

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from emotone.features import FeatureOptions, Features, frame_mask
from emotone.models.acrnn import ACRNN3D, Acrnn3dOptions
from emotone.options import Options

Summary = Literal["last", "mean", "max", "mean_std", "mean_std_max", "attention"]
Positive = Annotated[int, Field(ge=1)]
Width = Annotated[int, Field(ge=1, le=63)]

KERNEL_MELS = 3  # extent of every kernel along the mel axis


class ModelOptions(Options):
    """Sizes of the network.

    Attributes:
        kind: says that the network is this one.
        channels: output channels of each block, over all its kernel widths together.
        kernel_widths: widths along time, in frames of the block's input, that run in parallel in
            every block; odd numbers. One number is the single-width baseline.
        time_strides: step along time of each block's convolutions.
        mel_pools: max-pooling along the mel axis in each block; powers of two.
        lstm: units of each direction of the BLSTM.
        summary: how the BLSTM's output sequence becomes one vector.
        hidden: units of the fully connected layer before the output layer.
        dropout: probability at the input of each fully connected layer and of the BLSTM.
    """

    kind: Literal["crnn"] = "crnn"
    channels: tuple[Positive, ...] = (32, 48, 64, 64)
    kernel_widths: tuple[Width, ...] = (3,)
    time_strides: tuple[Positive, ...] = (2, 2, 1, 2)
    mel_pools: tuple[Positive, ...] = (2, 2, 2, 2)
    lstm: int = Field(64, ge=1)
    summary: Summary = "mean_std_max"
    hidden: int = Field(64, ge=1)
    dropout: float = Field(0.0, ge=0, lt=1)

    @model_validator(mode="after")
    def _blocks_agree(self) -> "ModelOptions":
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


class CRNN(nn.Module):
    """Features to one logit per emotion. Padding frames never change the answer.

    Args:
        options: sizes.
        channels: channels of the features.
        mels: bands of the features.
        classes: number of emotions.

    Shape:
        in: features ``(batch, channels, frames, mels)``, zero in padding; lengths ``(batch,)`` in
        frames.
        out: logits ``(batch, classes)``.

    Raises:
        ValueError: if pooling leaves no mel band.
    """

    def __init__(self, options: ModelOptions, *, channels: int, mels: int, classes: int) -> None:
        super().__init__()
        self.options = options
        blocks = []
        for width, stride, pool in zip(
            options.channels, options.time_strides, options.mel_pools, strict=True
        ):
            blocks.append(MultiKernelConv(channels, width, options.kernel_widths, stride, pool))
            channels, mels = width, mels // pool
        if mels == 0:
            raise ValueError("mel_pools: no mel band is left; pool less or use more mels")
        self.blocks = nn.ModuleList(blocks)
        self.dropout = nn.Dropout(options.dropout)
        self.lstm = BLSTM(channels * mels, options.lstm)
        self.summary = SUMMARIES[options.summary](2 * options.lstm)
        self.hidden = nn.Linear(self.summary.size, options.hidden)
        self.output = nn.Linear(options.hidden, classes)

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        """Compute logits; see the class for shapes."""
        x = features.contiguous(memory_format=torch.channels_last)
        for block in self.blocks:
            x, lengths = block(x, lengths)
        sequence = x.permute(0, 2, 1, 3).flatten(2)
        sequence = self.lstm(self.dropout(sequence), lengths)
        vector = self.dropout(self.summary(sequence, lengths))
        vector = self.dropout(functional.relu(self.hidden(vector)))
        return cast(Tensor, self.output(vector))


class MultiKernelConv(nn.Module):
    """Parallel convolutions of several widths along time, concatenated, normalised, pooled.

    The output channels are shared out evenly, so a block has the same size whatever the widths.

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
        x = self._pooled(x)  # before the norm, so that less is left to normalise
        lengths = (lengths + self.stride - 1) // self.stride
        return self.norm(x, frame_mask(lengths, x.shape[2])), lengths

    def _pooled(self, x: Tensor) -> Tensor:
        if not self.training:
            return functional.max_pool2d(x, (1, self.pool))
        for _ in range(self.pool.bit_length() - 1):
            x = _max_of_pairs(x)
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
        valid = _gather(rows, index).view(-1, channels)
        valid = functional.relu(self.batch_norm(valid), inplace=True)
        rows = _scatter(valid.view(len(index), -1), index, len(rows))
        return rows.view(batch, frames, mels, channels).permute(0, 3, 1, 2)


class _MaxOfPairs(torch.autograd.Function):
    """Max-pooling of two mels, several times as fast as PyTorch's on a CPU in bfloat16.

    Which mel is larger is told by the sign bit of their difference. Spread over all bits it masks
    the gradient as integers, since every operation on bfloat16 goes through float32 and back.
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


_max_of_pairs = cast(Callable[[Tensor], Tensor], _MaxOfPairs.apply)


class _Gather(torch.autograd.Function):
    """Choose rows. Its own class, because autograd's backward of index_select is slow on a CPU."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, index: Tensor) -> Tensor:
        ctx.save_for_backward(index)
        ctx.count = len(rows)
        return rows.index_select(0, index)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (index,) = ctx.saved_tensors
        return _spread(gradients[0], index, ctx.count), None


_gather = cast(Callable[[Tensor, Tensor], Tensor], _Gather.apply)


class _Scatter(torch.autograd.Function):
    """Put rows back among ``count`` rows of zeros; the reverse of :class:`_Gather`."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, index: Tensor, count: int) -> Tensor:
        ctx.save_for_backward(index)
        return _spread(rows, index, count)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (index,) = ctx.saved_tensors
        return gradients[0].contiguous().index_select(0, index), None, None


_scatter = cast(Callable[[Tensor, Tensor, int], Tensor], _Scatter.apply)


def _spread(rows: Tensor, index: Tensor, count: int) -> Tensor:
    return rows.new_zeros(count, rows.shape[1]).index_copy_(0, index, rows)


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
    return _permute(x.reshape(-1, size), index).view(batch, frames, size)


class _Permute(torch.autograd.Function):
    """Exchange rows by a permutation that is its own inverse; see :class:`_Gather` for why."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, index: Tensor) -> Tensor:
        ctx.save_for_backward(index)
        return rows.index_select(0, index)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (index,) = ctx.saved_tensors
        return gradients[0].contiguous().index_select(0, index), None


_permute = cast(Callable[[Tensor, Tensor], Tensor], _Permute.apply)


class _Summary(nn.Module):
    """Summary of the BLSTM's outputs: ``(batch, frames, inputs)`` to ``(batch, size)``."""

    size: int

    def __init__(self, inputs: int, copies: int = 1) -> None:
        super().__init__()
        self.size = copies * inputs


class Last(_Summary):
    """Last state of each direction: the end of the forward, the start of the backward one."""

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Summarise ``(batch, frames, inputs)``."""
        units = x.shape[2] // 2
        end = (lengths - 1)[:, None, None].expand(-1, 1, units)
        return torch.cat([x[:, :, :units].gather(1, end)[:, 0], x[:, 0, units:]], dim=1)


class Mean(_Summary):
    """Mean over time."""

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Summarise ``(batch, frames, inputs)``."""
        return _mean(x, lengths)


class Max(_Summary):
    """Maximum over time."""

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Summarise ``(batch, frames, inputs)``."""
        return _max(x, lengths)


class MeanStd(_Summary):
    """Mean and standard deviation over time."""

    def __init__(self, inputs: int) -> None:
        super().__init__(inputs, copies=2)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Summarise ``(batch, frames, inputs)``."""
        return torch.cat([_mean(x, lengths), _std(x, lengths)], dim=1)


class MeanStdMax(_Summary):
    """Mean, standard deviation and maximum over time."""

    def __init__(self, inputs: int) -> None:
        super().__init__(inputs, copies=3)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Summarise ``(batch, frames, inputs)``."""
        return torch.cat([_mean(x, lengths), _std(x, lengths), _max(x, lengths)], dim=1)


class Attention(_Summary):
    """Mean weighted by a learned score of each frame (Mirsamadi et al., ICASSP 2017, eq. 7)."""

    def __init__(self, inputs: int) -> None:
        super().__init__(inputs)
        self.score = nn.Linear(inputs, 1, bias=False)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Summarise ``(batch, frames, inputs)``."""
        outside = ~frame_mask(lengths, x.shape[1])
        scores = self.score(x)[:, :, 0].masked_fill(outside, -torch.inf)
        return cast(Tensor, (scores.softmax(dim=1)[:, :, None] * x).sum(dim=1))


SUMMARIES: dict[Summary, Callable[[int], _Summary]] = {
    "last": Last,
    "mean": Mean,
    "max": Max,
    "mean_std": MeanStd,
    "mean_std_max": MeanStdMax,
    "attention": Attention,
}


def _mean(x: Tensor, lengths: Tensor) -> Tensor:
    mask = frame_mask(lengths, x.shape[1])[:, :, None]
    return (x * mask).sum(dim=1) / lengths[:, None]


def _std(x: Tensor, lengths: Tensor) -> Tensor:
    mask = frame_mask(lengths, x.shape[1])[:, :, None]
    deviation = (x - _mean(x, lengths)[:, None]) * mask
    # the small number keeps the gradient finite where nothing varies
    return (deviation.square().sum(dim=1) / lengths[:, None] + 1e-6).sqrt()


def _max(x: Tensor, lengths: Tensor) -> Tensor:
    outside = ~frame_mask(lengths, x.shape[1])[:, :, None]
    return x.masked_fill(outside, -torch.inf).amax(dim=1)


class Network(nn.Module):
    """Front end and network together: all that turns speech into logits.

    Args:
        features: options of the front end.
        model: kind and sizes of the network.
        labels: the emotions in the order of the outputs.
    """

    def __init__(
        self,
        features: FeatureOptions,
        model: ModelOptions | Acrnn3dOptions,
        labels: Sequence[str],
    ) -> None:
        super().__init__()
        self.labels = list(labels)
        self.features = Features(features)
        sizes = {
            "channels": features.channels, "mels": features.mels, "classes": len(self.labels)
        }  # fmt: skip
        self.backbone = (
            CRNN(model, **sizes) if isinstance(model, ModelOptions) else ACRNN3D(model, **sizes)
        )
        self.register_load_state_dict_pre_hook(_rename_in_place)  # type: ignore[no-untyped-call]

    def forward(
        self, waveform: Tensor, lengths: Tensor, statistics: Tensor | None = None
    ) -> Tensor:
        """Classify speech.

        Shape:
            in: waveform ``(batch, samples)`` at 16 kHz, lengths ``(batch,)`` in samples, and for
            ``norm: speaker`` the statistics, see :meth:`emotone.features.Features.stack`.
            out: logits ``(batch, labels)``.
        """
        features, frames = self.features(waveform, lengths, statistics)
        return cast(Tensor, self.backbone(features, frames))


def current_names(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename weights that emotone 0.1 wrote, whose backbone was called ``crnn``."""
    return {
        f"backbone.{name.removeprefix('crnn.')}" if name.startswith("crnn.") else name: value
        for name, value in weights.items()
    }


def _rename_in_place(_network: nn.Module, weights: dict[str, Tensor], *_others: Any) -> None:
    renamed = current_names(weights)
    weights.clear()
    weights.update(renamed)


MEASURED_S = 10  # long enough that a frame more or less does not matter


def multiply_adds(network: Network) -> int:
    """Count the multiplications with weights per second of audio, front end left out."""
    counts = []

    def convolution(module: nn.Conv2d, _inputs: Any, output: Tensor) -> None:
        counts.append(output[0].numel() * module.weight[0].numel())

    def linear(module: nn.Linear, _inputs: Any, output: Tensor) -> None:
        counts.append(output[0].numel() * module.in_features)

    def lstm(module: nn.LSTM, inputs: tuple[Tensor, ...], _output: Any) -> None:
        weights = [weight for name, weight in module.named_parameters() if "weight" in name]
        counts.append(inputs[0].shape[1] * sum(weight.numel() for weight in weights))

    hooks: dict[type[nn.Module], Any] = {nn.Conv2d: convolution, nn.Linear: linear, nn.LSTM: lstm}
    handles = [
        module.register_forward_hook(hooks[type(module)])
        for module in network.backbone.modules()
        if type(module) in hooks
    ]
    options = network.features.options
    frames = round(MEASURED_S * 1000 / options.hop_ms)
    was_training = network.training
    network.eval()
    with torch.no_grad():
        weight = next(network.parameters())
        features = weight.new_zeros(1, options.channels, frames, options.mels)
        network.backbone(features, torch.tensor([frames], device=weight.device))
    network.train(was_training)
    for handle in handles:
        handle.remove()
    return round(sum(counts) / MEASURED_S)
