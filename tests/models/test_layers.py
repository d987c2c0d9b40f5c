import torch

from emotone.models.layers import BLSTM, MaskedNormReLU, MultiKernelConv


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


def test_blstm_equals_pytorchs_bidirectional_lstm_on_packed_sequences() -> None:
    torch.manual_seed(0)
    blstm = BLSTM(12, 5)
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


def test_widths_share_the_channels_so_that_the_size_stays() -> None:
    block = MultiKernelConv(3, 10, (3, 5, 9), stride=1, pool=2)
    assert [convolution.out_channels for convolution in block.convolutions] == [4, 3, 3]
    out, lengths = block(torch.randn(2, 3, 7, 8), torch.tensor([7, 5]))
    assert out.shape == (2, 10, 7, 4)
    assert lengths.tolist() == [7, 5]
