import pytest
import torch
from torch.nn import functional

from emotone.models.kernels import gather, max_of_pairs, permute, scatter


@pytest.mark.parametrize("mels", [8, 9])
def test_fast_pooling_equals_pytorchs(mels: int) -> None:
    x = torch.randn(2, 3, 5, mels, dtype=torch.double)
    x = x.contiguous(memory_format=torch.channels_last).requires_grad_()
    ours, theirs = max_of_pairs(x), functional.max_pool2d(x, (1, 2))
    assert torch.equal(ours, theirs)
    weights = torch.randn_like(theirs)
    (our_gradient,) = torch.autograd.grad(ours, x, weights)
    (their_gradient,) = torch.autograd.grad(theirs, x, weights)
    assert torch.equal(our_gradient, their_gradient)


def test_gradients_of_selected_rows_are_numerically_right() -> None:
    rows = torch.randn(5, 3, dtype=torch.double, requires_grad=True)
    index = torch.tensor([4, 0, 2])
    assert torch.equal(gather(rows, index), rows[index])
    assert torch.autograd.gradcheck(lambda x: gather(x, index), (rows,))
    few = torch.randn(3, 3, dtype=torch.double, requires_grad=True)
    expected = torch.zeros(5, 3, dtype=torch.double)
    expected[index] = few.detach()
    assert torch.equal(scatter(few, index, 5), expected)
    assert torch.autograd.gradcheck(lambda x: scatter(x, index, 5), (few,))


def test_gradients_of_reordered_rows_are_numerically_right() -> None:
    rows = torch.randn(4, 3, dtype=torch.double, requires_grad=True)
    swapped = torch.tensor([2, 1, 0, 3])
    assert torch.equal(permute(rows, swapped), rows[swapped])
    assert torch.autograd.gradcheck(lambda x: permute(x, swapped), (rows,))
