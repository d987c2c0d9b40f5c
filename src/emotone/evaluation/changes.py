"""The changes of speech under which ``emotone audit`` compares a model's answers, one registry.

The small changes and the spectral tilt are those of audEERING's ser-tests (Derington et al.,
"Testing correctness, fairness, and robustness of speech emotion recognition models", 2023). What
is done to a waveform is in :mod:`emotone.audio.disturbances`; where ser-tests has several levels
of a change, one of them is drawn for each utterance. The criteria of the small changes are
theirs, too, all others are our choice.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import soundfile
import soxr
from numpy.random import Generator

from emotone.audio import SAMPLE_RATE, Waveform, from_array
from emotone.audio.disturbances import (
    CODECS,
    Codec,
    add_noise,
    band_limited,
    clipped,
    coloured_noise,
    filtered,
    hum,
    in_room,
    music,
    surrounded,
    synthetic_room,
    through_codec,
)
from emotone.audio.pitch import pitch_shifted
from emotone.audio.voices import monotone, sung, whispered

BABBLE_SPEAKERS = 5
NARROW_RATE = 8_000  # Hz
SHORT_RT60_S = 0.6  # rooms up to this reverberation time have a criterion


class Material(Protocol):
    """The recordings that some changes need."""

    def babble(self, rng: Generator, samples: int) -> Waveform:
        """Several other speakers of the corpus at once."""

    def environment(self, rng: Generator, samples: int) -> Waveform:
        """A recording of noise."""

    def response(self, rng: Generator, *, short: bool) -> Waveform:
        """A measured impulse response, of a room with a short or with a long RT60."""


Apply = Callable[[Waveform, Generator, Material], Waveform]


@dataclass(frozen=True)
class Criterion:
    """What a model should reach under a change.

    Attributes:
        unchanged: least share of answers that stay the same; ``None`` if any may change.
        uar_change: lowest difference of the UAR; ``None`` if only the answers count.
        confident: largest share of confident answers; ``None`` if all may be.
    """

    unchanged: float | None = None
    uar_change: float | None = None
    confident: float | None = None


@dataclass(frozen=True)
class Change:
    """A change of speech.

    Attributes:
        title: name in reports.
        group: key of :data:`GROUPS`.
        apply: maps a waveform at 16 kHz, a random generator and :class:`Material` to a waveform.
        criterion: ``None`` if it is only reported.
        needs: ``noise``, ``short_rooms``, ``long_rooms`` or a codec, without which it is skipped.
    """

    title: str
    group: str
    apply: Apply
    criterion: Criterion | None = None
    needs: str = ""


GROUPS = {
    "small": "Small changes",
    "surroundings": "Silence and noise around the speech",
    "noise": "Noise at 20 dB",
    "loud_noise": "Noise at 15 dB",
    "room": "Rooms",
    "telephone": "Telephone",
    "codec": "Codecs",
    "offset": "Offset and hum",
    "level": "Level and spectrum",
    "pitch": "Pitch",
    "voice": "Unusual voices",
}
SMALL = Criterion(0.95)
AROUND = Criterion(0.95, -0.03)
COMMON = Criterion(0.90, -0.03)
HARD = Criterion(0.80, -0.06)
NARROW = Criterion(0.50, -0.05)
TILT = Criterion(0.80, -0.02)
UNUSUAL = Criterion(confident=0.10)  # no corpus of emotions has such voices


def _scaled(speech: Waveform, decibels: float) -> Waveform:
    return (speech * 10 ** (decibels / 20)).astype(np.float32)


def _noise(snr_db: float, slope: float) -> Apply:
    """Gaussian noise; ``slope`` is in dB per octave."""
    return lambda speech, rng, _: add_noise(speech, coloured_noise(rng, len(speech), slope), snr_db)


def _babble(snr_db: float) -> Apply:
    return lambda speech, rng, material: add_noise(
        speech, material.babble(rng, len(speech)), snr_db
    )


def _tone(speech: Waveform, rng: Generator, _: Material) -> Waveform:
    wave = np.sin(2 * np.pi * rng.uniform(5000, 7000) * np.arange(len(speech)) / SAMPLE_RATE)
    return add_noise(speech, wave.astype(np.float32), rng.choice([40, 45, 50]))


def _around(speech: Waveform) -> Waveform:
    return surrounded(speech, 2.0, 3.0)


def _hiss(speech: Waveform, rng: Generator, _: Material) -> Waveform:
    whole = _around(speech)
    return whole + _scaled(coloured_noise(rng, len(whole)), -60)


def _floor(slope: float) -> Apply:
    noisy = _noise(30, slope)
    return lambda speech, rng, material: noisy(_around(speech), rng, material)


def _room(rt60_s: float) -> Apply:
    return lambda speech, rng, _: in_room(speech, synthetic_room(rng, rt60_s))


def _measured_room(*, short: bool) -> Apply:
    return lambda speech, rng, material: in_room(speech, material.response(rng, short=short))


def _codec(codec: Codec, bit_rate: int | None = None) -> Apply:
    return lambda speech, rng, _: through_codec(speech, codec, bit_rate)


def _gsm(speech: Waveform, _: Generator, __: Material) -> Waveform:
    """GSM 6.10 of libsndfile; FFmpeg has no encoder of its own."""
    narrow = soxr.resample(speech, SAMPLE_RATE, NARROW_RATE).clip(-1, 1)
    file = io.BytesIO()
    soundfile.write(file, narrow, NARROW_RATE, format="WAV", subtype="GSM610")
    file.seek(0)
    return from_array(*soundfile.read(file, dtype="float32"))[: len(speech)]


def _tilted(speech: Waveform, rng: Generator, _: Material) -> Waveform:
    """Tilt the spectrum by 6 dB from one end to the other."""
    half_db = rng.choice([-3.0, 3.0])
    hz = np.linspace(1.0, SAMPLE_RATE / 2, 400)
    return filtered(speech, np.linspace(-half_db, half_db, 400), hz)


def _pitch(semitones: float) -> Apply:
    return lambda speech, rng, _: pitch_shifted(speech, semitones)


def _steps(rng: Generator) -> int:
    """Draw the number of samples of a small change in time."""
    return int(rng.choice([100, 500, 1000]))


CHANGES: dict[str, Change] = {
    "gain": Change("gain of ±1 or ±2 dB", "small",
        lambda s, rng, _: _scaled(s, rng.choice([-2, -1, 1, 2])), SMALL),
    "prepend": Change("100 to 1000 zeros before", "small",
        lambda s, rng, _: np.pad(s, (_steps(rng), 0)), SMALL),
    "append": Change("100 to 1000 zeros after", "small",
        lambda s, rng, _: np.pad(s, (0, _steps(rng))), SMALL),
    "crop_start": Change("100 to 1000 samples cut off the beginning", "small",
        lambda s, rng, _: s[_steps(rng):], SMALL),
    "crop_end": Change("100 to 1000 samples cut off the end", "small",
        lambda s, rng, _: s[:-_steps(rng)], SMALL),
    "clip": Change("0.1 to 0.3 % of the samples clipped", "small",
        lambda s, rng, _: clipped(s, rng.choice([0.001, 0.002, 0.003])), SMALL),
    "high_pass": Change("high-pass at 50, 100 or 150 Hz", "small",
        lambda s, rng, _: band_limited(s, rng.choice([50, 100, 150]), 8000, 24), SMALL),
    "low_pass": Change("low-pass at 7500, 7000 or 6500 Hz", "small",
        lambda s, rng, _: band_limited(s, 1, rng.choice([7500, 7000, 6500]), 24), SMALL),
    "tone": Change("tone of 5 to 7 kHz at 40 to 50 dB", "small", _tone, SMALL),
    "faint_noise": Change("white noise at 35 to 45 dB", "small",
        lambda s, rng, m: _noise(rng.choice([35, 40, 45]), 0)(s, rng, m), SMALL),
    "silence": Change("2 s of digital silence before, 3 s after", "surroundings",
        lambda s, rng, _: _around(s), AROUND),
    "hiss": Change("the same with hiss at −60 dBFS throughout", "surroundings", _hiss, AROUND),
    "floor_white": Change("the same with white noise at 30 dB", "surroundings", _floor(0), AROUND),
    "floor_pink": Change("the same with pink noise at 30 dB", "surroundings", _floor(-3), AROUND),
    "white": Change("white noise", "noise", _noise(20, 0), COMMON),
    "pink": Change("pink noise", "noise", _noise(20, -3), COMMON),
    "babble": Change("babble of five speakers", "noise", _babble(20), COMMON),
    "music": Change("synthetic chords", "noise",
        lambda s, rng, _: add_noise(s, music(rng, len(s)), 20), COMMON),
    "environment": Change("recorded noise", "noise",
        lambda s, rng, m: add_noise(s, m.environment(rng, len(s)), 20), COMMON, "noise"),
    "loud_pink": Change("pink noise, 15 dB", "loud_noise", _noise(15, -3), HARD),
    "loud_babble": Change("babble of five speakers, 15 dB", "loud_noise", _babble(15), HARD),
    "rt60_0_3": Change("synthetic room, RT60 0.3 s", "room", _room(0.3), HARD),
    "rt60_0_6": Change("synthetic room, RT60 0.6 s", "room", _room(0.6), HARD),
    "rt60_1_0": Change("synthetic room, RT60 1.0 s", "room", _room(1.0)),
    "measured_short": Change("measured rooms, RT60 up to 0.6 s", "room",
        _measured_room(short=True), HARD, "short_rooms"),
    "measured_long": Change("measured rooms, RT60 above 0.6 s", "room",
        _measured_room(short=False), None, "long_rooms"),
    "band": Change("band of 300 to 3400 Hz", "telephone",
        lambda s, rng, _: band_limited(s, 300, 3400), COMMON),
    "mu_law": Change("µ-law, 8 kHz", "telephone", _codec("mu_law"), COMMON, "mu_law"),
    "gsm": Change("GSM 6.10", "telephone", _gsm, NARROW),
    "amr": Change("AMR, 12.2 kbit/s", "telephone", _codec("amr"), NARROW, "amr"),
    "mp3": Change("MP3, 32 kbit/s", "codec", _codec("mp3", 32_000), COMMON, "mp3"),
    "opus": Change("Opus, 16 kbit/s", "codec", _codec("opus", 16_000), COMMON, "opus"),
    "aac": Change("AAC, 32 kbit/s", "codec", _codec("aac", 32_000), COMMON, "aac"),
    "dc": Change("DC offset of 1 % of full scale", "offset",
        lambda s, rng, _: s + np.float32(0.01), COMMON),
    "hum": Change("mains hum at 30 dB", "offset",
        lambda s, rng, _: add_noise(s, hum(rng, len(s)), 30), COMMON),
    "large_gain": Change("gain of ±20 dB, without clipping", "level",
        lambda s, rng, _: _scaled(s, rng.choice([-20, 20])), SMALL),
    "tilt": Change("spectrum tilted by ±6 dB", "level", _tilted, TILT),
    "pitch_up_2": Change("2 semitones higher", "pitch", _pitch(2)),
    "pitch_down_2": Change("2 semitones lower", "pitch", _pitch(-2)),
    "pitch_up_4": Change("4 semitones higher", "pitch", _pitch(4)),
    "pitch_down_4": Change("4 semitones lower", "pitch", _pitch(-4)),
    "whispered": Change("whispered", "voice", lambda s, rng, _: whispered(s, rng), UNUSUAL),
    "monotone": Change("synthesised at one pitch", "voice",
        lambda s, rng, _: monotone(s, rng.uniform(90, 220)), UNUSUAL),
    "sung": Change("sung, notes of 0.4 s", "voice", lambda s, rng, _: sung(s, rng), UNUSUAL),
}  # fmt: skip


def missing_codecs() -> dict[str, str]:
    """Codecs of :data:`CHANGES` that cannot be used here, with the reason."""
    found: dict[str, str] = {}
    noise = coloured_noise(np.random.default_rng(0), SAMPLE_RATE // 2)
    for codec in CODECS:
        try:
            through_codec(0.1 * noise, codec)
        except (ValueError, OSError) as error:  # FFmpegError and UnknownCodecError are among them
            found[codec] = f"the local FFmpeg cannot encode it ({error})"
    return found


def reverberation_s(response: Waveform) -> float:
    """RT60 in seconds of an impulse response: the decay from -5 to -25 dB, times three.

    By backward integration (Schroeder, JASA 37, 1965), after the direct sound.
    """
    start = int(np.abs(response).argmax())
    energy = np.square(response[start:], dtype=np.float64)[::-1].cumsum()[::-1]
    level_db = 10 * np.log10(np.maximum(energy / max(energy[0], 1e-30), 1e-30))
    decay = np.searchsorted(-level_db, 25) - np.searchsorted(-level_db, 5)
    return float(3 * decay / SAMPLE_RATE)
