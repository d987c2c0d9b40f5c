import librosa
import numpy as np
import torch

from emotone.features import hz_of_mel, mel_centres, mel_filters, mel_of_hz


def test_filters_agree_with_librosa() -> None:
    expected = librosa.filters.mel(sr=16_000, n_fft=512, n_mels=64).T
    np.testing.assert_allclose(mel_filters(64), expected, atol=1e-6)


def test_mel_scale_agrees_with_librosa_and_its_inverse() -> None:
    hz = torch.linspace(0, 8000, 50).double()
    np.testing.assert_allclose(mel_of_hz(hz), librosa.hz_to_mel(hz.numpy()), atol=1e-9)
    np.testing.assert_allclose(hz_of_mel(mel_of_hz(hz)), hz, atol=1e-6)


def test_centres_are_those_of_the_filters() -> None:
    expected = librosa.mel_frequencies(42, fmin=0, fmax=8000)[1:-1]
    np.testing.assert_allclose(hz_of_mel(mel_centres(40)), expected, rtol=1e-9)
