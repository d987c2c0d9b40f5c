"""Power spectra of overlapping frames as two matrix products.

A Hann window is symmetric, so samples at equal distances from its centre share the cosine and,
except for the sign, the sine. As a matrix product over half a frame this takes a third of the time
of ONNX Runtime's Fourier transform. The matrices also remove the windowed mean of each frame, so a
constant offset changes nothing.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

FFT_SIZE = 512  # samples, zero-padded


def power_spectra(
    waveform: Tensor, cosines: Tensor, sines: Tensor, *, hop: int, window: int
) -> Tensor:
    """Power spectra of frames that are centred at multiples of the hop.

    Args:
        waveform: shape ``(batch, samples)``.
        cosines: from :func:`half_fourier`.
        sines: from :func:`half_fourier`.
        hop: samples from frame to frame.
        window: samples of a frame.

    Returns:
        Shape ``(batch, 1 + samples // hop, FFT_SIZE // 2 + 1)``.
    """
    even, odd = folded_frames(waveform, hop=hop, window=window)
    real, imaginary = even @ cosines, odd @ sines
    return real.square() + imaginary.square()


def folded_frames(waveform: Tensor, *, hop: int, window: int) -> tuple[Tensor, Tensor]:
    """Even and odd part of each frame about its centre, for :func:`power_spectra`.

    Returns:
        Both of shape ``(batch, 1 + samples // hop, window // 2)``: samples 1, 2, … of a frame plus,
        or minus, those at the same distance behind the centre.
    """
    half = window // 2
    pieces = math.ceil(window / hop)  # that make up a frame
    count = 1 + waveform.shape[1] // hop
    padded = functional.pad(waveform, (half, pieces * hop))
    parts = padded[:, : (count + pieces - 1) * hop].unflatten(1, (-1, hop))
    cut = torch.cat([parts[:, first : first + count] for first in range(pieces)], dim=2)
    ahead, behind = cut[:, :, 1 : half + 1], cut[:, :, window - half : window].flip(2)
    return ahead + behind, ahead - behind


def half_fourier(window: Tensor) -> tuple[Tensor, Tensor]:
    """Windowed cosines and sines of a Fourier transform about the centre of a periodic window.

    The transform is that of a frame less its mean, which is weighted by the window.

    Returns:
        Both of shape ``(len(window) // 2, FFT_SIZE // 2 + 1)``: a row for samples 1, 2, … of a
        frame, which also serves the sample at the same distance behind the centre. Sample 0 has
        no weight.
    """
    half = len(window) // 2
    samples = torch.arange(1, half + 1, dtype=torch.float64)
    weights = window[1 : half + 1].clone()
    weights[2 * samples == len(window)] /= 2  # the centre would count twice
    bins = torch.arange(FFT_SIZE // 2 + 1, dtype=torch.float64)
    angles = 2 * math.pi / FFT_SIZE * (samples - len(window) / 2)[:, None] * bins
    cosines, sines = weights[:, None] * angles.cos(), weights[:, None] * angles.sin()
    cosines -= weights[:, None] * cosines.sum(dim=0) / weights.sum()  # of a constant: zero
    return cosines.float(), sines.float()
