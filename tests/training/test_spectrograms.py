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
from emotone.features import FeatureOptions, Features
from emotone.training.spectrograms import Spectrograms, delete_cache, load_or_compute
from tests.helpers import voice

OPTIONS = FeatureOptions(mels=16, hop_ms=20)


def load(table: Path, folder: Path, options: FeatureOptions = OPTIONS) -> Spectrograms:
    return load_or_compute(corpora.read(TableOptions(root=table)), options, folder)


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


def test_each_corpus_has_its_labels(two_corpora: Spectrograms) -> None:
    assert two_corpora.labels == ["anger", "fear", "neutral"]
    assert two_corpora.corpora.tolist() == ["a"] * 12 + ["b"] * 12
    expected = [[True, False, True]] * 12 + [[True, True, False]] * 12
    assert two_corpora.possible.tolist() == expected


def test_they_are_computed_once_and_again_when_a_file_changes(
    make_table: Callable[..., Path], tmp_path: Path
) -> None:
    table, kept = make_table(), tmp_path / "kept"
    before = load(table, kept)
    calls: list[int] = []
    corpus = corpora.read(TableOptions(root=table))
    load_or_compute(corpus, OPTIONS, kept, advance=lambda: calls.append(1))
    assert not calls
    soundfile.write(corpus.table["file"][0], voice(99, 0.5), 16_000)
    after = load_or_compute(corpus, OPTIONS, kept, advance=lambda: calls.append(1))
    assert len(calls) == len(corpus.table)
    assert len(after[0]) != len(before[0])
    delete_cache(kept)
    assert not kept.exists()


@pytest.mark.parametrize(("rate", "channels"), [(8_000, 1), (192_000, 1), (48_000, 6)])
def test_unusual_rates_and_channels_are_fine(tmp_path: Path, rate: int, channels: int) -> None:
    samples = np.stack([voice(1, 0.5, rate)] * channels, axis=1)
    soundfile.write(tmp_path / "a.wav", samples, rate)
    pd.DataFrame({"file": ["a.wav"], "emotion": ["anger"], "speaker": ["x"]}).to_csv(
        tmp_path / "t.csv", index=False
    )
    assert load(tmp_path / "t.csv", tmp_path / "kept").frames.tolist() == [26]
