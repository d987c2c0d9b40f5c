import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from numpy.typing import NDArray

from emotone import corpora
from emotone.corpora.table import TableOptions
from emotone.errors import CorpusError
from emotone.features.utterances import cache_key, cached, map_utterances
from tests.helpers import voice


def lengths_of(corpus: corpora.Corpus, advance: Callable[[], None] = lambda: None) -> list[int]:
    return map_utterances(corpus, len, advance, workers=2)


def test_each_utterance_is_read_in_the_order_of_the_table(make_table: Callable[..., Path]) -> None:
    corpus = corpora.read(TableOptions(root=make_table()))
    calls: list[int] = []
    expected = [soundfile.info(file).frames for file in corpus.table["file"]]
    assert lengths_of(corpus, lambda: calls.append(1)) == expected
    assert len(calls) == len(expected)


def test_processes_compute_what_threads_do_and_name_what_is_damaged(
    make_table: Callable[..., Path],
) -> None:
    corpus = corpora.read(TableOptions(root=make_table()))
    calls: list[int] = []
    found = map_utterances(corpus, len, lambda: calls.append(1), workers=2, processes=True)
    assert found == lengths_of(corpus)
    assert len(calls) == len(found)
    Path(corpus.table["file"][1]).unlink()
    with pytest.raises(CorpusError, match=r"1 of .* cannot be used"):
        map_utterances(corpus, len, lambda: None, workers=2, processes=True)


def test_threads_that_read_do_not_start_threads_of_pytorch(make_table: Callable[..., Path]) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        corpus = corpora.read(TableOptions(root=make_table()))
        found = map_utterances(corpus, lambda _: torch.get_num_threads(), lambda: None, workers=2)
        assert set(found) == {1}
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_of_a_part_the_part_is_read(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", voice(0, 2.0), 16_000)
    (tmp_path / "t.csv").write_text(
        "file,start,end,emotion,speaker\na.wav,0.5,0.75,anger,x\na.wav,1.5,,calm,x\n"
    )
    corpus = corpora.read(TableOptions(root=tmp_path / "t.csv"))
    assert lengths_of(corpus) == [4000, 8000]


@pytest.mark.parametrize("damage", [b"", b"no array", b"PK\x03\x04", None])
def test_what_is_kept_is_read_again_unless_it_is_damaged(
    make_table: Callable[..., Path], tmp_path: Path, damage: bytes | None
) -> None:
    corpus, calls = corpora.read(TableOptions(root=make_table(takes=1))), []

    def compute() -> list[float]:
        def mean(waveform: NDArray[np.float32]) -> NDArray[np.float32]:
            return np.array([waveform.mean()])

        found = cached(corpus, "mean", mean, tmp_path, lambda: calls.append(1), workers=1)
        return [float(one) for one in found[:, 0]]

    before = compute()
    assert compute() == before
    assert len(calls) == len(corpus.table)
    (path,) = tmp_path.glob("*.npy")
    path.write_bytes(path.read_bytes()[:-4] if damage is None else damage)
    assert compute() == before
    assert len(calls) == 2 * len(corpus.table)


def test_a_key_changes_with_files_order_and_options(make_table: Callable[..., Path]) -> None:
    corpus = corpora.read(TableOptions(root=make_table()))
    keys = [cache_key(corpus, "a"), cache_key(corpus, "b")]
    turned = corpora.Corpus(corpus.name, corpus.table[::-1])
    keys.append(cache_key(turned, "a"))
    file = Path(corpus.table["file"][0])
    before = file.stat()
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    keys.append(cache_key(corpus, "a"))
    assert len(set(keys)) == 4
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert cache_key(corpus, "a") == keys[0]
    file.unlink()
    assert cache_key(corpus, "a") not in keys


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
def test_unusable_audio_is_named(make_table: Callable[..., Path], name: str, message: str) -> None:
    table = make_table()
    corpus = corpora.read(TableOptions(root=table))
    spoil(name, table.parent)
    with pytest.raises(
        CorpusError, match=rf"1 of 16 utterances of table cannot be used: .*{message}"
    ):
        lengths_of(corpus)


def test_all_unusable_files_are_counted(make_table: Callable[..., Path]) -> None:
    table = make_table()
    corpus = corpora.read(TableOptions(root=table))
    for file in corpus.table["file"][:5]:
        Path(file).write_bytes(b"")
    with pytest.raises(CorpusError, match=r"5 of 16 .*; …\. Fix or remove them"):
        lengths_of(corpus)
