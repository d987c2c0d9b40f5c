import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from numpy.typing import NDArray

from emotone import audio, corpora
from emotone.corpora.emodb import EmodbOptions
from emotone.corpora.fingerprints import BYTES, fingerprint, repeated, same_content
from emotone.corpora.ravdess import RavdessOptions
from tests.helpers import real_corpus, voice

FORMATS = {
    "MP3 of 67 kbit/s": (16_000, "MP3", "MPEG_LAYER_III", 0.6),
    "Opus of 80 kbit/s": (48_000, "OGG", "OPUS", 0.7),
    "8 kHz, µ-law": (8_000, "WAV", "ULAW", None),
}


def encoded(waveform: audio.Waveform, kind: str) -> audio.Waveform:
    rate, container, subtype, level = FORMATS[kind]
    file = io.BytesIO()
    samples = soxr.resample(waveform, 16_000, rate)
    options = {} if level is None else {"compression_level": level}
    soundfile.write(file, samples, rate, format=container, subtype=subtype, **options)
    file.seek(0)
    return audio.from_array(*soundfile.read(file))


def prints(waveforms: list[audio.Waveform]) -> NDArray[np.uint8]:
    return np.stack([fingerprint(waveform) for waveform in waveforms])


def test_a_fingerprint_is_small_and_repeatable() -> None:
    made = fingerprint(voice(0))
    assert made.dtype == np.uint8
    assert made.shape == (BYTES,) == (34,)
    assert (made == fingerprint(voice(0))).all()


def test_level_and_silence_around_it_change_nothing() -> None:
    waveform = voice(0, 1.0)
    silence = np.zeros(4000, np.float32)
    padded = np.concatenate([silence, 0.1 * waveform, silence, silence])
    pairs = list(same_content(prints([voice(1, 1.0), waveform]), prints([padded])))
    assert pairs == [(1, 0)]


def test_pairs_are_found_across_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emotone.corpora.fingerprints.ROWS", 2)
    monkeypatch.setattr("emotone.corpora.fingerprints.BLOCK", 7)
    made = prints([voice(number) for number in (0, 1, 2, 0, 1)])
    assert list(repeated(made)) == [(0, 3), (1, 4)]
    assert (made[0] == fingerprint(voice(0))).all()


def test_short_and_silent_audio_has_one_too() -> None:
    for samples in (1, 400, 16_000):
        assert fingerprint(np.zeros(samples, np.float32)).shape == (BYTES,)


@pytest.mark.parametrize("kind", FORMATS)
def test_copies_in_other_formats_match_and_other_utterances_do_not(kind: str) -> None:
    table = corpora.read(EmodbOptions(root=real_corpus("emodb"))).table
    files = table["file"].iloc[::6].tolist()
    waveforms = [audio.read(file) for file in files]
    copies = [encoded(waveform, kind) for waveform in waveforms]
    assert list(same_content(prints(waveforms), prints(copies))) == [
        (number, number) for number in range(len(files))
    ]


def test_repetitions_of_a_sentence_by_one_actor_are_different() -> None:
    root = real_corpus("ravdess")
    table = corpora.read(RavdessOptions(root=root)).table
    actors = table[table["speaker"].isin(["01", "02", "07"])].reset_index(drop=True)
    found = repeated(prints([audio.read(file) for file in actors["file"]]))
    names = [{Path(actors["file"][number]).stem for number in pair} for pair in found]
    # the published corpus has this recording twice
    assert names == [{"03-01-03-01-02-01-07", "03-01-03-01-02-02-07"}]
