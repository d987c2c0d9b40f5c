from typing import Any, get_args

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from emotone.features import FeatureOptions
from emotone.models.network import (
    CRNN,
    SUMMARIES,
    MaskedNormReLU,
    ModelOptions,
    MultiKernelConv,
    Network,
    Summary,
    _max_of_pairs,
)

SMALL: dict[str, Any] = {
    "channels": (4, 6),
    "time_strides": (2, 1),
    "mel_pools": (2, 2),
    "lstm": 5,
    "hidden": 7,
}


def network(**options: Any) -> CRNN:
    torch.manual_seed(0)
    crnn = CRNN(ModelOptions(**SMALL | options), channels=2, mels=8, classes=3)
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
    summary=st.sampled_from(get_args(Summary)),
)
def test_padding_never_changes_an_answer(
    lengths: list[int],
    widths: set[int],
    strides: tuple[int, int],
    pools: tuple[int, int],
    summary: Summary,
) -> None:
    crnn = network(
        kernel_widths=tuple(widths), time_strides=strides, mel_pools=pools, summary=summary
    )
    batch = torch.zeros(len(lengths), 2, max(lengths) + 3, 8)
    for row, length in enumerate(lengths):
        batch[row, :, :length] = torch.randn(2, length, 8)
    with torch.no_grad():
        together = crnn(batch, torch.tensor(lengths))
        for row, length in enumerate(lengths):
            alone = crnn(batch[row : row + 1, :, :length], torch.tensor([length]))
            torch.testing.assert_close(together[row : row + 1], alone, atol=1e-5, rtol=1e-5)


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


def test_training_and_evaluation_normalise_alike_given_the_same_statistics() -> None:
    torch.manual_seed(0)
    norm = MaskedNormReLU(4)
    norm.batch_norm.momentum = 1.0  # running statistics become those of the batch
    x, mask = torch.randn(2, 4, 10, 6), torch.ones(2, 10, dtype=torch.bool)
    mask[1, 7:] = False
    trained = norm.train()(x, mask)
    evaluated = norm.eval()(x, mask)
    torch.testing.assert_close(trained, evaluated, atol=2e-2, rtol=2e-2)
    assert not trained[1, :, 7:].any()


@pytest.mark.parametrize("mels", [8, 9])
def test_fast_pooling_equals_pytorchs(mels: int) -> None:
    x = torch.randn(2, 3, 5, mels, dtype=torch.double)
    x = x.contiguous(memory_format=torch.channels_last).requires_grad_()
    ours, theirs = _max_of_pairs(x), functional.max_pool2d(x, (1, 2))
    assert torch.equal(ours, theirs)
    weights = torch.randn_like(theirs)
    (our_gradient,) = torch.autograd.grad(ours, x, weights)
    (their_gradient,) = torch.autograd.grad(theirs, x, weights)
    assert torch.equal(our_gradient, their_gradient)


def test_blstm_equals_pytorchs_bidirectional_lstm_on_packed_sequences() -> None:
    blstm = network().lstm
    reference = torch.nn.LSTM(12, 5, batch_first=True, bidirectional=True)
    ours = {
        **{f"{n}": p for n, p in blstm.forwards.named_parameters()},
        **{f"{n}_reverse": p for n, p in blstm.backwards.named_parameters()},
    }
    reference.load_state_dict({name: value.detach() for name, value in ours.items()})
    x, lengths = torch.randn(3, 9, 12), torch.tensor([9, 4, 1])
    packed = torch.nn.utils.rnn.pack_padded_sequence(
        x, lengths, batch_first=True, enforce_sorted=False
    )
    expected, _ = torch.nn.utils.rnn.pad_packed_sequence(reference(packed)[0], batch_first=True)
    out = blstm(x, lengths)
    for row, length in enumerate(lengths):
        torch.testing.assert_close(out[row, :length], expected[row, :length])


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
        summary = SUMMARIES[name](2)  # type: ignore[index]
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


def test_widths_share_the_channels_so_that_the_size_stays() -> None:
    block = MultiKernelConv(3, 10, (3, 5, 9), stride=1, pool=2)
    assert [convolution.out_channels for convolution in block.convolutions] == [4, 3, 3]
    out, lengths = block(torch.randn(2, 3, 7, 8), torch.tensor([7, 5]))
    assert out.shape == (2, 10, 7, 4)
    assert lengths.tolist() == [7, 5]


def test_each_parameter_learns() -> None:
    for summary in get_args(Summary):
        crnn = network(summary=summary, kernel_widths=(3, 5)).train()
        crnn(torch.randn(4, 2, 12, 8), torch.tensor([12, 9, 7, 12])).square().sum().backward()
        for name, parameter in crnn.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.abs().max() > 0, name


def test_network_goes_from_waveform_to_logits_whatever_the_padding() -> None:
    torch.manual_seed(0)
    net = Network(FeatureOptions(mels=32), ModelOptions(), ["anger", "neutral"]).eval()
    waveform = torch.randn(2, 9000) * 0.1
    waveform[1, 5000:] = 0
    with torch.no_grad():
        together = net(waveform, torch.tensor([9000, 5000]))
        alone = net(waveform[1:, :5000], torch.tensor([5000]))
    assert together.shape == (2, 2)
    torch.testing.assert_close(together[1:], alone, atol=1e-5, rtol=1e-5)


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
        ModelOptions(**SMALL | options)


def test_pooling_away_all_mels_is_refused() -> None:
    with pytest.raises(ValueError, match="no mel band is left"):
        network(mel_pools=(4, 4))
