import pytest
import torch

from emotone.features import FeatureOptions, Features, frame_mask
from emotone.features.normalization import SMALLEST_STD, utterance_statistics


def test_moments_of_clips_add_up() -> None:
    features = Features(FeatureOptions(deltas=0))
    clips = [torch.randn(n, 64) + n for n in (3, 10, 40)]
    together = torch.cat(clips)
    mean, std = features.moments(clips).statistics()
    torch.testing.assert_close(mean[0], together.mean(dim=0), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(std[0], together.std(dim=0, correction=0), atol=1e-4, rtol=1e-4)


def test_clips_are_chosen_and_weigh_as_much_as_they_are_long() -> None:
    features = Features(FeatureOptions(deltas=0))
    clips = [torch.zeros(2, 64), torch.full((6, 64), 4.0), torch.full((4, 64), 100.0)]
    moments = features.moments(clips)[[0, 1]]
    mean, std = moments.statistics()
    assert moments.frames.tolist() == [2, 6]
    torch.testing.assert_close(mean, torch.full((1, 64), 3.0))  # (2 * 0 + 6 * 4) / 8
    torch.testing.assert_close(std, torch.full((1, 64), 3.0**0.5))  # 6 * 16 / 8 - 9


def test_statistics_of_an_utterance_are_over_its_valid_frames() -> None:
    channels = torch.randn(2, 3, 10, 4) + 5
    channels[1, :, 6:] = 1e6  # padding
    frames = torch.tensor([10, 6])
    valid = frame_mask(frames, 10)[:, None, :, None]
    mean, std = utterance_statistics(channels, valid, frames)
    assert mean.shape == std.shape == (2, 3, 1, 4)
    for row, length in enumerate(frames):
        clip = channels[row, :, :length]
        torch.testing.assert_close(mean[row, :, 0], clip.mean(dim=1))
        torch.testing.assert_close(std[row, :, 0], clip.std(dim=1, correction=0))


@pytest.mark.parametrize("level", [0.0, 7.0])
def test_what_hardly_varies_is_not_amplified(level: float) -> None:
    features = Features(FeatureOptions(deltas=0))
    constant = torch.full((5, 64), level)
    _, std = features.moments([constant]).statistics()
    assert std.unique().tolist() == [pytest.approx(SMALLEST_STD)]
    _, own = utterance_statistics(constant[None, None], torch.ones(1, 1, 5, 1), torch.tensor([5]))
    assert own.unique().tolist() == [pytest.approx(SMALLEST_STD)]
