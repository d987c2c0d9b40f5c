import numpy as np
import pytest
import torch

from emotone.features import FeatureOptions, Features
from tests.helpers import voice


@pytest.mark.parametrize("window_ms", [32.0, 25.0, 12.5625, 8.0])  # 512, 400, 201, 128 samples
@pytest.mark.parametrize("hop_ms", [10.0, 20.0, 12.5625])
@pytest.mark.parametrize("samples", [1, 159, 160, 8000])
def test_spectra_are_those_of_a_fourier_transform(
    window_ms: float, hop_ms: float, samples: int
) -> None:
    options = FeatureOptions(window_ms=window_ms, hop_ms=hop_ms)
    waveform = torch.from_numpy(np.stack([voice(n, 0.5)[:samples] for n in range(2)]))
    padded = torch.nn.functional.pad(waveform, (options.window // 2, options.window))
    cut = padded.unfold(1, options.window, options.hop)[:, : 1 + samples // options.hop]
    window = torch.hann_window(options.window)
    cut = cut - (cut @ window / window.sum())[..., None]
    expected = torch.fft.rfft(cut * window, 512).abs().square()
    found = Features(options).power(waveform)
    assert found.shape == expected.shape
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5 * float(expected.max()))
