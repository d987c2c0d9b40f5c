import pickle
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
    return load_or_compute(corpora.read(TableOptions(root=table)), Features(options), folder)


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
    load_or_compute(corpus, Features(OPTIONS), kept, advance=lambda: calls.append(1))
    assert not calls
    soundfile.write(corpus.table["file"][0], voice(99, 0.5), 16_000)
    after = load_or_compute(corpus, Features(OPTIONS), kept, advance=lambda: calls.append(1))
    assert len(calls) == len(corpus.table)
    assert len(after[0]) != len(before[0])
    delete_cache(kept)
    assert not kept.exists()


@pytest.mark.parametrize(
    ("suffix", "content"),
    [
        (".json", b""),
        (".json", b"\xff"),
        (".json", b"{}"),
        (".json", b"[0, 1]"),
        (".npy", b""),
        (".npy", b"no array"),
        (".npy", None),
    ],
)
def test_what_is_damaged_is_computed_again(
    make_table: Callable[..., Path], tmp_path: Path, suffix: str, content: bytes | None
) -> None:
    table, kept = make_table(takes=1), tmp_path / "kept"
    before = load(table, kept)
    (path,) = kept.glob(f"*{suffix}")
    damaged = path.read_bytes()[:-4] if content is None else content
    path.unlink()  # the file itself is mapped
    path.write_bytes(damaged)
    after = load(table, kept)
    for number in range(len(before.targets)):
        torch.testing.assert_close(after[number], before[number])
    assert not np.array_equal(after.bounds, [0, 1])


@pytest.mark.parametrize(("rate", "channels"), [(8_000, 1), (192_000, 1), (48_000, 6)])
def test_unusual_rates_and_channels_are_fine(tmp_path: Path, rate: int, channels: int) -> None:
    samples = np.stack([voice(1, 0.5, rate)] * channels, axis=1)
    soundfile.write(tmp_path / "a.wav", samples, rate)
    pd.DataFrame({"file": ["a.wav"], "emotion": ["anger"], "speaker": ["x"]}).to_csv(
        tmp_path / "t.csv", index=False
    )
    assert load(tmp_path / "t.csv", tmp_path / "kept").frames.tolist() == [26]


@pytest.mark.parametrize(
    "change",
    [{"hop_ms": 10}, {"window_ms": 20}, {"mels": 20}, {"dynamic_range_db": 30}, {"level": "rms"}],
)
def test_what_shapes_them_is_part_of_their_name(
    make_table: Callable[..., Path], tmp_path: Path, change: dict[str, object]
) -> None:
    table, kept = make_table(speakers=1, takes=1), tmp_path / "kept"
    before = load(table, kept)
    other = FeatureOptions.model_validate(OPTIONS.model_dump() | change)
    after = load(table, kept, other)
    assert after.path != before.path
    waveform = torch.from_numpy(read(corpora.read(TableOptions(root=table)).table["file"][0]))
    expected, _ = Features(other).log_mel(waveform[None], torch.tensor([len(waveform)]))
    torch.testing.assert_close(after[0], expected[0])
    # deltas and normalisation are computed from them
    alike = OPTIONS.model_copy(update={"deltas": 0, "norm": "utterance", "enrol_prior": 1.0})
    assert load(table, kept, alike).path == before.path


def test_they_are_read_again_as_they_were_kept(
    make_table: Callable[..., Path], tmp_path: Path
) -> None:
    table, kept = make_table(), tmp_path / "kept"
    before, after = load(table, kept), load(table, kept)
    assert after.bounds.tolist() == before.bounds.tolist()
    assert torch.equal(after[5], before[5])


def test_another_process_maps_the_file_and_another_machine_gets_the_values(
    make_table: Callable[..., Path], tmp_path: Path
) -> None:
    data = load(make_table(), tmp_path / "kept")
    sent = pickle.dumps(data)
    assert len(sent) < data.values.nbytes + 10_000
    mapped = pickle.loads(sent)
    assert isinstance(mapped.values, np.memmap)
    light, values = data.detach()
    assert light.path is None
    delete_cache(tmp_path / "kept")
    elsewhere = pickle.loads(pickle.dumps(light)).attach(values)
    for number in range(len(data.targets)):
        assert torch.equal(elsewhere[number], data[number])


def test_seconds_count_the_padding_of_segments(data: Spectrograms) -> None:
    # frames of 20 ms: eight utterances of 16 and eight of 21
    assert data.seconds() == pytest.approx(8 * 0.32 + 8 * 0.42)
    assert data.seconds(0.4) == pytest.approx(8 * 0.4 + 8 * 0.8)
