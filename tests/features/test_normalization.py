import torch

from emotone.features import FeatureOptions, Features


def test_moments_of_clips_add_up() -> None:
    features = Features(FeatureOptions(deltas=0))
    clips = [torch.randn(n, 64) + n for n in (3, 10, 40)]
    together = torch.cat(clips)
    mean, std = features.moments(clips).statistics()
    torch.testing.assert_close(mean[0], together.mean(dim=0), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(std[0], together.std(dim=0, correction=0), atol=1e-4, rtol=1e-4)
