import pytest
import torch

from emotone.models.crnn import CrnnOptions
from emotone.models.summaries import SUMMARIES


def test_summaries_of_a_worked_example() -> None:
    x = torch.tensor([[[1.0, 10.0], [3.0, 20.0], [99.0, 99.0]]])
    lengths = torch.tensor([2])
    expected = {
        "last": [3, 10],
        "mean": [2, 15],
        "max": [3, 20],
        "mean_std": [2, 15, 1, 5],
        "mean_std_max": [2, 15, 1, 5, 3, 20],
    }
    for name, values in expected.items():
        summary = SUMMARIES[name](2)
        assert summary.size == len(values)
        torch.testing.assert_close(
            summary(x, lengths), torch.tensor([values]).float(), atol=1e-3, rtol=0
        )


def test_attention_is_a_weighted_mean() -> None:
    attention = SUMMARIES["attention"](2)
    torch.nn.init.constant_(attention.score.weight, 0.0)  # type: ignore[union-attr,arg-type]
    x = torch.tensor([[[1.0, 10.0], [3.0, 20.0], [99.0, 99.0]]])
    torch.testing.assert_close(attention(x, torch.tensor([2])), torch.tensor([[2.0, 15.0]]))
    torch.nn.init.constant_(attention.score.weight, 10.0)  # type: ignore[union-attr,arg-type]
    torch.testing.assert_close(attention(x, torch.tensor([2])), torch.tensor([[3.0, 20.0]]))


def test_an_unknown_summary_is_refused_with_the_known_ones() -> None:
    message = "must be one of last, mean, max, mean_std, mean_std_max, attention, got .meen.; did"
    with pytest.raises(ValueError, match=message):
        CrnnOptions(summary="meen")
