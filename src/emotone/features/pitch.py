"""Pitch salience: how periodic each frame is, at each lag of the human voice.

The autocorrelation of a spectrum that is compressed by a cube root, as hearing does (T. Tolonen and
M. Karjalainen, "A computationally efficient multipitch analysis model", IEEE TSAP 2000), less its
mean over neighbouring bins, so that harmonics count and formants, level and microphone hardly do.
Harmonics above a telephone's band are not used.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from emotone.audio import SAMPLE_RATE
from emotone.features.spectrum import folded_frames

WINDOW = 1024  # samples; 64 ms hold four periods of a low voice
QUARTER = WINDOW // 4
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

    The spectra of even and of odd bins repeat themselves within half a frame, except for the sign,
    so the matrix products are over a quarter.

    Args:
        lags: number of lags, evenly spaced on a logarithmic scale: the first is that of 500 Hz,
            the last that of 60 Hz.
        hop: samples from frame to frame.

    Shape:
        in: waveform ``(batch, samples)``, zero in padding; lengths ``(batch,)`` in samples.
        out: ``(batch, 1 + samples // hop, lags)``, from -1 to 1. A gain changes nothing, and frames
        far below the mean power of their clip have little salience.
    """

    window: Tensor
    cosines_even: Tensor
    cosines_odd: Tensor
    sines_even: Tensor
    sines_odd: Tensor
    detail: Tensor
    periods: Tensor

    def __init__(self, lags: int, hop: int) -> None:
        super().__init__()
        self.hop = hop
        bins = torch.arange(WINDOW // 2 + 1, dtype=torch.float64)
        hz = bins * SAMPLE_RATE / WINDOW
        bins = bins[(hz >= HARMONICS_HZ[0]) & (hz <= HARMONICS_HZ[1])]
        even, odd = bins[bins % 2 == 0], bins[bins % 2 == 1]
        window = torch.hann_window(WINDOW, dtype=torch.float64)[1 : WINDOW // 2 + 1]
        window[-1] /= 2  # the centre would count twice
        self._keep("window", window)
        distances = torch.arange(QUARTER, -1, -1, dtype=torch.float64)  # from the centre
        once = torch.ones_like(distances)
        once[0] = 0.5  # it is its own counterpart
        for name, own in (("even", even), ("odd", odd)):
            angles = 2 * math.pi / WINDOW * distances[:, None] * own
            self._keep(f"cosines_{name}", once[:, None] * angles.cos())
            self._keep(f"sines_{name}", once[:, None] * angles.sin())
        hz = torch.cat([even, odd]) * SAMPLE_RATE / WINDOW
        near = ((hz[:, None] - hz[None]).abs() <= SMOOTHED_HZ / 2).double()
        self._keep("detail", torch.eye(len(hz), dtype=torch.float64) - near / near.sum(dim=0))
        lag = torch.linspace(-math.log(PITCH_HZ[1]), -math.log(PITCH_HZ[0]), lags).double().exp()
        self._keep("periods", torch.cos(2 * math.pi * hz[:, None] * lag[None]))

    def _keep(self, name: str, values: Tensor) -> None:
        self.register_buffer(name, values.float(), persistent=False)

    def forward(self, waveform: Tensor, lengths: Tensor) -> Tensor:
        """Compute the salience of each lag in each frame; see the class for shapes."""
        mean = waveform.square().sum(dim=1) / lengths
        scaled = waveform / mean.clamp_min(SMALLEST).sqrt()[:, None]
        power = self._power(scaled)
        detail = (power + SMALLEST).pow(COMPRESSION) @ self.detail
        return (detail @ self.periods) / (detail.abs().sum(dim=2, keepdim=True) + FLOOR)

    def _power(self, waveform: Tensor) -> Tensor:
        """Power of the even bins and then of the odd ones, ``(batch, frames, bins)``."""
        even, odd = (
            half * self.window for half in folded_frames(waveform, hop=self.hop, window=WINDOW)
        )
        real, imaginary = (self._counterparts(half) for half in (even, odd))
        return torch.cat(
            [
                (real[0] @ self.cosines_even).square() + (imaginary[1] @ self.sines_even).square(),
                (real[1] @ self.cosines_odd).square() + (imaginary[0] @ self.sines_odd).square(),
            ],
            dim=2,
        )

    def _counterparts(self, half: Tensor) -> tuple[Tensor, Tensor]:
        """Sum and difference of samples as far from the centre as from the edge."""
        near, far = half[:, :, QUARTER - 1 :], half[:, :, :QUARTER].flip(2)
        far = functional.pad(far, (0, 1))  # the outermost sample has no weight
        return near + far, near - far
