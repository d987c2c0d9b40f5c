import pytest
import torch

from emotone.features import FeatureOptions
from emotone.models.crnn import CrnnOptions
from emotone.models.network import Network, multiply_adds


def test_network_goes_from_waveform_to_logits_whatever_the_padding() -> None:
    torch.manual_seed(0)
    net = Network(FeatureOptions(mels=32), CrnnOptions(), ["anger", "neutral"]).eval()
    waveform = torch.randn(2, 9000) * 0.1
    waveform[1, 5000:] = 0
    with torch.no_grad():
        together = net(waveform, torch.tensor([9000, 5000]))
        alone = net(waveform[1:, :5000], torch.tensor([5000]))
    assert together.shape == (2, 2)
    torch.testing.assert_close(together[1:], alone, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("mels", [16, 40])
def test_multiply_adds_of_a_network_counted_by_hand(mels: int) -> None:
    features = FeatureOptions(mels=mels, hop_ms=20.0)
    model = CrnnOptions(
        channels=(4,), kernel_widths=(3, 5), time_strides=(2,), mel_pools=(2,), lstm=5,
        summary="mean", hidden=6,
    )  # fmt: skip
    network = Network(features, model, ["anger", "neutral"])
    frames, halved = 500, 250  # in ten seconds, after the stride
    convolutions = halved * mels * (2 * 3 * (3 * 3) + 2 * 3 * (5 * 3))
    lstm = 2 * halved * 4 * 5 * (4 * (mels // 2) + 5)
    linear = 10 * 6 + 6 * 2
    assert frames == 2 * halved
    assert multiply_adds(network) == round((convolutions + lstm + linear) / 10)
