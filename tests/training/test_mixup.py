import numpy as np
import pytest
import torch

from emotone.training.mixup import mixup, mixup_shares


def test_mixup_mixes_features_labels_and_takes_the_longer_length() -> None:
    features = torch.stack([torch.full((1, 4, 2), 1.0), torch.full((1, 4, 2), 3.0)])
    features[0, :, 2:] = 0
    targets, strata = torch.eye(2)[:, None], torch.eye(3)[1:]
    mixed, frames, labels, weighted = mixup(
        features, torch.tensor([2, 4]), torch.tensor([0.75, 0.5]), targets, strata
    )
    assert frames.tolist() == [4, 4]
    torch.testing.assert_close(mixed[0, 0, :, 0], torch.tensor([1.5, 1.5, 0.75, 0.75]))
    torch.testing.assert_close(labels, torch.tensor([[[0.75, 0.25]], [[0.5, 0.5]]]))
    torch.testing.assert_close(weighted, torch.tensor([[0, 0.75, 0.25], [0, 0.5, 0.5]]))


def test_an_utterance_is_mixed_with_the_one_before() -> None:
    features = torch.tensor([1.0, 10.0, 100.0])[:, None, None, None].expand(3, 1, 2, 2)
    frames, targets, strata = torch.tensor([2, 1, 1]), torch.eye(3)[:, None], torch.ones(3, 1)
    shares = torch.tensor([0.5, 0.75, 1.0])
    mixed, longer, labels, weighted = mixup(features, frames, shares, targets, strata)
    expected = [0.5 * 1 + 0.5 * 100, 0.75 * 10 + 0.25 * 1, 100.0]
    assert mixed[:, 0, 0, 0].tolist() == expected
    assert longer.tolist() == [2, 2, 1]
    assert labels[:, 0].tolist() == [[0.5, 0, 0.5], [0.25, 0.75, 0], [0, 0, 1]]
    assert weighted.tolist() == [[1], [1], [1]]


def test_shares_depend_on_seed_epoch_and_utterance_alone() -> None:
    shares = mixup_shares([4, 5, 6], seed=0, epoch=1, alpha=0.3)
    assert shares.dtype == torch.float32
    assert torch.equal(shares[1:], mixup_shares([5, 6], seed=0, epoch=1, alpha=0.3))
    assert len(set(shares.tolist())) == 3
    for seed, epoch in ((1, 1), (0, 2)):
        other = mixup_shares([4, 5, 6], seed=seed, epoch=epoch, alpha=0.3)
        assert not (shares == other).any()


def test_shares_are_those_of_a_beta_distribution_folded_at_a_half() -> None:
    """For alpha = 1 they are uniform in 0.5 … 1."""
    uniform = mixup_shares(range(2000), seed=0, epoch=0, alpha=1.0)
    assert ((uniform >= 0.5) & (uniform <= 1)).all()
    quartiles = np.quantile(uniform, [0.25, 0.5, 0.75])
    np.testing.assert_allclose(quartiles, [0.625, 0.75, 0.875], atol=0.02)
    # of Beta(a, a) the expectation of s (1 - s), which is symmetric, is a / (2 (2 a + 1))
    for alpha in (0.3, 4.0):
        shares = mixup_shares(range(2000), seed=0, epoch=0, alpha=alpha)
        assert ((shares >= 0.5) & (shares <= 1)).all()
        expected = alpha / (2 * (2 * alpha + 1))
        assert float((shares * (1 - shares)).mean()) == pytest.approx(expected, abs=0.006)


def test_shares_do_not_repeat_the_random_numbers_of_augmentation() -> None:
    shares = mixup_shares(range(20), seed=3, epoch=2, alpha=1.0)
    augmentation = [np.random.default_rng([3, 2, number]).beta(1, 1) for number in range(20)]
    assert not np.isclose(shares, np.maximum(augmentation, 1 - np.array(augmentation))).any()
