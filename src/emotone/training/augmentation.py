"""Augmentation of log-mel spectrograms in batches, seeded per utterance and epoch.

All augmentations work on log-mel spectrograms, which are computed once and cached. A change of
speed or vocal tract length moves frequencies, which is an interpolation along the mel axis; level
and equalisation are additions; noise adds power. The same seed, epoch and utterance give the same
change in any batch, so a resumed run equals an uninterrupted one.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from emotone.features import (
    POWER_FLOOR,
    FeatureOptions,
    frame_mask,
    hz_of_mel,
    mel_centres,
    mel_of_hz,
)
from emotone.features.normalization import utterance_statistics
from emotone.features.pitch import PITCH_HZ
from emotone.options import Options

ENVELOPE_COSINES = 12  # of the mel axis; finer structure is harmonics
EQUALISER_CURVES = 5  # cosines over the mel axis, the first of half a period
TIME_MASK_FRAMES = 0.3  # longest mask as a share of the utterance
MEL_MASK_BANDS = 0.2  # widest mask as a share of the bands
BAND_LOW_HZ, BAND_HIGH_HZ = (50.0, 400.0), (3000.0, 8000.0)  # ranges of the edges of bands
BAND_DB_PER_OCTAVE = (24.0, 200.0)
NATS_PER_DB = math.log(10) / 10


class AugmentOptions(Options):
    """Strength of each augmentation; zero switches it off.

    Attributes:
        speed: largest relative change of speed, as by playing faster: tempo and pitch together
            (Ko et al., Interspeech 2015).
        tempo: largest relative change of tempo alone.
        pitch: largest relative change of pitch alone: the fine structure of the spectrum and the
            pitch salience move, the envelope stays.
        warp: largest relative shift of all frequencies, vocal tract length perturbation
            (Jaitly & Hinton, ICML workshop 2013).
        level_db: standard deviation of the level.
        equaliser_db: standard deviation of a random smooth frequency response.
        noise: probability of stationary noise of random colour, 10 to 40 dB below the speech.
        babble: probability of other utterances of the batch in the background, 0 to 30 dB below;
            the pitch salience stays: with babble in it, too, emotone-base was no better on unknown
            corpora.
        band: probability of limiting the speech to a random band, as telephones and codecs do.
        time_mask: probability of masking a stretch of time (SpecAugment, Park et al., 2019).
        mel_mask: probability of masking a range of mel bands (SpecAugment).
        mixstyle: probability of mixing mean and standard deviation of each band with those of
            another utterance (Freq-MixStyle: Kim et al., Interspeech 2022).
        mixup: parameter of the Beta distribution of mixup (Zhang et al., ICLR 2018).
    """

    speed: float = Field(0.0, ge=0, lt=0.5)
    tempo: float = Field(0.0, ge=0, lt=0.5)
    pitch: float = Field(0.0, ge=0, lt=0.5)
    warp: float = Field(0.1, ge=0, lt=0.5)
    level_db: float = Field(3.0, ge=0)
    equaliser_db: float = Field(3.0, ge=0)
    noise: float = Field(0.0, ge=0, le=1)
    babble: float = Field(0.0, ge=0, le=1)
    band: float = Field(0.0, ge=0, le=1)
    time_mask: float = Field(0.0, ge=0, le=1)
    mel_mask: float = Field(0.0, ge=0, le=1)
    mixstyle: float = Field(0.0, ge=0, le=1)
    mixup: float = Field(0.3, ge=0)

    @property
    def of_log_mel(self) -> list[str]:
        """Names of the augmentations in use that change log-mel spectrograms: all but mixup."""
        return [name for name, strength in self if strength and name != "mixup"]


@dataclass(frozen=True)
class Draws:
    """Random numbers of a batch, each field with one row per utterance."""

    uniform: NDArray[np.float64]  # (batch, 16) in 0 … 1
    normal: NDArray[np.float64]  # (batch, 1 + EQUALISER_CURVES)
    noise_seeds: NDArray[np.int64]  # (batch,)
    band: NDArray[np.float64]  # (batch, 4) in 0 … 1
    babble: NDArray[np.float64]  # (batch, 3) in 0 … 1
    style: NDArray[np.float64]  # (batch, 2) in 0 … 1

    @classmethod
    def of(cls, utterances: Sequence[int], *, seed: int, epoch: int) -> "Draws":
        """Draw for utterances, given by their number in the corpus."""
        generators = [np.random.default_rng([seed, epoch, number]) for number in utterances]
        return cls(
            np.stack([generator.random(16) for generator in generators]),
            np.stack([generator.standard_normal(1 + EQUALISER_CURVES) for generator in generators]),
            np.stack([generator.integers(2**31) for generator in generators]),
            np.stack([generator.random(4) for generator in generators]),
            np.stack([generator.random(3) for generator in generators]),
            np.stack([generator.random(2) for generator in generators]),
        )


def augment(
    log_mel: Tensor, frames: Tensor, draws: Draws, options: AugmentOptions, features: FeatureOptions
) -> tuple[Tensor, Tensor]:
    """Change each utterance at random; for mixup see :mod:`emotone.training.mixup`.

    Args:
        log_mel: natural logarithm of mel power, shape ``(batch, frames, mels)``, with pitch
            salience, if the features have it, ``(batch, frames, 2 * mels)``.
        frames: number of frames of each utterance, shape ``(batch,)``.
        draws: random numbers.
        options: strength of each augmentation.
        features: options of the front end that computed ``log_mel``.

    Returns:
        The same with ``new_frames``, and the new numbers of frames.
    """
    if not options.of_log_mel:  # what it is may be no log-mel
        return log_mel, frames
    uniform = torch.from_numpy(draws.uniform).float().to(log_mel.device)
    normal = torch.from_numpy(draws.normal).float().to(log_mel.device)
    speed = 1 + options.speed * (2 * uniform[:, 0] - 1)
    tempo = speed * (1 + options.tempo * (2 * uniform[:, 1] - 1))
    shift = speed * (1 + options.warp * (2 * uniform[:, 2] - 1))
    pitch = shift * (1 + options.pitch * (2 * uniform[:, 15] - 1))
    log_mel, *salience = log_mel.split(features.mels, dim=2)
    if options.pitch or options.speed or options.tempo or options.warp:
        bands = _mel_bands(shift, features)
        salience = [_resample(one, frames, tempo, _lags(pitch, features.mels)) for one in salience]
        if options.pitch:
            envelope = _envelope(log_mel)
            fine = _resample(log_mel - envelope, frames, tempo, _mel_bands(pitch, features))
            log_mel = _resample(envelope, frames, tempo, bands) + fine
        else:
            log_mel = _resample(log_mel, frames, tempo, bands)
        frames = _at_tempo(frames, tempo)
    gain = options.level_db * normal[:, :1] + options.equaliser_db * _equaliser(
        normal[:, 1:], features.mels
    )
    log_mel = log_mel + NATS_PER_DB * gain[:, None]
    if options.noise:
        log_mel = _add_noise(log_mel, frames, uniform[:, 3:9], draws.noise_seeds, options.noise)
    if options.babble:
        babble = torch.from_numpy(draws.babble).float().to(log_mel.device)
        log_mel = _add_babble(log_mel, frames, babble, options.babble)
    if options.band:
        band = torch.from_numpy(draws.band).float().to(log_mel.device)
        log_mel = _limit_band(log_mel, frames, band, options.band, features)
    log_mel = _mask(log_mel, frames, uniform[:, 9:15], options)
    return torch.cat([log_mel, *salience], dim=2), frames


def _envelope(log_mel: Tensor) -> Tensor:
    """Smooth spectra by their first cosines along the mel axis; shape as given."""
    mels = log_mel.shape[2]
    position = (torch.arange(mels, device=log_mel.device) + 0.5) / mels
    orders = torch.arange(min(ENVELOPE_COSINES, mels), device=log_mel.device)
    cosines = torch.cos(math.pi * orders[:, None] * position[None])
    cosines = cosines / cosines.norm(dim=1, keepdim=True)
    smooth: Tensor = (log_mel @ cosines.T) @ cosines
    return smooth


def _at_tempo(frames: Tensor, tempo: Tensor) -> Tensor:
    """Number of frames of each utterance after a change of tempo."""
    return (frames / tempo).round().long().clamp_min(1)


def _mel_bands(shift: Tensor, options: FeatureOptions) -> Tensor:
    """Where each mel band comes from if all frequencies are multiplied, ``(batch, mels)``."""
    centres = mel_centres(options.mels, options.low_hz).to(shift.device)
    source = mel_of_hz(hz_of_mel(centres)[None] / shift[:, None])
    return (source - centres[0]) / (centres[1] - centres[0])


def _lags(shift: Tensor, count: int) -> Tensor:
    """Where each lag of pitch salience comes from, ``(batch, count)``; see :func:`_mel_bands`."""
    per_octave = (count - 1) / math.log2(PITCH_HZ[1] / PITCH_HZ[0])
    return torch.arange(count, device=shift.device)[None] + per_octave * shift.log2()[:, None]


def _resample(values: Tensor, frames: Tensor, tempo: Tensor, bands: Tensor) -> Tensor:
    """Read time ``tempo`` times as fast, and each band where ``bands`` says; edges are repeated."""
    count, last = int(_at_tempo(frames, tempo).max()), values.shape[2] - 1
    time = torch.arange(count, device=values.device)[None] * tempo[:, None]
    time = torch.minimum(time, (frames - 1)[:, None].float())
    grid = torch.stack(
        [
            (2 * bands.clamp(0, last) / last - 1)[:, None].expand(-1, count, -1),
            (2 * time / max(values.shape[1] - 1, 1) - 1)[:, :, None].expand(-1, -1, last + 1),
        ],
        dim=3,
    )
    return functional.grid_sample(
        values[:, None], grid.float(), padding_mode="border", align_corners=True
    )[:, 0]


def _equaliser(weights: Tensor, mels: int) -> Tensor:
    """Smooth curves of unit variance over the mel axis, shape ``(batch, mels)``."""
    position = (torch.arange(mels, device=weights.device) + 0.5) / mels
    orders = torch.arange(1, weights.shape[1] + 1, device=weights.device)
    curves = torch.cos(math.pi * orders[:, None] * position[None])
    return weights @ curves * math.sqrt(2 / weights.shape[1])


def _add_noise(
    log_mel: Tensor, frames: Tensor, uniform: Tensor, seeds: NDArray[np.int64], probability: float
) -> Tensor:
    valid = frame_mask(frames, log_mel.shape[1])[:, :, None]
    speech = (log_mel.exp() * valid).mean(dim=2).sum(dim=1) / frames
    below_db = 10 + 30 * uniform[:, 1]
    colour = 4 * (2 * uniform[:, 2:5] - 1)
    power = _equaliser(colour, log_mel.shape[2]).exp()
    power = power / power.mean(dim=1, keepdim=True) * (speech * 10 ** (-below_db / 10))[:, None]
    power = torch.where(uniform[:, :1] < probability, power, torch.zeros_like(power))
    flutter = torch.stack(
        [
            # mel power of noise: a mean of about eight independent exponential variables
            torch.from_numpy(
                np.random.default_rng(int(seed)).gamma(8, 1 / 8, tuple(log_mel.shape[1:]))
            )
            for seed in seeds
        ]
    ).to(log_mel)
    return torch.logaddexp(log_mel, (power[:, None] * flutter).clamp_min(1e-20).log())


def _add_babble(log_mel: Tensor, frames: Tensor, uniform: Tensor, probability: float) -> Tensor:
    """Add the power of one to four other utterances of the batch, each repeated as needed."""
    valid = frame_mask(frames, log_mel.shape[1])[:, :, None]
    power = log_mel.exp() * valid
    level = power.mean(dim=2).sum(dim=1) / frames
    time = torch.arange(log_mel.shape[1], device=log_mel.device)
    voices = 1 + (4 * uniform[:, 1]).long()
    babble = torch.zeros_like(power)
    for number in range(1, min(4, len(frames) - 1) + 1):
        turned = time[None] % frames.roll(number)[:, None]
        other = (power / level[:, None, None]).roll(number, dims=0)
        other = other.gather(1, turned[:, :, None].expand_as(other))
        babble = babble + other * (number <= voices)[:, None, None]
    below_db = 30 * uniform[:, 2]
    gain = level * 10 ** (-below_db / 10) / voices * (uniform[:, 0] < probability)
    return torch.logaddexp(log_mel, (babble * gain[:, None, None]).clamp_min(1e-20).log())


def mix_style(
    x: Tensor, frames: Tensor, uniform: NDArray[np.float64], probability: float
) -> Tensor:
    """Mix mean and standard deviation over time with those of the next utterance of the batch.

    Args:
        x: features, shape ``(batch, channels, frames, mels)``, zero in padding.
        frames: number of frames of each utterance, shape ``(batch,)``.
        uniform: random numbers in 0 … 1, shape ``(batch, 2)``: whether, and the other's share,
            which is at most a half.
        probability: of mixing an utterance.
    """
    numbers = torch.from_numpy(uniform).to(x)
    share = torch.where(numbers[:, 0] < probability, numbers[:, 1] / 2, 0)[:, None, None, None]
    valid = frame_mask(frames, x.shape[2])[:, None, :, None]
    mean, std = utterance_statistics(x, valid, frames)
    new_mean = (1 - share) * mean + share * mean.roll(1, dims=0)
    new_std = (1 - share) * std + share * std.roll(1, dims=0)
    return ((x - mean) / std * new_std + new_mean) * valid


def _limit_band(
    log_mel: Tensor, frames: Tensor, uniform: Tensor, probability: float, features: FeatureOptions
) -> Tensor:
    """Attenuate below and above random edges, down to the floor of the front end."""
    hz = hz_of_mel(mel_centres(features.mels, features.low_hz)).to(log_mel)
    low, high = BAND_LOW_HZ, BAND_HIGH_HZ
    lower = low[0] + (low[1] - low[0]) * uniform[:, 1:2]
    upper = high[0] + (high[1] - high[0]) * uniform[:, 2:3]
    octaves = (lower / hz).log2().clamp_min(0) + (hz / upper).log2().clamp_min(0)
    slope = BAND_DB_PER_OCTAVE[0] + (BAND_DB_PER_OCTAVE[1] - BAND_DB_PER_OCTAVE[0]) * uniform[:, 3:]
    limited = log_mel - (octaves * slope * NATS_PER_DB)[:, None]
    if features.dynamic_range_db is not None:
        valid = frame_mask(frames, log_mel.shape[1])[:, :, None]
        peak = limited.masked_fill(~valid, -torch.inf).amax(dim=(1, 2), keepdim=True)
        limited = torch.maximum(limited, peak - features.dynamic_range_db * NATS_PER_DB)
    limited = limited.clamp_min(math.log(POWER_FLOOR))
    return torch.where((uniform[:, :1] < probability)[:, None], limited, log_mel)


def _mask(log_mel: Tensor, frames: Tensor, uniform: Tensor, options: AugmentOptions) -> Tensor:
    if not (options.time_mask or options.mel_mask):
        return log_mel
    valid = frame_mask(frames, log_mel.shape[1])[:, :, None]
    mean = (log_mel * valid).sum(dim=1, keepdim=True) / frames[:, None, None]
    lengths = frames.float()
    time = _stretch(uniform[:, :3], lengths, TIME_MASK_FRAMES, options.time_mask, log_mel.shape[1])
    bands = torch.full_like(lengths, log_mel.shape[2])
    mel = _stretch(uniform[:, 3:], bands, MEL_MASK_BANDS, options.mel_mask, log_mel.shape[2])
    return torch.where(time[:, :, None] | mel[:, None, :], mean.expand_as(log_mel), log_mel)


def _stretch(
    uniform: Tensor, lengths: Tensor, largest: float, probability: float, size: int
) -> Tensor:
    """Return ``(batch, size)``: true in one random stretch of each row, with ``probability``."""
    width = largest * lengths * uniform[:, 0]
    start = (lengths - width) * uniform[:, 1]
    index = torch.arange(size, device=uniform.device)[None]
    inside = (index >= start[:, None]) & (index < (start + width)[:, None])
    return inside & (uniform[:, 2:3] < probability)
