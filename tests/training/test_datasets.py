import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch

from emotone import corpora
from emotone.audio import read
from emotone.corpora.table import TableOptions
from emotone.errors import CorpusError
from emotone.features import FeatureOptions, Features
from emotone.training import datasets
from emotone.training.datasets import Example, Spectrograms
from tests.helpers import voice

OPTIONS = FeatureOptions(mels=16, hop_ms=20)


def load(table: Path, folder: Path, options: FeatureOptions = OPTIONS) -> Spectrograms:
    return datasets.spectrograms(corpora.read(TableOptions(root=table)), options, folder)


def test_spectrograms_are_those_of_the_front_end(
    make_table: Callable[..., Path], tmp_path: Path
) -> None:
    table = make_table()
    data = load(table, tmp_path / "kept")
    corpus = corpora.read(TableOptions(root=table))
    for number, file in enumerate(corpus.table["file"]):
        waveform = torch.from_numpy(read(file))[None]
        expected, _ = Features(OPTIONS).log_mel(waveform, torch.tensor([waveform.shape[1]]))
        torch.testing.assert_close(data[number], expected[0])
    assert data.of_speakers(["s1"]) == [4, 5, 6, 7]
    assert [data.labels[target] for target in data.targets] == corpus.table["emotion"].tolist()


def test_they_are_computed_once_and_again_when_a_file_changes(
    make_table: Callable[..., Path], tmp_path: Path
) -> None:
    table, kept = make_table(), tmp_path / "kept"
    before = load(table, kept)
    calls: list[int] = []
    corpus = corpora.read(TableOptions(root=table))
    datasets.spectrograms(corpus, OPTIONS, kept, advance=lambda: calls.append(1))
    assert not calls
    soundfile.write(corpus.table["file"][0], voice(99, 0.5), 16_000)
    after = datasets.spectrograms(corpus, OPTIONS, kept, advance=lambda: calls.append(1))
    assert len(calls) == len(corpus.table)
    assert len(after[0]) != len(before[0])
    datasets.forget(kept)
    assert not kept.exists()


def spoil(name: str, root: Path) -> None:
    path = root / "s0_anger_0.wav"
    if name == "missing":
        path.unlink()
    elif name == "empty":
        path.write_bytes(b"")
    elif name == "not audio":
        path.write_text("no audio " * 100)
    elif name == "truncated":
        path.write_bytes(path.read_bytes()[:3000])
    elif name == "zeros":
        soundfile.write(path, np.zeros(8000), 16_000)
    elif name == "nan":
        soundfile.write(path, np.full(8000, np.nan), 16_000, subtype="FLOAT")
    else:
        soundfile.write(path, np.array([0.5]), 16_000)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing", r"s0_anger_0\.wav: no such file"),
        ("empty", r"s0_anger_0\.wav: the file is empty"),
        ("not audio", r"s0_anger_0\.wav: not audio"),
        ("truncated", r"s0_anger_0\.wav: truncated"),
        ("zeros", r"s0_anger_0\.wav: holds only zeros"),
        ("nan", r"s0_anger_0\.wav: contains NaN"),
        ("one sample", r"s0_anger_0\.wav: 1 samples at 16 kHz is too short"),
    ],
)
def test_unusable_audio_is_named(
    make_table: Callable[..., Path], tmp_path: Path, name: str, message: str
) -> None:
    table = make_table()
    corpus = corpora.read(TableOptions(root=table))
    spoil(name, table.parent)
    with pytest.raises(
        CorpusError, match=rf"1 of 16 utterances of table cannot be used: .*{message}"
    ):
        datasets.spectrograms(corpus, OPTIONS, tmp_path / "kept")


def test_all_unusable_files_are_counted(make_table: Callable[..., Path], tmp_path: Path) -> None:
    table = make_table()
    corpus = corpora.read(TableOptions(root=table))
    for file in corpus.table["file"][:5]:
        Path(file).write_bytes(b"")
    with pytest.raises(CorpusError, match=r"5 of 16 .*; …\. Fix or remove them"):
        datasets.spectrograms(corpus, OPTIONS, tmp_path / "kept")


@pytest.mark.parametrize(("rate", "channels"), [(8_000, 1), (192_000, 1), (48_000, 6)])
def test_unusual_rates_and_channels_are_fine(tmp_path: Path, rate: int, channels: int) -> None:
    samples = np.stack([voice(1, 0.5, rate)] * channels, axis=1)
    soundfile.write(tmp_path / "a.wav", samples, rate)
    pd.DataFrame({"file": ["a.wav"], "emotion": ["anger"], "speaker": ["x"]}).to_csv(
        tmp_path / "t.csv", index=False
    )
    assert load(tmp_path / "t.csv", tmp_path / "kept").frames.tolist() == [26]


def test_a_batch_is_padded_with_zeros(make_table: Callable[..., Path], tmp_path: Path) -> None:
    data = load(make_table(), tmp_path / "kept")
    stacked, frames = data.batch([Example(0, 2, 9), Example(1, 0, 12)], at_least=20)
    assert stacked.shape == (2, 20, 16)
    assert frames.tolist() == [7, 12]
    torch.testing.assert_close(stacked[0, :7], data[0][2:9])
    assert not stacked[0, 7:].any()


def test_segments_cover_each_utterance_once(
    make_table: Callable[..., Path], tmp_path: Path
) -> None:
    data = load(make_table(), tmp_path / "kept")
    pieces = datasets.cut(data, [0, 1], 6)
    for number in (0, 1):
        covered = [
            frame
            for piece in pieces
            if piece.utterance == number
            for frame in range(piece.start, piece.stop)
        ]
        assert covered == list(range(data.frames[number]))


def test_the_last_segment_may_overlap_the_one_before(
    make_table: Callable[..., Path], tmp_path: Path
) -> None:
    data = load(make_table(), tmp_path / "kept")
    frames = int(data.frames[0])
    assert frames % 6
    pieces = datasets.cut(data, [0], 6, overlapping=True)
    assert pieces[:-1] == datasets.cut(data, [0], 6)[:-1]
    assert pieces[-1] == Example(0, frames - 6, frames)
    assert datasets.cut(data, [0], frames, overlapping=True) == datasets.whole(data, [0])
    longer = datasets.cut(data, [0], frames + 5, overlapping=True)
    assert longer == datasets.whole(data, [0])


def test_batches_hold_each_example_once_and_alike_lengths_together() -> None:
    lengths = np.random.default_rng(0).integers(10, 1000, 333)
    examples = [Example(number, 0, int(length)) for number, length in enumerate(lengths)]
    drawn = list(datasets.batches(examples, 8, np.random.default_rng(1)))
    assert sorted(e.utterance for batch in drawn for e in batch) == list(range(333))
    spread = [max(e.stop for e in batch) - min(e.stop for e in batch) for batch in drawn]
    assert np.mean(spread) < 250  # of random batches it would be about 800
    padded = datasets.batches(examples, 8, np.random.default_rng(1), at_least=1000)
    spread = [max(e.stop for e in batch) - min(e.stop for e in batch) for batch in padded]
    assert np.mean(spread) > 700
    again = list(datasets.batches(examples, 8, np.random.default_rng(1)))
    other = list(datasets.batches(examples, 8, np.random.default_rng(2)))
    assert drawn == again != other


def test_no_segment_is_alone_in_a_batch() -> None:
    examples = [Example(number, 0, 30) for number in range(17)]
    drawn = list(datasets.batches(examples, 8, np.random.default_rng(0), at_least=30))
    assert sorted(map(len, drawn)) == [8, 9]
    assert sorted(e.utterance for batch in drawn for e in batch) == list(range(17))
    assert len(list(datasets.batches(examples[:1], 8, np.random.default_rng(0), at_least=30))) == 1


def test_crops_lie_inside_and_balanced_classes_are_equal() -> None:
    rng = np.random.default_rng(0)
    examples = [Example(number, 10, 10 + number) for number in range(1, 100)]
    for before, after in zip(examples, datasets.cropped(examples, 0.6, rng), strict=True):
        assert before.start <= after.start < after.stop <= before.stop
        assert after.stop - after.start == math.ceil(0.6 * (before.stop - before.start))
    targets = np.array([0] * 90 + [1] * 10)
    drawn = datasets.balanced([Example(n, 0, 5) for n in range(100)], targets, rng)
    assert 30 <= sum(targets[e.utterance] for e in drawn) <= 70


def test_no_speaker_has_more_examples_than_asked_for() -> None:
    speakers = np.array(["a"] * 50 + ["b"] * 3, object)
    examples = [Example(number, 0, 5) for number in range(len(speakers))]
    seen = set()
    for seed in range(100):
        drawn = datasets.fewer(examples, speakers, 10, np.random.default_rng(seed))
        numbers = [example.utterance for example in drawn]
        assert numbers == sorted(set(numbers))
        assert [speakers[numbers].tolist().count(name) for name in "ab"] == [10, 3]
        seen |= set(numbers)
    assert seen == set(range(len(speakers)))
