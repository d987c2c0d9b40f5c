from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from emotone.features import FeatureOptions
from emotone.models.crnn import CRNN, CrnnOptions
from emotone.models.layers import MaskedNormReLU
from emotone.models.network import Network
from emotone.models.summaries import SUMMARIES

SMALL: dict[str, Any] = {
    "channels": (4, 6),
    "time_strides": (2, 1),
    "mel_pools": (2, 2),
    "lstm": 5,
    "hidden": 7,
}


def network(**options: Any) -> CRNN:
    torch.manual_seed(0)
    crnn = CRNN(CrnnOptions(**SMALL | options), channels=2, mels=8, classes=3)
    for module in crnn.modules():
        if isinstance(module, MaskedNormReLU):  # so that ReLU(norm(0)) is not 0
            torch.nn.init.normal_(module.batch_norm.bias)
            torch.nn.init.normal_(module.batch_norm.running_mean)  # type: ignore[arg-type]
    return crnn.eval()


@settings(max_examples=60, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 40), min_size=1, max_size=5),
    widths=st.sets(st.sampled_from([1, 3, 5, 9, 15]), min_size=1, max_size=3),
    strides=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    pools=st.tuples(st.sampled_from([1, 2, 4]), st.sampled_from([1, 2])),
    summary=st.sampled_from(list(SUMMARIES)),
)
def test_padding_never_changes_an_answer(
    lengths: list[int],
    widths: set[int],
    strides: tuple[int, int],
    pools: tuple[int, int],
    summary: str,
) -> None:
    crnn = network(
        kernel_widths=tuple(widths), time_strides=strides, mel_pools=pools, summary=summary
    )
    batch = torch.zeros(len(lengths), 2, max(lengths) + 3, 8)
    for row, length in enumerate(lengths):
        batch[row, :, :length] = torch.randn(2, length, 8)
    with torch.no_grad():
        for compute in (crnn, crnn.embed):
            together = compute(batch, torch.tensor(lengths))
            for row, length in enumerate(lengths):
                alone = compute(batch[row : row + 1, :, :length], torch.tensor([length]))
                torch.testing.assert_close(together[row : row + 1], alone, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("summary", "size"), [("last", 10), ("mean_std", 20), ("attention", 10)])
def test_the_embedding_is_the_input_of_the_hidden_layer(summary: str, size: int) -> None:
    crnn = network(summary=summary)
    seen: list[torch.Tensor] = []
    crnn.hidden.register_forward_hook(lambda _module, inputs, _output: seen.append(inputs[0]))
    inputs = torch.randn(3, 2, 12, 8), torch.tensor([12, 12, 12])
    with torch.no_grad():
        logits = crnn(*inputs)
        embedding = crnn.embed(*inputs)
        assert embedding.shape == (3, size)
        assert torch.equal(embedding, seen[0])
        assert torch.equal(crnn.classify(embedding), logits)


def test_padding_takes_no_part_in_training_either() -> None:
    def after_a_step(extra: int) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        crnn = network().train()
        torch.manual_seed(1)
        batch = functional.pad(torch.randn(3, 2, 20, 8), (0, 0, 0, extra))
        batch[1, :, 11:] = 0
        logits = crnn(batch, torch.tensor([20, 11, 20]))
        logits.square().sum().backward()
        gradients = {n: p.grad for n, p in crnn.named_parameters() if p.grad is not None}
        return logits.detach(), gradients | dict(crnn.named_buffers())

    plain, padded = after_a_step(0), after_a_step(13)
    torch.testing.assert_close(plain[0], padded[0], atol=1e-5, rtol=1e-4)
    for name, value in plain[1].items():
        torch.testing.assert_close(value, padded[1][name], atol=1e-4, rtol=1e-3, msg=name)


def test_each_parameter_learns() -> None:
    for summary in SUMMARIES:
        crnn = network(summary=summary, kernel_widths=(3, 5)).train()
        crnn(torch.randn(4, 2, 12, 8), torch.tensor([12, 9, 7, 12])).square().sum().backward()
        for name, parameter in crnn.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channels": ()}, "at least one block"),
        ({"channels": (8,)}, "need one number per block each, got 1, 2 and 2"),
        ({"kernel_widths": (4,)}, r"must be odd and at least one, got \[4\]"),
        ({"kernel_widths": ()}, "must be odd and at least one, got none"),
        ({"kernel_widths": (3, 3)}, r"must differ, got \[3, 3\]"),
        ({"kernel_widths": (1, 3, 5, 7, 9)}, "a block of 4 cannot be shared by 5"),
        ({"mel_pools": (3, 2)}, r"must be powers of two, got \[3\]"),
    ],
)
def test_sizes_that_make_no_sense_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CrnnOptions(**SMALL | options)


def test_pooling_away_all_mels_is_refused() -> None:
    options = CrnnOptions(**SMALL | {"mel_pools": (4, 4)})
    options.check(FeatureOptions(mels=16))
    with pytest.raises(ValueError, match="leave no mel band: 8 bands, pooled 16 times"):
        options.check(FeatureOptions(mels=8))
    with pytest.raises(ValueError, match="leave no mel band: 8 bands, pooled 16 times"):
        Network(FeatureOptions(mels=8), options, ["anger", "neutral"])
