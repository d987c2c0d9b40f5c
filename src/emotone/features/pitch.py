"""Pitch salience: how periodic each frame is, at each lag of the human voice.

The autocorrelation of a spectrum that is compressed by a cube root, as hearing does (T. Tolonen and
M. Karjalainen, "A computationally efficient multipitch analysis model", IEEE TSAP 2000), less its
mean over neighbouring bins, so that harmonics count and formants, level and microphone hardly do.
Harmonics above a telephone's band are not used.
"""

import math

import torch
from torch import Tensor, nn

from emotone.audio import SAMPLE_RATE
from emotone.features.spectrum import half_fourier, power_spectra

WINDOW = 1024  # samples; 64 ms hold four periods of a low voice
HARMONICS_HZ = 50.0, 3000.0
PITCH_HZ = 60.0, 500.0  # that the lags stand for
SMOOTHED_HZ = 330.0  # more than the distance of two harmonics of most voices
COMPRESSION = 1 / 3
SMALLEST = 1e-9  # of a power, so that nothing is divided by zero
FLOOR = (
    10.0  # about the detail of frames 50 dB below an utterance's mean power: half their salience
)


class PitchSalience(nn.Module):
    """Waveforms to the salience of pitches.

    Args:
        lags: number of lags, evenly spaced on a logarithmic scale: the first is that of 500 Hz,
            the last that of 60 Hz.
        hop: samples from frame to frame.

    Shape:
        in: waveform ``(batch, samples)``, zero in padding; lengths ``(batch,)`` in samples.
        out: ``(batch, 1 + samples // hop, lags)``, from -1 to 1. A gain changes nothing, and frames
        far below the mean power of their clip have little salience.
    """

    cosines: Tensor
    sines: Tensor
    detail: Tensor
    periods: Tensor

    def __init__(self, lags: int, hop: int) -> None:
        super().__init__()
        self.hop = hop
        hz = torch.arange(WINDOW // 2 + 1, dtype=torch.float64) * SAMPLE_RATE / WINDOW
        used = (hz >= HARMONICS_HZ[0]) & (hz <= HARMONICS_HZ[1])
        hz = hz[used]
        window = torch.hann_window(WINDOW, dtype=torch.float64)
        for name, transform in zip(("cosines", "sines"), half_fourier(window, WINDOW), strict=True):
            self.register_buffer(name, transform[:, used].contiguous(), persistent=False)
        near = ((hz[:, None] - hz[None]).abs() <= SMOOTHED_HZ / 2).double()
        detail = torch.eye(len(hz), dtype=torch.float64) - near / near.sum(dim=0)
        self.register_buffer("detail", detail.float(), persistent=False)
        lag = torch.linspace(-math.log(PITCH_HZ[1]), -math.log(PITCH_HZ[0]), lags).double().exp()
        periods = torch.cos(2 * math.pi * hz[:, None] * lag[None])
        self.register_buffer("periods", periods.float(), persistent=False)

    def forward(self, waveform: Tensor, lengths: Tensor) -> Tensor:
        """Compute the salience of each lag in each frame; see the class for shapes."""
        mean = waveform.square().sum(dim=1) / lengths
        scaled = waveform / mean.clamp_min(SMALLEST).sqrt()[:, None]
        power = power_spectra(scaled, self.cosines, self.sines, hop=self.hop, window=WINDOW)
        detail = (power + SMALLEST).pow(COMPRESSION) @ self.detail
        return (detail @ self.periods) / (detail.abs().sum(dim=2, keepdim=True) + FLOOR)
