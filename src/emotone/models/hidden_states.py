"""Hidden states of encoders, as masked PyTorch modules: padding never changes an answer.

The layers are those of transformers. What is around them is here, because in transformers some of
it depends on padding, and Whisper takes 30 s only:

- waveforms are normalised, if the encoder's preprocessing does so, over their valid samples;
- group normalisation after the first convolution has statistics of valid frames;
- padding is zero before each convolution over positions;
- Whisper reads pieces of 30 s, the last one padded with zeros as in its training, and the states
  of the padding are left out.

Sources: wav2vec 2.0 (Baevski et al., NeurIPS 2020), HuBERT (Hsu et al., TASLP 29, 2021), WavLM
(Chen et al., IEEE JSTSP 16 (6), 2022), data2vec (Baevski et al., ICML 2022), Whisper (Radford et
al., ICML 2023).
"""

import copy
import math
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrize

from emotone.features import frame_mask
from emotone.models.encoders import WHISPER_STRIDE, Encoder, load, mel_filters

VARIANCE_FLOOR = 1e-7  # in the normalisation of waveforms, as in transformers
MASKED = -1e9  # added to scores of attention


class HiddenStates(nn.Module):
    """Waveform to the states of the first layers of an encoder.

    Args:
        encoder: from :func:`emotone.models.encoders.find`.
        depth: number of transformer layers to run.
        with_weights: or build it on PyTorch's ``meta`` device, which takes no memory.

    Shape:
        in: waveform ``(batch, samples)`` at 16 kHz, lengths ``(batch,)`` in samples.
        out: ``(batch, depth + 1, frames, size)``, zero in padding, and lengths ``(batch,)`` in
        frames.
    """

    def __init__(self, encoder: Encoder, depth: int, *, with_weights: bool = True) -> None:
        super().__init__()
        model = load(encoder, with_weights=with_weights)
        self.input = (WhisperInput if encoder.is_whisper else ConvolutionalInput)(encoder, model)
        self.layers = Layers(encoder, model, 0, depth)
        self.eval()

    def forward(self, waveform: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the states; see the class for shapes."""
        inside = torch.arange(waveform.shape[1], device=waveform.device) < lengths[:, None]
        x, read, frames = self.input(waveform * inside, lengths)
        states = [x, *self.layers(x, read)]
        stacked = torch.stack(
            [self.input.joined(state, waveform.shape[0]) for state in states], dim=1
        )
        return stacked * frame_mask(frames, stacked.shape[2])[:, None, :, None], frames


class Layers(nn.Module):
    """Some consecutive transformer layers of an encoder.

    Args:
        encoder: the encoder.
        model: it, loaded.
        first: number of the first of these layers, from 0.
        stop: number after the last one.

    Shape:
        in: ``(batch, frames, size)``, lengths ``(batch,)``; ``None`` if no frame is padding.
        out: the state after each layer, of the same shape.
    """

    def __init__(self, encoder: Encoder, model: Any, first: int, stop: int) -> None:
        super().__init__()
        body = model if encoder.is_whisper else model.encoder
        self.layers = nn.ModuleList(body.layers[first:stop])
        self.is_relative = encoder.family == "wavlm"
        self.positions = (
            _RelativePositions(body.layers[0].attention) if self.is_relative and stop > first
            else None
        )  # fmt: skip
        normalises_last = encoder.is_whisper or encoder.config.get("do_stable_layer_norm", False)
        is_last = stop == encoder.layers and stop > first
        self.norm = body.layer_norm if normalises_last and is_last else None

    def forward(self, x: Tensor, lengths: Tensor | None) -> list[Tensor]:
        """Run the layers; see the class for shapes."""
        options: dict[str, Any] = {"attention_mask": None}
        if lengths is not None:
            valid = frame_mask(lengths, x.shape[1])
            outside = (~valid)[:, None, None].to(x.dtype)
            options["attention_mask"] = valid.long() if self.is_relative else outside * MASKED
        if self.positions is not None:
            options["position_bias"] = self.positions(x)
        states = []
        for layer in self.layers:
            result = layer(x, **options)
            x = result[0] if isinstance(result, tuple) else result
            states.append(x)
        if self.norm is not None:
            states[-1] = self.norm(states[-1])
        return states


class _RelativePositions(nn.Module):
    """Bias of WavLM's attention, which its first layer computes for all; it stays frozen."""

    def __init__(self, attention: Any) -> None:
        super().__init__()
        self.heads = attention.num_heads
        self.attention = copy.deepcopy(attention)
        for name, _ in [*self.attention.named_children()]:
            delattr(self.attention, name)
        del self.attention.gru_rel_pos_const
        self.attention.rel_attn_embed = _Table(attention.rel_attn_embed.weight)
        self.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(batch, frames, size)`` to ``(batch * heads, frames, frames)``."""
        batch, frames, _ = x.shape
        bias = self.attention.compute_bias(frames, frames)
        return cast(Tensor, bias[None].expand(batch, -1, -1, -1).flatten(0, 1))


class _Table(nn.Module):
    """An embedding, whose export PyTorch would name as our output is named."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight.detach().clone())

    def forward(self, numbers: Tensor) -> Tensor:
        """Look rows up: ``(…)`` to ``(…, size)``."""
        rows = self.weight.index_select(0, numbers.flatten())
        return rows.view(*numbers.shape, -1)


class ConvolutionalInput(nn.Module):
    """Waveform to the first state: convolutions, projection and convolution over positions."""

    def __init__(self, encoder: Encoder, model: Any) -> None:
        super().__init__()
        self.normalises = bool(encoder.preprocessing.get("do_normalize", False))
        self.convolutions = model.feature_extractor.conv_layers
        self.projection = model.feature_projection
        self.positions = model.encoder.pos_conv_embed
        for module in self.positions.modules():
            if parametrize.is_parametrized(module):
                parametrize.remove_parametrizations(module, "weight")
        is_late = encoder.config.get("do_stable_layer_norm", False)
        self.norm = None if is_late else model.encoder.layer_norm
        steps = zip(encoder.config["conv_kernel"], encoder.config["conv_stride"], strict=True)
        self.steps: list[tuple[int, int]] = [(int(kernel), int(step)) for kernel, step in steps]
        self.shortest = 1  # samples that give a frame
        for kernel, step in reversed(self.steps):
            self.shortest = (self.shortest - 1) * step + kernel

    def forward(self, waveform: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the state and its lengths, twice: no piece is longer than what is read."""
        x = self._normalised(waveform, lengths) if self.normalises else waveform
        x = functional.pad(x, (0, self.shortest))[:, None]
        frames = lengths.clamp_min(self.shortest)
        for layer, (kernel, step) in zip(self.convolutions, self.steps, strict=True):
            frames = (frames - kernel) // step + 1
            x = self._convolved(layer, x, frames)
        projected = self.projection(x.transpose(1, 2))
        x = projected[0] if isinstance(projected, tuple) else projected
        mask = frame_mask(frames, x.shape[1])[:, :, None]
        x = x * mask
        x = x + self._positions(x, mask)
        return x if self.norm is None else self.norm(x), frames, frames

    def joined(self, state: Tensor, batch: int) -> Tensor:  # noqa: ARG002
        """Return a state as it is: speech is read whole."""
        return state

    def _normalised(self, waveform: Tensor, lengths: Tensor) -> Tensor:
        """Normalise to zero mean and unit variance over valid samples."""
        inside = torch.arange(waveform.shape[1], device=waveform.device) < lengths[:, None]
        mean = waveform.sum(dim=1, keepdim=True) / lengths[:, None]
        centred = (waveform - mean) * inside
        variance = centred.square().sum(dim=1, keepdim=True) / lengths[:, None]
        return centred / (variance + VARIANCE_FLOOR).sqrt()

    def _convolved(self, layer: Any, x: Tensor, frames: Tensor) -> Tensor:
        """Apply a layer; group normalisation, one channel a group, sees valid frames only."""
        norm = getattr(layer, "layer_norm", None)
        if not isinstance(norm, nn.GroupNorm):
            return cast(Tensor, layer(x))
        x = layer.conv(x)
        mask, count = frame_mask(frames, x.shape[2])[:, None], frames[:, None, None]
        mean = (x * mask).sum(dim=2, keepdim=True) / count
        variance = ((x - mean) * mask).square().sum(dim=2, keepdim=True) / count
        scale = norm.weight[:, None] / (variance + norm.eps).sqrt()
        return cast(Tensor, layer.activation((x - mean) * scale + norm.bias[:, None]))

    def _positions(self, x: Tensor, mask: Tensor) -> Tensor:
        """Convolution over positions; padding is zero before each, as beyond the end."""
        positions, mask = self.positions, mask.transpose(1, 2)
        x = x.transpose(1, 2)
        if hasattr(positions, "layers"):  # data2vec has several
            for layer in positions.layers:
                x = layer(x * mask)
        else:
            norm = getattr(positions, "batch_norm", None)
            x = x if norm is None else norm(x) * mask
            x = positions.activation(positions.padding(positions.conv(x)))
        return x.transpose(1, 2)


class WhisperInput(nn.Module):
    """Waveform to the first state of pieces of 30 s: log-mel, two convolutions, positions.

    All pieces are read whole, padding included, as in Whisper's training.
    """

    waves: Tensor
    filters: Tensor

    def __init__(self, encoder: Encoder, model: Any) -> None:
        super().__init__()
        self.hop = encoder.hop // WHISPER_STRIDE
        self.window = int(encoder.preprocessing["n_fft"])
        self.frames = int(encoder.config["max_source_positions"])  # states of a piece
        self.piece = self.frames * encoder.hop  # samples
        self.first, self.second = model.conv1, model.conv2
        self.positions = model.embed_positions
        window = torch.hann_window(self.window, dtype=torch.float64)
        samples, bins = torch.arange(self.window), torch.arange(self.window // 2 + 1)
        angles = 2 * math.pi / self.window * torch.outer(bins, samples).double()
        waves = torch.cat([angles.cos(), angles.sin()]) * window
        self.register_buffer("waves", waves.float()[:, None], persistent=False)
        self.register_buffer("filters", mel_filters(encoder), persistent=False)

    def forward(self, waveform: Tensor, lengths: Tensor) -> tuple[Tensor, None, Tensor]:
        """Return states ``(batch * pieces, frames, size)``, no lengths, and valid frames."""
        samples = waveform.shape[1]
        pieces = (samples + self.piece - 1) // self.piece
        padded = functional.pad(waveform, (0, pieces * self.piece - samples))
        log_mel = self._log_mel(padded.reshape(-1, self.piece))
        x = functional.gelu(self.first(log_mel))
        x = functional.gelu(self.second(x)).transpose(1, 2) + self.positions.weight
        hop = self.hop * WHISPER_STRIDE
        return x, None, (lengths + hop - 1) // hop

    def joined(self, state: Tensor, batch: int) -> Tensor:
        """Join the pieces of each utterance."""
        return state.reshape(batch, -1, state.shape[2])

    def _log_mel(self, pieces: Tensor) -> Tensor:
        """Log-mel as Whisper's preprocessing has it, shape ``(pieces, mels, frames)``."""
        half = self.window // 2
        padded = functional.pad(pieces[:, None], (half, half), mode="reflect")
        real, imaginary = functional.conv1d(padded, self.waves, stride=self.hop).chunk(2, dim=1)
        power = (real.square() + imaginary.square())[:, :, :-1]
        mel = (self.filters.T @ power).clamp_min(1e-10).log() / math.log(10)
        floor = mel.amax(dim=(1, 2), keepdim=True) - 8.0
        return (torch.maximum(mel, floor) + 4.0) / 4.0
