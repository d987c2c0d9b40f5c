import math

import numpy as np
import torch

from emotone.training.batching import (
    Example,
    batches,
    cap_per_speaker,
    crop,
    cut_segments,
    draw_weighted,
    make_examples,
    stack,
    whole_utterances,
)
from emotone.training.options import TrainingOptions
from emotone.training.spectrograms import Spectrograms


def test_a_batch_is_padded_with_zeros(data: Spectrograms) -> None:
    stacked, frames = stack(data, [Example(0, 2, 9), Example(1, 0, 12)], at_least=20)
    assert stacked.shape == (2, 20, 16)
    assert frames.tolist() == [7, 12]
    torch.testing.assert_close(stacked[0, :7], data[0][2:9])
    assert not stacked[0, 7:].any()
    stacked, _ = stack(data, [Example(0, 2, 9), Example(1, 0, 12)])
    assert stacked.shape == (2, 12, 16)
    assert stack(data, [Example(0, 2, 9)])[0].shape == (1, 7, 16)


def test_segments_cover_each_utterance_once(data: Spectrograms) -> None:
    pieces = cut_segments(whole_utterances(data, [0, 1]), 6)
    for number in (0, 1):
        covered = [
            frame
            for piece in pieces
            if piece.utterance == number
            for frame in range(piece.start, piece.stop)
        ]
        assert covered == list(range(data.frames[number]))


def test_the_last_segment_may_overlap_the_one_before(data: Spectrograms) -> None:
    frames = int(data.frames[0])
    assert frames % 6
    pieces = cut_segments(whole_utterances(data, [0]), 6, overlapping=True)
    assert pieces[:-1] == cut_segments(whole_utterances(data, [0]), 6)[:-1]
    assert pieces[-1] == Example(0, frames - 6, frames)
    assert cut_segments(whole_utterances(data, [0]), frames, overlapping=True) == whole_utterances(
        data, [0]
    )
    longer = cut_segments(whole_utterances(data, [0]), frames + 5, overlapping=True)
    assert longer == whole_utterances(data, [0])


def test_examples_are_what_the_options_ask(data: Spectrograms) -> None:
    """Frames are 20 ms apart, so a segment of 0.2 s has 10."""
    assert make_examples(data, [1, 2], TrainingOptions()) == (whole_utterances(data, [1, 2]), 0)
    for rest, start in (("padded", 20), ("overlapping", 11)):
        asked = {"segment_s": 0.2, "segment_rest": rest, "crop": 1.0}
        examples, segment = make_examples(data, [1], TrainingOptions.model_validate(asked))
        assert segment == 10
        assert examples == [Example(1, 0, 10), Example(1, 10, 20), Example(1, start, 21)]


def test_batches_hold_each_example_once_and_alike_lengths_together() -> None:
    lengths = np.random.default_rng(0).integers(10, 1000, 333)
    examples = [Example(number, 0, int(length)) for number, length in enumerate(lengths)]
    drawn = list(batches(examples, 8, np.random.default_rng(1)))
    assert sorted(e.utterance for batch in drawn for e in batch) == list(range(333))
    spread = [max(e.stop for e in batch) - min(e.stop for e in batch) for batch in drawn]
    assert np.mean(spread) < 250  # of random batches it would be about 800
    padded = batches(examples, 8, np.random.default_rng(1), at_least=1000)
    spread = [max(e.stop for e in batch) - min(e.stop for e in batch) for batch in padded]
    assert np.mean(spread) > 700
    again = list(batches(examples, 8, np.random.default_rng(1)))
    other = list(batches(examples, 8, np.random.default_rng(2)))
    assert drawn == again != other


def test_no_segment_is_alone_in_a_batch() -> None:
    examples = [Example(number, 0, 30) for number in range(17)]
    drawn = list(batches(examples, 8, np.random.default_rng(0), at_least=30))
    assert sorted(map(len, drawn)) == [8, 9]
    assert sorted(e.utterance for batch in drawn for e in batch) == list(range(17))
    (nine,) = batches(examples[:9], 8, np.random.default_rng(0), at_least=30)
    assert len(nine) == 9
    assert len(list(batches(examples[:1], 8, np.random.default_rng(0), at_least=30))) == 1


def test_crops_lie_inside_and_have_the_share_asked_for() -> None:
    rng = np.random.default_rng(0)
    examples = [Example(number, 10, 10 + number) for number in range(1, 100)]
    for before, after in zip(examples, crop(examples, 0.6, rng), strict=True):
        assert after.utterance == before.utterance
        assert before.start <= after.start < after.stop <= before.stop
        assert len(after) == math.ceil(0.6 * (before.stop - before.start))


def test_each_start_of_a_crop_is_equally_likely_and_repeatable() -> None:
    """Of 8 frames from 10 on, 6 are kept, so a crop starts at 10, 11 or 12."""
    examples = [Example(0, 10, 18)] * 3000
    crops = crop(examples, 0.75, np.random.default_rng(0))
    assert {(each.start, each.stop) for each in crops} == {(10, 16), (11, 17), (12, 18)}
    counts = np.bincount([each.start for each in crops])[10:]
    np.testing.assert_allclose(counts, 1000, atol=100)
    assert crop(examples, 0.75, np.random.default_rng(0)) == crops
    assert crop(examples, 0.75, np.random.default_rng(1)) != crops


def test_examples_are_drawn_as_often_as_their_weights_say() -> None:
    targets = np.array([0] * 80 + [1] * 15 + [2] * 5)
    weights = np.array([1 / 80] * 80 + [1 / 15] * 15 + [1 / 5] * 5)
    examples = [Example(number, 0, 5) for number in range(100)]
    drawn = []
    for seed in range(300):
        part = draw_weighted(examples, weights, np.random.default_rng(seed))
        assert len(part) == 100
        drawn += [example.utterance for example in part]
    by_example = np.bincount(drawn, minlength=100)
    by_class = np.bincount(targets, weights=by_example)
    np.testing.assert_allclose(by_class, 10_000, rtol=0.03)
    np.testing.assert_allclose(by_example[80:95], 10_000 / 15, rtol=0.2)
    np.testing.assert_allclose(by_example[95:], 10_000 / 5, rtol=0.1)


def test_no_speaker_has_more_examples_than_asked_for() -> None:
    speakers = np.array(["a"] * 50 + ["b"] * 3, object)
    examples = [Example(number, 0, 5) for number in range(len(speakers))]
    counts = np.zeros(len(speakers))
    for seed in range(500):
        drawn = cap_per_speaker(examples, speakers, 10, np.random.default_rng(seed))
        numbers = [example.utterance for example in drawn]
        assert numbers == sorted(set(numbers))
        assert [speakers[numbers].tolist().count(name) for name in "ab"] == [10, 3]
        counts[numbers] += 1
    np.testing.assert_allclose(counts[:50], 100, atol=40)  # each is as likely
