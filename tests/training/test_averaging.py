import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from emotone.training.averaging import average_weights


def small_network() -> nn.Sequential:
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))


def test_the_average_is_a_bias_corrected_exponential_mean() -> None:
    """With a window of 4 a step counts 3/4 of the next one; statistics are averaged alike."""
    average, current = small_network(), small_network()
    steps: dict[str, list[NDArray[np.float64]]] = {}
    rng = np.random.default_rng(0)
    for step in range(3):
        for name, value in current.state_dict().items():
            if value.is_floating_point():
                drawn = rng.normal(size=tuple(value.shape))
                value.copy_(torch.from_numpy(drawn))
                steps.setdefault(name, []).append(drawn)
        average_weights(average, current, step=step, window=4.0)
    names = {"0.weight", "0.bias", "1.weight", "1.bias", "1.running_mean", "1.running_var"}
    assert steps.keys() == names
    for name, (first, second, third) in steps.items():
        expected = (9 / 16 * first + 3 / 4 * second + third) / (9 / 16 + 3 / 4 + 1)
        np.testing.assert_allclose(average.state_dict()[name], expected, atol=1e-6, err_msg=name)


def test_a_window_of_one_step_is_no_average() -> None:
    average, current = small_network(), small_network()
    for step in range(3):
        current.state_dict()["0.weight"].normal_()
        average_weights(average, current, step=step, window=1.0)
        assert torch.equal(average.state_dict()["0.weight"], current.state_dict()["0.weight"])


def test_counts_are_not_averaged() -> None:
    average, current = small_network(), small_network()
    current(torch.randn(5, 2))
    average_weights(average, current, step=0, window=1.0)
    assert int(current.state_dict()["1.num_batches_tracked"]) == 1
    assert int(average.state_dict()["1.num_batches_tracked"]) == 0
