"""The front end: waveform to normalised log-mel spectrograms with delta channels.

The frame length of 25 ms and hop of 10 ms are the field's habit. The mel scale is Slaney's
(M. Slaney, "Auditory Toolbox", 1998), as in librosa: linear below 1 kHz, logarithmic above. Deltas
are the regression over two frames to each side of the HTK Book (S. Young et al., 2006, eq. 5.16).
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from pydantic import Field, field_validator
from torch import Tensor, nn
from torch.nn import functional

from emotone.audio import SAMPLE_RATE
from emotone.options import Options

FFT_SIZE = 512
POWER_FLOOR = 1e-10  # of a mel band: about -100 dB below full scale
DELTA_REACH = 2  # frames to each side
SMALLEST_STD = 1e-3  # of a feature, so that nearly constant features are not amplified


class FeatureOptions(Options):
    """What the network sees.

    Attributes:
        hop_ms: step from frame to frame.
        window_ms: length of a frame; a Hann window.
        mels: number of mel bands up to 8 kHz.
        deltas: 0 for static log-mel, 1 to add deltas, 2 to add deltas of deltas.
        norm: where mean and standard deviation of each channel and band come from: the training
            set; the utterance itself; ``enrol``: a few other utterances of its speaker, if there
            are any, shrunk towards the training set; or ``speaker``: all utterances of its
            speaker. The last is transductive: it needs all of the speaker's test data in advance.
        enrol_prior: number of utterances that the training set counts as in ``norm: enrol``.
        dynamic_range_db: bands further below the utterance's peak are raised to this distance, so
            that the noise floor of a recording matters little; ``None`` to leave them.
        level: ``absolute`` leaves the level as it was recorded; ``rms`` brings the mean power of
            each utterance to one, so that gain does not matter.
    """

    hop_ms: float = Field(10.0, gt=0, le=100)
    window_ms: float = Field(25.0, gt=0, le=32)
    mels: int = Field(64, ge=8, le=128)
    deltas: int = Field(2, ge=0, le=2)
    norm: Literal["train", "utterance", "enrol", "speaker"] = "train"
    enrol_prior: float = Field(5.0, gt=0)
    dynamic_range_db: float | None = Field(70.0, gt=0)
    level: Literal["absolute", "rms"] = "absolute"

    @field_validator("hop_ms", "window_ms")
    @classmethod
    def _whole_samples(cls, value: float) -> float:
        if not math.isclose(value * SAMPLE_RATE / 1000, round(value * SAMPLE_RATE / 1000)):
            raise ValueError(f"must be a whole number of samples at 16 kHz, got {value:g} ms")
        return value

    @property
    def channels(self) -> int:
        """Channels of the features: static and deltas."""
        return 1 + self.deltas

    @property
    def hop(self) -> int:
        """Step from frame to frame in samples."""
        return round(self.hop_ms * SAMPLE_RATE / 1000)

    @property
    def window(self) -> int:
        """Length of a frame in samples."""
        return round(self.window_ms * SAMPLE_RATE / 1000)


class Features(nn.Module):
    """Waveforms to features.

    Frame ``t`` is centred at ``t`` hops, with zeros before the first and after the last sample, so
    ``samples`` give ``1 + samples // hop`` frames, even for a clip shorter than a frame.

    Shape:
        in: waveform ``(batch, samples)``, lengths ``(batch,)`` in samples.
        out: features ``(batch, channels, frames, mels)``, lengths ``(batch,)`` in frames. Padding
        frames are zero.
    """

    cosines: Tensor
    sines: Tensor
    filters: Tensor
    mean: Tensor
    std: Tensor

    def __init__(self, options: FeatureOptions) -> None:
        super().__init__()
        self.options = options
        cosines, sines = half_fourier(torch.hann_window(options.window, dtype=torch.float64))
        self.register_buffer("cosines", cosines, persistent=False)
        self.register_buffer("sines", sines, persistent=False)
        self.register_buffer("filters", mel_filters(options.mels), persistent=False)
        self.register_buffer("mean", torch.zeros(options.channels, options.mels))
        self.register_buffer("std", torch.ones(options.channels, options.mels))

    def forward(
        self, waveform: Tensor, lengths: Tensor, statistics: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Compute features; see the class for shapes and :meth:`stack` for ``statistics``."""
        log_mel, frames = self.log_mel(waveform, lengths)
        return self.stack(log_mel, frames, statistics), frames

    def log_mel(self, waveform: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return the natural logarithm of mel power and the number of frames of each clip.

        Shape:
            in: ``(batch, samples)``, ``(batch,)``; out: ``(batch, frames, mels)``, ``(batch,)``.
        """
        inside = torch.arange(waveform.shape[1], device=waveform.device) < lengths[:, None]
        power = self.power(waveform * inside)
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
        return log_mel, frames

    def power(self, waveform: Tensor) -> Tensor:
        """Power spectra, ``(batch, samples)`` to ``(batch, frames, FFT_SIZE // 2 + 1)``.

        The window is symmetric, so samples at equal distances from its centre share the cosine,
        and but for the sign the sine. As a matrix product over half a frame this takes a third of
        the time of ONNX Runtime's Fourier transform.
        """
        hop, window, half = self.options.hop, self.options.window, self.options.window // 2
        pieces = math.ceil(window / hop)  # that make up a frame
        count = 1 + waveform.shape[1] // hop
        padded = functional.pad(waveform, (half, pieces * hop))
        parts = padded[:, : (count + pieces - 1) * hop].unflatten(1, (-1, hop))
        cut = torch.cat([parts[:, first : first + count] for first in range(pieces)], dim=2)
        ahead, behind = cut[:, :, 1 : half + 1], cut[:, :, window - half : window].flip(2)
        real, imaginary = (ahead + behind) @ self.cosines, (ahead - behind) @ self.sines
        return real.square() + imaginary.square()

    def stack(self, log_mel: Tensor, frames: Tensor, statistics: Tensor | None = None) -> Tensor:
        """Add delta channels and normalise.

        Args:
            log_mel: shape ``(batch, frames, mels)``.
            frames: shape ``(batch,)``.
            statistics: for ``norm: speaker`` and ``norm: enrol``, mean and std of each utterance's
                speaker, see :meth:`Moments.statistics` and :meth:`enrolled`; shape
                ``(batch, 2, channels, mels)``. Without them ``enrol`` takes those of training.

        Returns:
            Features of shape ``(batch, channels, frames, mels)``, zero in padding frames.
        """
        channels = self.channels(log_mel, frames)
        valid = frame_mask(frames, log_mel.shape[1])[:, None, :, None]
        if self.options.norm == "train" or (self.options.norm == "enrol" and statistics is None):
            mean, std = self.mean[None, :, None], self.std[None, :, None]
        elif self.options.norm == "utterance":
            count = frames[:, None, None, None]
            mean = (channels * valid).sum(dim=2, keepdim=True) / count
            variance = ((channels - mean) * valid).square().sum(dim=2, keepdim=True) / count
            std = variance.sqrt().clamp_min(SMALLEST_STD)
        else:
            if statistics is None:
                raise ValueError("norm 'speaker' needs the statistics of each utterance's speaker")
            mean, std = statistics[:, 0, :, None], statistics[:, 1, :, None]
        return ((channels - mean) / std) * valid

    def channels(self, log_mel: Tensor, frames: Tensor) -> Tensor:
        """Static, delta and delta-delta channels before normalisation.

        Shape:
            in: ``(batch, frames, mels)``, ``(batch,)``; out: ``(batch, channels, frames, mels)``.
        """
        channels = [log_mel]
        for _ in range(self.options.deltas):
            channels.append(deltas(channels[-1], frames))
        return torch.stack(channels, dim=1)

    def fit(self, moments: "Moments") -> None:
        """Set the statistics of training from the moments of the training utterances."""
        mean, std = moments.statistics()
        self.mean.copy_(mean)
        self.std.copy_(std)

    def enrolled(self, moments: "Moments") -> Tensor:
        """Statistics of a speaker from a few utterances, shrunk towards those of training.

        Mean and variance are weighted means of the speaker's and of training's; the speaker's
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
        """Statistics between those of training, with weight 0, and a speaker's, with weight 1.

        Shape:
            in: ``(2, channels, mels)``, a scalar; out: ``(2, channels, mels)``.
        """
        mean = weight * speaker[0] + (1 - weight) * self.mean
        variance = weight * speaker[1].square() + (1 - weight) * self.std.square()
        return torch.stack([mean, variance.sqrt()])

    @torch.no_grad()
    def moments(self, log_mels: Iterable[Tensor]) -> "Moments":
        """Moments of each of some clips of shape ``(frames, mels)`` each."""
        frames, values = [], []
        for log_mel in log_mels:
            channels = self.channels(log_mel[None], torch.tensor([len(log_mel)]))[0].double()
            frames.append(len(log_mel))
            values.append(torch.stack([channels.mean(dim=1), channels.square().mean(dim=1)]))
        shape = (0, 2, self.options.channels, self.options.mels)
        stacked = torch.stack(values) if values else torch.zeros(shape, dtype=torch.float64)
        return Moments(torch.tensor(frames, dtype=torch.float64), stacked)


@dataclass(frozen=True)
class Moments:
    """Mean and mean square over time of some clips.

    Attributes:
        frames: of each clip, shape ``(clips,)``.
        values: mean and mean square, shape ``(clips, 2, channels, mels)``.
    """

    frames: Tensor
    values: Tensor

    def __getitem__(self, clips: Sequence[int]) -> "Moments":
        """Choose clips."""
        return Moments(self.frames[list(clips)], self.values[list(clips)])

    def statistics(self) -> Tensor:
        """Mean and standard deviation over all frames, shape ``(2, channels, mels)``."""
        shares = (self.frames / self.frames.sum())[:, None, None, None]
        mean, square = (shares * self.values).sum(dim=0)
        std = (square - mean.square()).clamp_min(0).sqrt().clamp_min(SMALLEST_STD)
        return torch.stack([mean, std]).float()


def frame_mask(lengths: Tensor, frames: int) -> Tensor:
    """Return ``(batch, frames)``: true where a frame belongs to its clip."""
    return torch.arange(frames, device=lengths.device) < lengths[:, None]


def deltas(values: Tensor, frames: Tensor) -> Tensor:
    """Slope over time by regression, the first and last frame of each clip repeated.

    Shape:
        in: ``(batch, frames, mels)``, ``(batch,)``; out: ``(batch, frames, mels)``.
    """
    last = values.gather(1, (frames - 1)[:, None, None].expand(-1, 1, values.shape[2]))
    valid = frame_mask(frames, values.shape[1])[:, :, None]
    first, reach = values[:, :1], DELTA_REACH
    padded = torch.cat(
        [first.expand(-1, reach, -1), torch.where(valid, values, last), last.expand(-1, reach, -1)],
        dim=1,
    )
    count = values.shape[1]

    def shifted(by: int) -> Tensor:
        return padded[:, reach + by : reach + by + count]

    steps = range(1, reach + 1)
    slope = sum((n * (shifted(n) - shifted(-n)) for n in steps), torch.zeros_like(values))
    return slope / (2 * sum(n * n for n in steps))


def half_fourier(window: Tensor) -> tuple[Tensor, Tensor]:
    """Windowed cosines and sines of a Fourier transform about the centre of a periodic window.

    Returns:
        Both of shape ``(len(window) // 2, FFT_SIZE // 2 + 1)``: a row for samples 1, 2, … of a
        frame, each of which stands for the sample as far behind the centre, too. Sample 0 has no
        weight.
    """
    half = len(window) // 2
    samples = torch.arange(1, half + 1, dtype=torch.float64)
    weights = window[1 : half + 1].clone()
    weights[2 * samples == len(window)] /= 2  # the centre stands for itself twice
    bins = torch.arange(FFT_SIZE // 2 + 1, dtype=torch.float64)
    angles = 2 * math.pi / FFT_SIZE * (samples - len(window) / 2)[:, None] * bins
    cosines, sines = weights[:, None] * angles.cos(), weights[:, None] * angles.sin()
    return cosines.float(), sines.float()


def mel_filters(mels: int) -> Tensor:
    """Triangles of equal area on Slaney's mel scale, shape ``(FFT_SIZE // 2 + 1, mels)``."""
    edges = hz_of_mel(_mel_points(mels))
    bins = torch.linspace(0, SAMPLE_RATE / 2, FFT_SIZE // 2 + 1).double()[:, None]
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    rising, falling = (bins - low) / (centre - low), (high - bins) / (high - centre)
    return (torch.minimum(rising, falling).clamp_min(0) * 2 / (high - low)).float()


def mel_centres(mels: int) -> Tensor:
    """Centres of the filters in mel, evenly spaced, shape ``(mels,)``."""
    return _mel_points(mels)[1:-1]


_HZ_PER_MEL = 200 / 3  # below the break
_BREAK_HZ, _BREAK_MEL = 1000.0, 15.0
_LOG_STEP = math.log(6.4) / 27  # above the break


def mel_of_hz(hz: Tensor) -> Tensor:
    """Convert Hz to Slaney's mel."""
    logarithmic = _BREAK_MEL + (hz.clamp_min(_BREAK_HZ) / _BREAK_HZ).log() / _LOG_STEP
    return torch.where(hz < _BREAK_HZ, hz / _HZ_PER_MEL, logarithmic)


def hz_of_mel(mel: Tensor) -> Tensor:
    """Convert Slaney's mel to Hz."""
    logarithmic = _BREAK_HZ * torch.exp(_LOG_STEP * (mel - _BREAK_MEL))
    return torch.where(mel < _BREAK_MEL, mel * _HZ_PER_MEL, logarithmic)


def _mel_points(mels: int) -> Tensor:
    highest = float(mel_of_hz(torch.tensor(SAMPLE_RATE / 2, dtype=torch.float64)))
    return torch.linspace(0, highest, mels + 2, dtype=torch.float64)
