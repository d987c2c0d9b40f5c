"""The front end as a PyTorch module, so that it can be exported with the network."""

import math
from collections.abc import Iterable
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from emotone.features.frames import deltas, frame_mask
from emotone.features.mel import mel_filters
from emotone.features.normalization import Moments, utterance_statistics
from emotone.features.options import FeatureOptions
from emotone.features.pitch import PitchSalience
from emotone.features.spectrum import half_fourier, power_spectra

POWER_FLOOR = 1e-10  # of a mel band: about -100 dB below full scale
USUAL_STDS, UNUSUAL_STDS = 2.0, 2.5  # from the mean voicing of training
LEAST_USUAL = 0.1
LEAST_STD = 0.01  # of voicing, so that a few clips alike do not make all others unusual
SHAPING = {"hop_ms", "window_ms", "mels", "low_hz", "frames", "dynamic_range_db", "level", "pitch"}


class Features(nn.Module):
    """Waveforms to features.

    Frame ``t`` is centred at ``t`` hops, with zeros before the first and after the last sample, so
    ``samples`` give ``1 + samples // hop`` frames, even for a clip shorter than a frame.

    Shape:
        in: waveform ``(batch, samples)``, lengths ``(batch,)`` in samples.
        out: features ``(batch, channels, frames, mels)``, lengths ``(batch,)`` in frames. Padding
        frames are zero.

    Attributes:
        kept_as: type of the numbers of :meth:`log_mel` in a cache.
        uses_all_cores: whether one call of :meth:`log_mel` uses them, so that calls are not made at
            once.
        device: where :meth:`log_mel` computes if it is slow.
    """

    device: torch.device = torch.device("cpu")
    kept_as: ClassVar[type[np.floating]] = np.float32
    uses_all_cores: ClassVar[bool] = False

    cosines: Tensor
    sines: Tensor
    filters: Tensor
    mean: Tensor
    std: Tensor
    voicings: Tensor

    def __init__(self, options: FeatureOptions) -> None:
        super().__init__()
        self.options = options
        self._prepare(options)

    def _prepare(self, options: FeatureOptions) -> None:
        cosines, sines = half_fourier(torch.hann_window(options.window, dtype=torch.float64))
        self.register_buffer("cosines", cosines, persistent=False)
        self.register_buffer("sines", sines, persistent=False)
        self.register_buffer("filters", mel_filters(options.mels, options.low_hz), persistent=False)
        self.pitch = PitchSalience(options.mels, options.hop) if options.pitch else None
        self.register_buffer("mean", torch.zeros(options.channels, options.mels))
        self.register_buffer("std", torch.ones(options.channels, options.mels))
        if options.pitch:  # mean and standard deviation over clips; at first all are usual
            self.register_buffer("voicings", torch.tensor([0.0, 1.0]))

    @property
    def shape(self) -> tuple[int, int]:
        """Channels of the features and bands of each."""
        return self.options.channels, self.options.mels

    @property
    def width(self) -> int:
        """Numbers of a frame of :meth:`log_mel`."""
        return self.options.mels * (1 + self.options.pitch)

    @property
    def hop_s(self) -> float:
        """Step from frame to frame in seconds."""
        return self.options.hop_ms / 1000

    @property
    def size(self) -> int:
        """Number of weights that :meth:`log_mel` computes with and that were trained."""
        return 0

    @property
    def key(self) -> str:
        """What :meth:`log_mel` depends on, to name caches by."""
        return self.options.model_dump_json(include=SHAPING)

    def complete(self) -> None:
        """Make everything a part of the module that :meth:`log_mel` needs, before an export."""

    def forward(
        self, waveform: Tensor, lengths: Tensor, statistics: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Compute features; see the class for shapes and :meth:`stack` for ``statistics``."""
        log_mel, frames = self.log_mel(waveform, lengths)
        return self.stack(log_mel, frames, statistics), frames

    def log_mel(self, waveform: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return the natural logarithm of mel power and the number of frames of each clip.

        With ``pitch`` the salience of as many lags follows the mel bands of each frame.

        Shape:
            in: ``(batch, samples)``, ``(batch,)``; out: ``(batch, frames, width)``, ``(batch,)``.
        """
        inside = torch.arange(waveform.shape[1], device=waveform.device) < lengths[:, None]
        waveform = waveform * inside
        power = self.power(waveform)
        log_mel = (power @ self.filters).clamp_min(POWER_FLOOR).log()
        frames, count = 1 + lengths // self.options.hop, log_mel.shape[1]
        valid = frame_mask(frames, count)[:, :, None]
        if self.options.dynamic_range_db is not None:
            peak = log_mel.masked_fill(~valid, -torch.inf).amax(dim=(1, 2), keepdim=True)
            floor = peak - self.options.dynamic_range_db * math.log(10) / 10
            log_mel = torch.maximum(log_mel, floor)
        if self.options.level == "rms":
            power = (log_mel.exp() * valid).sum(dim=(1, 2), keepdim=True)
            log_mel = log_mel - (power / (frames * log_mel.shape[2])[:, None, None]).log()
        if self.pitch is not None:
            log_mel = torch.cat([log_mel, self.pitch(waveform, lengths)], dim=2)
        return log_mel, frames

    def power(self, waveform: Tensor) -> Tensor:
        """Power spectra, ``(batch, samples)`` to ``(batch, frames, FFT_SIZE // 2 + 1)``."""
        hop, window = self.options.hop, self.options.window
        return power_spectra(waveform, self.cosines, self.sines, hop=hop, window=window)

    def stack(self, log_mel: Tensor, frames: Tensor, statistics: Tensor | None = None) -> Tensor:
        """Add delta channels and normalise.

        Args:
            log_mel: shape ``(batch, frames, width)``.
            frames: shape ``(batch,)``.
            statistics: for ``norm: speaker`` and ``norm: enrol``, mean and std of each utterance's
                speaker, see :meth:`Moments.statistics` and :meth:`enrolled`; shape
                ``(batch, 2, channels, mels)``. Without them ``enrol`` uses the training set's.

        Returns:
            Features of shape ``(batch, channels, frames, mels)``, zero in padding frames.
        """
        channels = self.channels(log_mel, frames)
        valid = frame_mask(frames, log_mel.shape[1])[:, None, :, None]
        if self.options.norm == "train" or (self.options.norm == "enrol" and statistics is None):
            mean, std = self.mean[None, :, None], self.std[None, :, None]
        elif self.options.norm == "utterance":
            mean, std = utterance_statistics(channels, valid, frames)
        else:
            if statistics is None:
                raise ValueError("norm 'speaker' needs the statistics of each utterance's speaker")
            mean, std = statistics[:, 0, :, None], statistics[:, 1, :, None]
        return ((channels - mean) / std) * valid

    def channels(self, log_mel: Tensor, frames: Tensor) -> Tensor:
        """Static, delta, delta-delta and salience channels before normalisation.

        Shape:
            in: ``(batch, frames, width)``, ``(batch,)``; out: ``(batch, channels, frames, mels)``.
        """
        log_mel, *salience = log_mel.split(self.options.mels, dim=2)
        channels = [log_mel]
        for _ in range(self.options.deltas):
            channels.append(deltas(channels[-1], frames))
        channels += salience
        return torch.stack(channels, dim=1)

    def voicing(self, log_mel: Tensor, frames: Tensor) -> Tensor:
        """Mean over time of the highest pitch salience.

        It is low for whispering and for voices that noise or a room hides, and high for singing.

        Shape:
            in: ``(batch, frames, width)``, ``(batch,)``; out: ``(batch,)``, from -1 to 1.
        """
        highest = log_mel[:, :, self.options.mels :].amax(dim=2)
        return (highest * frame_mask(frames, log_mel.shape[1])).sum(dim=1) / frames

    def usual(self, log_mel: Tensor, frames: Tensor) -> Tensor | None:
        """How usual the voicing of clips is beside that of training, to weight their logits by.

        Args:
            log_mel: shape ``(batch, frames, width)``.
            frames: shape ``(batch,)``.

        Returns:
            Shape ``(batch,)``: 1 within two standard deviations of the mean, 0.1 beyond two and a
            half, and linear between. ``None`` without ``pitch``.
        """
        if not self.options.pitch:
            return None
        mean, std = self.voicings[0], self.voicings[1]
        distance = (self.voicing(log_mel, frames) - mean).abs() / std
        weight: Tensor = (UNUSUAL_STDS - distance) / (UNUSUAL_STDS - USUAL_STDS)
        return weight.clamp(LEAST_USUAL, 1.0)

    def fit_voicing(self, log_mels: Iterable[Tensor]) -> None:
        """Set what voicing is usual from clips of training, each of shape ``(frames, width)``."""
        found = [self.voicing(one[None], torch.tensor([len(one)]))[0] for one in log_mels]
        std, mean = torch.std_mean(torch.stack(found), correction=0)
        self.voicings.copy_(torch.stack([mean, std.clamp_min(LEAST_STD)]))

    def fit(self, moments: Moments) -> None:
        """Set the statistics of the training set from the moments of its utterances."""
        mean, std = moments.statistics()
        self.mean.copy_(mean)
        self.std.copy_(std)

    def enrolled(self, moments: Moments) -> Tensor:
        """Statistics of a speaker from a few utterances, shrunk towards the training set's.

        Mean and variance are weighted means of the speaker's and the training set's; the speaker's
        weight is ``k / (k + enrol_prior)`` for ``k`` utterances.

        Returns:
            Shape ``(2, channels, mels)``.
        """
        count = len(moments.frames)
        training = torch.stack([self.mean, self.std])
        if count == 0:
            return training
        weight = torch.tensor(count / (count + self.options.enrol_prior))
        return self.blended(moments.statistics().to(training), weight)

    def blended(self, speaker: Tensor, weight: Tensor) -> Tensor:
        """Statistics between the training set's, with weight 0, and a speaker's, with weight 1.

        Shape:
            in: ``(2, channels, mels)``, a scalar; out: ``(2, channels, mels)``.
        """
        mean = weight * speaker[0] + (1 - weight) * self.mean
        variance = weight * speaker[1].square() + (1 - weight) * self.std.square()
        return torch.stack([mean, variance.sqrt()])

    def moments(self, log_mels: Iterable[Tensor]) -> Moments:
        """Moments of clips, each of shape ``(frames, width)``."""
        frames, values = [], []
        for log_mel in log_mels:
            channels = self.channels(log_mel[None], torch.tensor([len(log_mel)]))[0].double()
            frames.append(len(log_mel))
            values.append(torch.stack([channels.mean(dim=1), channels.square().mean(dim=1)]))
        shape = (0, 2, self.options.channels, self.options.mels)
        stacked = torch.stack(values) if values else torch.zeros(shape, dtype=torch.float64)
        return Moments(torch.tensor(frames, dtype=torch.float64), stacked)
