"""Slaney's mel scale and its triangular filters (M. Slaney, "Auditory Toolbox", 1998).

The scale is linear below 1 kHz and logarithmic above, as in librosa.
"""

import math

import torch
from torch import Tensor

from emotone.audio import SAMPLE_RATE
from emotone.features.spectrum import FFT_SIZE

_HZ_PER_MEL = 200 / 3  # below the break
_BREAK_HZ, _BREAK_MEL = 1000.0, 15.0
_LOG_STEP = math.log(6.4) / 27  # nats per mel above the break


def mel_of_hz(hz: Tensor) -> Tensor:
    """Convert Hz to Slaney's mel."""
    logarithmic = _BREAK_MEL + (hz.clamp_min(_BREAK_HZ) / _BREAK_HZ).log() / _LOG_STEP
    return torch.where(hz < _BREAK_HZ, hz / _HZ_PER_MEL, logarithmic)


def hz_of_mel(mel: Tensor) -> Tensor:
    """Convert Slaney's mel to Hz."""
    logarithmic = _BREAK_HZ * torch.exp(_LOG_STEP * (mel - _BREAK_MEL))
    return torch.where(mel < _BREAK_MEL, mel * _HZ_PER_MEL, logarithmic)


def mel_filters(mels: int, low_hz: float = 0.0) -> Tensor:
    """Triangles of equal area on Slaney's mel scale, shape ``(FFT_SIZE // 2 + 1, mels)``.

    Args:
        mels: number of filters.
        low_hz: lower edge of the first filter.
    """
    edges = hz_of_mel(_mel_points(mels, low_hz))
    bins = torch.linspace(0, SAMPLE_RATE / 2, FFT_SIZE // 2 + 1).double()[:, None]
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    rising, falling = (bins - low) / (centre - low), (high - bins) / (high - centre)
    return (torch.minimum(rising, falling).clamp_min(0) * 2 / (high - low)).float()


def mel_centres(mels: int, low_hz: float = 0.0) -> Tensor:
    """Centres of the filters in mel, evenly spaced, shape ``(mels,)``."""
    return _mel_points(mels, low_hz)[1:-1]


def _mel_points(mels: int, low_hz: float) -> Tensor:
    """Edges of the filters in mel up to half the sampling rate, shape ``(mels + 2,)``."""
    lowest = float(mel_of_hz(torch.tensor(low_hz, dtype=torch.float64)))
    highest = float(mel_of_hz(torch.tensor(SAMPLE_RATE / 2, dtype=torch.float64)))
    return torch.linspace(lowest, highest, mels + 2, dtype=torch.float64)
