import torch

from emotone.models.acrnn import ACRNN3D, Acrnn3dOptions

SMALL = Acrnn3dOptions(first_channels=4, channels=6, convolutions=3, linear=5, lstm=4, hidden=3)


def test_sizes_are_the_published_ones() -> None:
    network = ACRNN3D(Acrnn3dOptions(), channels=3, mels=40, classes=7)
    shapes = [
        weight.shape for name, weight in network.convolutions.named_parameters() if "weight" in name
    ]
    assert shapes == [(128, 3, 5, 3), (256, 128, 5, 3), *[(256, 256, 5, 3)] * 3]
    assert tuple(network.linear.weight.shape) == (768, 256 * 20)
    assert (network.lstm.input_size, network.lstm.hidden_size) == (768, 128)
    assert tuple(network.hidden.weight.shape) == (64, 256)


def test_time_and_mels_are_halved_after_the_first_convolution() -> None:
    network = ACRNN3D(SMALL, channels=3, mels=40, classes=4)
    shapes: list[tuple[int, ...]] = []
    for convolution in network.convolutions:
        convolution.register_forward_hook(lambda *call: shapes.append(tuple(call[2].shape)))
    network(torch.randn(2, 3, 30, 40), torch.full((2,), 30))
    assert shapes == [(2, 4, 30, 40), (2, 6, 15, 20), (2, 6, 15, 20)]


def test_an_answer_does_not_depend_on_the_batch() -> None:
    network = ACRNN3D(SMALL, channels=3, mels=40, classes=4)
    features, lengths = torch.randn(5, 3, 30, 40), torch.full((5,), 30)
    network(features, lengths)  # running statistics of one batch
    network.eval()
    together = network(features, lengths)
    assert together.shape == (5, 4)
    embedding = network.embed(features, lengths)
    assert embedding.shape == (5, 2 * SMALL.lstm)
    assert torch.equal(network.classify(embedding), together)
    alone = network(features[2:3], lengths[2:3])
    torch.testing.assert_close(together[2:3], alone, atol=1e-5, rtol=1e-5)
