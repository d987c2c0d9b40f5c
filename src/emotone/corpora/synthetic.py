"""Synthetic speech that emotone makes itself.

A corpus to try everything on without data. It is not real speech.

A source–filter synthesiser (Fant, "Acoustic Theory of Speech Production", 1960) speaks nonsense
syllables: a train of Rosenberg pulses (Rosenberg, JASA 49, 1971) with jitter and breath, tilted by
a one-pole low-pass filter, through four resonators at the formants of five vowels (after Peterson &
Barney, JASA 24, 1952), with bursts of noise for consonants. Each speaker has a pitch, a vocal tract
length, a rate and a voice.

Emotions change the voice as in the reviews by Banse & Scherer (J. Pers. Soc. Psychol. 70, 1996),
Juslin & Laukka (Psychol. Bull. 129, 2003) and Burkhardt & Sendlmeier (ISCA workshop 2000): anger is
loud, tense and fast, with abrupt onsets; happiness is high, of wide range and with spread lips,
which raises formants; sadness is low, narrow, slow, soft and breathy. The directions of these
changes are from the literature. Their sizes are our choice: energy alone does not separate the
emotions, and a network learns them in minutes. Scores on this corpus say nothing about real speech.

Licence: MIT, as emotone
Language: any
Speakers: any
Utterances: any
Emotions: anger, happiness, neutral, sadness
Layout: files that emotone writes itself
"""

import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import soundfile
from numpy.typing import NDArray
from platformdirs import user_cache_path
from pydantic import Field

from emotone.audio import SAMPLE_RATE
from emotone.corpora.base import Corpus, CorpusOptions, corpus_from_rows
from emotone.errors import CorpusError, StorageError

GENERATION = 1  # increase it when the synthesis changes, so that old files are not reused
DESCRIPTION = "synthetic.json"
EMOTIONS = ("anger", "happiness", "neutral", "sadness")
FORMANTS_HZ = {
    "a": (730, 1090, 2440, 3400),
    "e": (530, 1840, 2480, 3500),
    "i": (270, 2290, 3010, 3700),
    "o": (570, 840, 2410, 3300),
    "u": (300, 870, 2240, 3300),
}
BANDWIDTHS_HZ = (70, 100, 140, 200)
PEAK_LIMIT = 0.95  # of full scale; no utterance clips
JITTER = 0.01  # relative change of pitch
JITTER_STEP = 80  # samples between two values of the jitter


class SyntheticOptions(CorpusOptions):
    """Synthetic speech; ``root`` is the folder for its files, by default in the user's cache.

    Attributes:
        speakers: number of speakers, half of them with a female voice.
        utterances: utterances of each speaker, spread over the four emotions.
        seed: the same seed gives the same speech.
    """

    name: Literal["synthetic"] = "synthetic"
    speakers: int = Field(16, ge=2, le=99)
    utterances: int = Field(20, ge=4)
    seed: int = Field(0, ge=0)


@dataclass(frozen=True)
class Voice:
    """One speaker."""

    pitch_hz: float
    formant_scale: float
    rate: float
    tilt: float  # pole of the low-pass filter: the larger, the softer the voice
    breath: float


@dataclass(frozen=True)
class Manner:
    """How an emotion changes a voice: in semitones, decibels, factors and differences."""

    pitch: float
    pitch_range: float
    final: float  # pitch movement on the last syllable
    rate: float
    level_db: float
    tilt: float
    breath: float
    formants: float
    attack_s: float


MANNERS = {
    "anger": Manner(2.0, 3.5, -3.0, 1.25, 4.0, -0.24, 0.00, 0.99, 0.006),
    "happiness": Manner(5.0, 4.5, 4.5, 1.10, 2.0, -0.02, 0.03, 1.08, 0.030),
    "neutral": Manner(0.0, 1.8, -1.5, 1.00, 0.0, 0.00, 0.02, 1.00, 0.025),
    "sadness": Manner(-1.0, 0.9, -1.0, 0.75, -3.0, 0.07, 0.15, 0.98, 0.045),
}


def read(options: SyntheticOptions) -> Corpus:
    """Synthesise the corpus, or find it where it was written before.

    Raises:
        CorpusError: if the folder holds something else.
        StorageError: if it cannot be written.
    """
    description = options.model_dump(include={"speakers", "utterances", "seed"}) | {
        "generation": GENERATION
    }
    root = options.root
    if root is None:
        key = hashlib.sha256(json.dumps(description).encode()).hexdigest()[:12]
        root = user_cache_path("emotone") / f"synthetic-{key}"
    if not root.exists():
        _write(root, options, description)
    try:
        found = json.loads((root / DESCRIPTION).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = None
    if found != description:
        raise CorpusError(
            f"synthetic: {root} does not hold this synthetic corpus; set corpus.root to another "
            "folder, or remove this one"
        )
    rows = [
        {
            "utterance": name,
            "file": str(root / f"{name}.flac"),
            "emotion": emotion,
            "speaker": speaker,
            "sex": "female" if int(speaker[1:]) % 2 else "male",
        }
        for name, speaker, emotion in _plan(options)
    ]
    return corpus_from_rows("synthetic", rows)


def utterance(speaker: int, emotion: str, take: int, *, seed: int = 0) -> NDArray[np.float32]:
    """Synthesise one utterance.

    Args:
        speaker: number of the speaker; odd ones have a female voice.
        emotion: one of :data:`EMOTIONS`.
        take: number of the utterance.
        seed: of the corpus.

    Returns:
        Shape ``(samples,)`` at 16 kHz.
    """
    rng = np.random.default_rng([seed, speaker, EMOTIONS.index(emotion), take])
    voice, manner = _voice(speaker, seed), MANNERS[emotion]
    syllables = int(rng.integers(4, 9))
    rate = voice.rate * manner.rate * rng.normal(1, 0.06)
    level = 10 ** ((manner.level_db + rng.normal(0, 4)) / 20)
    tilt = float(np.clip(voice.tilt + manner.tilt + rng.normal(0, 0.02), 0.5, 0.985))
    breath = max(voice.breath + manner.breath + rng.normal(0, 0.01), 0.0)
    base = manner.pitch + rng.normal(0, 0.5)
    spread = manner.pitch_range * rng.normal(1, 0.12)
    accents = base + spread * rng.normal(0, 1, syllables) - np.linspace(0, 1.5, syllables)
    accents[-1] += manner.final
    parts = [np.zeros(int(rng.uniform(0.05, 0.2) * SAMPLE_RATE))]
    previous = accents[0]
    for accent in accents:
        parts.append(_consonant(rng))
        duration = rng.uniform(0.13, 0.22) / rate
        pitch = voice.pitch_hz * 2 ** (np.array([previous, accent]) / 12)
        vowel = FORMANTS_HZ[str(rng.choice(list(FORMANTS_HZ)))]
        formants = np.array(vowel) * voice.formant_scale * manner.formants
        source = _source(pitch, duration, tilt, breath, rng)
        parts.append(_envelope(_filter(source, formants), manner.attack_s))
        if rng.random() < 0.15:
            parts.append(np.zeros(int(rng.uniform(0.03, 0.12) / rate * SAMPLE_RATE)))
        previous = accent
    parts.append(np.zeros(int(rng.uniform(0.05, 0.2) * SAMPLE_RATE)))
    speech = np.concatenate(parts)
    speech = 0.03 * level * speech + rng.normal(0, 2e-4, len(speech))
    peak = np.abs(speech).max()
    return np.asarray(speech / max(peak / PEAK_LIMIT, 1), np.float32)


def _voice(speaker: int, seed: int) -> Voice:
    rng = np.random.default_rng([seed, speaker])
    female = speaker % 2 == 1
    return Voice(
        pitch_hz=float(rng.normal(205, 18) if female else rng.normal(115, 12)),
        formant_scale=float((1.16 if female else 1.0) * rng.normal(1, 0.03)),
        rate=float(rng.normal(1, 0.07)),
        tilt=float(rng.normal(0.88, 0.02)),
        breath=float(rng.uniform(0.01, 0.04)),
    )


def _source(
    pitch_hz: NDArray[np.float64],
    duration_s: float,
    tilt: float,
    breath: float,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    samples = int(duration_s * SAMPLE_RATE)
    contour = np.interp(np.linspace(0, 1, samples), [0.0, 0.6], pitch_hz)
    steps = np.arange(0, samples + JITTER_STEP, JITTER_STEP)
    wander = np.interp(np.arange(samples), steps, rng.normal(1, JITTER, len(steps)))
    phase = np.cumsum(contour * wander) / SAMPLE_RATE % 1.0
    opening, closing = phase / 0.4, (phase - 0.4) / 0.16
    pulse = np.where(
        phase < 0.4,
        0.5 * (1 - np.cos(np.pi * opening)),
        np.where(phase < 0.56, np.cos(np.pi / 2 * np.minimum(closing, 1)), 0.0),
    )
    flow = np.diff(pulse, prepend=0.0) * 4 + breath * rng.normal(0, 1, samples) * (0.4 + pulse)
    return _recursive([1 - tilt], [1, -tilt], flow) * 10


def _recursive(
    numerator: list[float], denominator: list[float], signal: NDArray[np.float64]
) -> NDArray[np.float64]:
    from scipy.signal import lfilter  # slow to import, and only this corpus needs it

    return np.asarray(lfilter(numerator, denominator, signal))


def _filter(source: NDArray[np.float64], formants_hz: NDArray[np.float64]) -> NDArray[np.float64]:
    for formant, bandwidth in zip(formants_hz, BANDWIDTHS_HZ, strict=True):
        radius = np.exp(-np.pi * bandwidth / SAMPLE_RATE)
        poles = [1, -2 * radius * np.cos(2 * np.pi * formant / SAMPLE_RATE), radius**2]
        source = _recursive([sum(poles)], poles, source)
    return source


def _envelope(vowel: NDArray[np.float64], attack_s: float) -> NDArray[np.float64]:
    time = np.arange(len(vowel)) / SAMPLE_RATE
    release = (time[-1] - time) / 0.03
    return np.asarray(vowel * np.minimum(np.minimum(time / attack_s, release), 1).clip(0))


def _consonant(rng: np.random.Generator) -> NDArray[np.float64]:
    samples = int(rng.uniform(0.02, 0.07) * SAMPLE_RATE)
    noise = np.diff(rng.normal(0, 1, samples + 1))  # high frequencies, as of a fricative
    return np.asarray(noise * np.hanning(samples) * rng.uniform(0.02, 0.15))


def _plan(options: SyntheticOptions) -> list[tuple[str, str, str]]:
    """Name, speaker and emotion of each utterance."""
    plan = []
    for speaker in range(options.speakers):
        for take in range(options.utterances):
            emotion = EMOTIONS[take % len(EMOTIONS)]
            name = f"S{speaker:02d}_{emotion}_{take // len(EMOTIONS)}"
            plan.append((name, f"S{speaker:02d}", emotion))
    return plan


def _write(root: Path, options: SyntheticOptions, description: dict[str, object]) -> None:
    temporary = root.with_name(f".{root.name}.{os.getpid()}.tmp")
    try:
        temporary.mkdir(parents=True)
        for name, speaker, emotion in _plan(options):
            take = int(name.rpartition("_")[2])
            samples = utterance(int(speaker[1:]), emotion, take, seed=options.seed)
            soundfile.write(temporary / f"{name}.flac", samples, SAMPLE_RATE)
        (temporary / DESCRIPTION).write_text(json.dumps(description), encoding="utf-8")
        temporary.rename(root)
    except (OSError, soundfile.LibsndfileError) as error:
        if (root / DESCRIPTION).is_file():
            return  # another process was faster
        raise StorageError(
            f"synthetic: cannot write to {root}: {error}; free some space or set corpus.root to "
            "another folder"
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
