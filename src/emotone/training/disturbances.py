"""Disturbed versions of training utterances, computed ahead: rooms, noises, bands, codecs, levels.

They are computed once from waveforms and kept beside the clean spectrograms, so a training step
costs what it costs without them. What one mel spectrogram can be changed to is left to
:mod:`emotone.training.augmentation`. Babble is added there, too: from speakers of the training fold
only.
"""

import zlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.random import Generator
from pydantic import Field, model_validator

from emotone.audio import SAMPLE_RATE, Waveform, read
from emotone.audio import disturbances as change
from emotone.audio.folders import search
from emotone.errors import CorpusError
from emotone.options import Options

LONGEST_S = 20.0  # of a recording; what comes later is not used
TEST_VERSION = 1000  # beyond all of training
SNR_DB = (0.0, 40.0)
SILENCE_S = (0.1, 2.0)
RT60_S = (0.1, 1.0)
LEVEL_DB = (-40.0, 0.0)  # of the peak
ROLLOFF_DB = (12.0, 96.0)  # per octave, outside a band
CLIPPED = (0.001, 0.1)  # share of the samples
EQUALISER_HZ = np.geomspace(60, 8000, 8)


class DisturbanceOptions(Options):
    """Disturbed versions of each training utterance; each disturbance has its probability.

    Of the files in ``noise_folder`` and ``room_folder``, sorted by name, every second one is used,
    so that the others can serve as a test; see :func:`half`.

    Attributes:
        versions: number of disturbed versions of each utterance; 0 for none.
        test: whether a cross-validation also tests on disturbed utterances: one version of each,
            with the half of the files that is kept for tests.
        share: share of the examples in training that are a disturbed version.
        noise_folder: recordings without speech; ``None`` for synthetic noises only.
        room_folder: impulse responses of rooms; ``None`` for synthetic rooms only.
        room: reverberation, in a measured or a synthetic room.
        silence: silence before and after.
        noise: noise, 0 to 40 dB below the speech, also where the silence is.
        equaliser: a random frequency response, with a standard deviation of ``equaliser_db``.
        equaliser_db: see ``equaliser``.
        gain: automatic gain control.
        clip: clipping of the loudest samples.
        band: a narrower band.
        codec: MP3, Opus, AAC, AMR, G.722 or µ-law.
    """

    versions: int = Field(0, ge=0, le=100)
    test: bool = False
    share: float = Field(0.75, ge=0, le=1)
    noise_folder: Path | None = None
    room_folder: Path | None = None
    room: float = Field(0.4, ge=0, le=1)
    silence: float = Field(0.5, ge=0, le=1)
    noise: float = Field(0.7, ge=0, le=1)
    equaliser: float = Field(0.5, ge=0, le=1)
    equaliser_db: float = Field(6.0, ge=0)
    gain: float = Field(0.15, ge=0, le=1)
    clip: float = Field(0.15, ge=0, le=1)
    band: float = Field(0.3, ge=0, le=1)
    codec: float = Field(0.4, ge=0, le=1)

    @model_validator(mode="after")
    def _folders_have_audio(self) -> "DisturbanceOptions":
        for name in ("noise_folder", "room_folder"):
            folder = getattr(self, name)
            if folder is not None and (problem := lacking(folder, halves=self.test)):
                raise ValueError(f"{name}: {problem}")
        return self


class Disturber:
    """Disturbs waveforms at random, the same waveform always in the same way.

    Args:
        options: what happens how often.
        version: number of the version; each is different.
        test: whether to use the half of the files that is kept for tests.
    """

    def __init__(self, options: DisturbanceOptions, version: int, *, test: bool = False) -> None:
        self.options, self.version = options, version
        self.noises = _recordings(options.noise_folder, test=test)
        self.rooms = _recordings(options.room_folder, test=test)

    def __call__(self, speech: Waveform) -> Waveform:
        """Disturb a waveform, shape ``(samples,)``; the result may be longer."""
        rng = np.random.default_rng([self.version, zlib.crc32(speech.tobytes())])
        options = self.options
        if rng.random() < options.room:
            speech = change.in_room(speech, self._room(rng))
        if rng.random() < options.silence:
            speech = change.surrounded(speech, rng.uniform(*SILENCE_S), rng.uniform(*SILENCE_S))
        if rng.random() < options.noise:
            noise = self._noise(rng, len(speech))
            speech = change.add_noise(speech, noise, rng.uniform(*SNR_DB))
        if rng.random() < options.equaliser:
            gain_db = options.equaliser_db * rng.standard_normal(len(EQUALISER_HZ))
            speech = change.filtered(speech, gain_db, EQUALISER_HZ)
        if rng.random() < options.gain:
            speech = change.automatic_gain(speech, release_s=rng.uniform(0.1, 1))
        if rng.random() < options.clip:
            speech = change.clipped(speech, rng.uniform(*CLIPPED))
        if rng.random() < options.band:
            low_hz, high_hz = rng.uniform(50, 400), rng.uniform(2500, 7500)
            speech = change.band_limited(speech, low_hz, high_hz, rng.uniform(*ROLLOFF_DB))
        peak = 10 ** (rng.uniform(*LEVEL_DB) / 20)
        speech = speech * np.float32(peak / max(float(np.abs(speech).max()), 1e-9))
        if rng.random() < options.codec:
            codec = change.CODECS[rng.integers(len(change.CODECS))]
            speech = change.through_codec(speech, codec, int(rng.choice(change.bit_rates(codec))))
        return speech

    def _room(self, rng: Generator) -> Waveform:
        if self.rooms and rng.random() < 0.5:
            return self.rooms[rng.integers(len(self.rooms))]
        return change.synthetic_room(rng, rng.uniform(*RT60_S))

    def _noise(self, rng: Generator, samples: int) -> Waveform:
        if self.noises and rng.random() < 0.5:
            noise = self.noises[rng.integers(len(self.noises))]
            return np.roll(noise, int(rng.integers(len(noise))))
        kind = rng.random()
        if kind < 0.15:
            return change.hum(rng, samples)
        if kind < 0.3:
            return change.music(rng, samples)
        return change.coloured_noise(rng, samples, rng.uniform(-7, 2))


def half(files: Sequence[Path], *, test: bool = False) -> list[Path]:
    """Choose every second file: the first for training, or the second for tests."""
    return list(files[int(test) :: 2])


def lacking(folder: Path, *, halves: bool) -> str:
    """Say what a folder of recordings lacks; empty if it has enough.

    Args:
        folder: the folder.
        halves: whether tests use it, too, so that neither half may be empty.
    """
    count = len(search(folder).files)
    if not count:
        return f"no audio files in {folder}; check the path"
    if halves and count == 1:
        return (
            f"1 audio file in {folder}; at least 2 are needed, one half for training, the other "
            "for tests"
        )
    return ""


def disturbers(options: DisturbanceOptions) -> list[Disturber]:
    """Make a disturber for each version, and one for tests if asked for."""
    training = [Disturber(options, number) for number in range(options.versions)]
    return training + [Disturber(options, TEST_VERSION, test=True)] * options.test


@cache
def _recordings(folder: Path | None, *, test: bool) -> list[Waveform]:
    """Read half of the recordings of a folder, no more than 20 s of each."""
    if folder is None:
        return []
    if problem := lacking(folder, halves=test):
        raise CorpusError(problem)
    found = [_beginning(path) for path in half(search(folder).files, test=test)]
    sounding = [waveform for waveform in found if waveform.any()]
    if not sounding:
        raise CorpusError(
            f"{folder}: the first {LONGEST_S:.0f} s of each file for "
            f"{'tests' if test else 'training'} are silent; give recordings of noise or rooms"
        )
    return sounding


def _beginning(path: Path) -> Waveform:
    # a second more than is used, so that resampling knows what follows
    return read(path, 0.0, LONGEST_S + 1)[: int(LONGEST_S * SAMPLE_RATE)]
