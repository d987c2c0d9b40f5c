import librosa
import numpy as np
import torch

from emotone.features import deltas


def test_deltas_of_a_worked_example() -> None:
    values = torch.tensor([0.0, 1.0, 4.0, 9.0, 16.0])[None, :, None]
    # the first and last value repeated; sum of n * (next n - previous n) over 10
    expected = [
        (1 * (1 - 0) + 2 * (4 - 0)) / 10,
        (1 * (4 - 0) + 2 * (9 - 0)) / 10,
        (1 * (9 - 1) + 2 * (16 - 0)) / 10,
        (1 * (16 - 4) + 2 * (16 - 1)) / 10,
        (1 * (16 - 9) + 2 * (16 - 4)) / 10,
    ]
    np.testing.assert_allclose(deltas(values, torch.tensor([5]))[0, :, 0], expected, rtol=1e-6)


def test_deltas_agree_with_librosa() -> None:
    values = torch.randn(1, 30, 7)
    expected = librosa.feature.delta(values[0].numpy(), width=5, axis=0, mode="nearest")
    np.testing.assert_allclose(deltas(values, torch.tensor([30]))[0], expected, atol=1e-5)
