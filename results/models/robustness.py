"""Measure how many predictions of a model stay the same when its input changes.

    python results/models/robustness.py MODEL CORPUS=FOLDER…

applies a model that was trained with ``protocol.validation_speakers`` to the utterances of these
speakers, before and after each change, and writes ``robustness.json``. The changes are those of
audEERING's ser-tests (Derington et al., "Testing correctness, fairness, and robustness of speech
emotion recognition models", 2023), and some that telephones and codecs make.
"""

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy.signal import butter, resample_poly, sosfilt

from emotone import audio, corpora
from emotone.corpora import Corpus
from emotone.errors import AudioError
from emotone.experiments.sources import corpus_options
from emotone.inference.recognizer import Recognizer

RATE = audio.SAMPLE_RATE
HERE = Path(__file__).parent
Samples = NDArray[np.float32]
Change = Callable[[Samples, np.random.Generator], Samples]


def gain(decibels: float) -> Change:
    """Gain in decibels."""
    return lambda samples, _: (samples * 10 ** (decibels / 20)).astype(np.float32)


def noise(decibels: float) -> Change:
    """White noise at a distance in decibels below the speech."""

    def change(samples: Samples, rng: np.random.Generator) -> Samples:
        rms = np.sqrt(np.square(samples, dtype=np.float64).mean())
        white = rng.standard_normal(len(samples)) * rms * 10 ** (-decibels / 20)
        return (samples + white).astype(np.float32)

    return change


def tone(decibels: float) -> Change:
    """A tone of 5 to 7 kHz at a distance in decibels below the speech."""

    def change(samples: Samples, rng: np.random.Generator) -> Samples:
        rms = np.sqrt(np.square(samples, dtype=np.float64).mean())
        wave = np.sin(2 * np.pi * rng.uniform(5000, 7000) * np.arange(len(samples)) / RATE)
        return (samples + np.sqrt(2) * rms * 10 ** (-decibels / 20) * wave).astype(np.float32)

    return change


def filtered(kind: str, *edges: float, order: int = 4) -> Change:
    """A Butterworth filter: ``high``, ``low`` or ``band``, edges in Hz."""
    sections = butter(order, edges if len(edges) > 1 else edges[0], kind, fs=RATE, output="sos")
    return lambda samples, _: sosfilt(sections, samples).astype(np.float32)


def clipped(share: float) -> Change:
    """Clipping of a share of the samples, the loudest ones."""

    def change(samples: Samples, _: np.random.Generator) -> Samples:
        limit = np.quantile(np.abs(samples), 1 - share)
        return np.clip(samples, -limit, limit)

    return change


def tilted(decibels: float) -> Change:
    """A slope of the spectrum in decibels, from the lowest to the highest frequency."""

    def change(samples: Samples, _: np.random.Generator) -> Samples:
        spectrum = np.fft.rfft(samples)
        slope = 10 ** (decibels * np.linspace(-0.5, 0.5, len(spectrum)) / 20)
        return np.fft.irfft(spectrum * slope, len(samples)).astype(np.float32)

    return change


def telephone(samples: Samples, _: np.random.Generator) -> Samples:
    """300 to 3400 Hz at 8 kHz."""
    narrow = resample_poly(filtered("band", 300, 3400)(samples, _), 1, 2)
    return resample_poly(narrow, 2, 1)[: len(samples)].astype(np.float32)


def coded(form: str, subtype: str | None = None) -> Change:
    """Through a codec of libsndfile and back."""

    def change(samples: Samples, _: np.random.Generator) -> Samples:
        file = io.BytesIO()
        soundfile.write(file, np.clip(samples, -1, 1), RATE, format=form, subtype=subtype)
        file.seek(0)
        decoded, rate = soundfile.read(file, dtype="float32")
        return audio.from_array(decoded, rate)

    return change


def gsm(samples: Samples, _: np.random.Generator) -> Samples:
    """Through the codec of GSM telephones and back."""
    file = io.BytesIO()
    narrow = np.clip(resample_poly(samples, 1, 2), -1, 1)
    soundfile.write(file, narrow, RATE // 2, format="WAV", subtype="GSM610")
    file.seek(0)
    decoded, rate = soundfile.read(file, dtype="float32")
    return audio.from_array(decoded, rate)


def zeros(count: int) -> Samples:
    """Silence."""
    return np.zeros(count, np.float32)


SMALL: dict[str, list[Change]] = {
    "gain of ±1 and ±2 dB": [gain(db) for db in (-2, -1, 1, 2)],
    "100, 500 or 1000 samples of silence before": [
        lambda s, _, n=n: np.concatenate([zeros(n), s]) for n in (100, 500, 1000)
    ],
    "the same after": [lambda s, _, n=n: np.concatenate([s, zeros(n)]) for n in (100, 500, 1000)],
    "100, 500 or 1000 samples cut off the beginning": [
        lambda s, _, n=n: s[n:] for n in (100, 500, 1000)
    ],
    "the same off the end": [lambda s, _, n=n: s[:-n] for n in (100, 500, 1000)],
    "0.1, 0.2 or 0.3 % of the samples clipped": [clipped(share) for share in (0.001, 0.002, 0.003)],
    "high-pass at 50, 100 or 150 Hz": [filtered("high", hz) for hz in (50, 100, 150)],
    "low-pass at 7500, 7000 or 6500 Hz": [filtered("low", hz) for hz in (7500, 7000, 6500)],
    "tone of 5 to 7 kHz at 40, 45 or 50 dB": [tone(db) for db in (40, 45, 50)],
    "white noise at 35, 40 or 45 dB": [noise(db) for db in (35, 40, 45)],
}
LARGE: dict[str, list[Change]] = {
    "gain of ±20 dB": [gain(-20), gain(20)],
    "white noise at 20 dB": [noise(20)],
    "spectrum tilted by ±6 dB": [tilted(-6), tilted(6)],
    "telephone band, 300 to 3400 Hz": [telephone],
    "MP3": [coded("MP3")],
    "Opus": [coded("OGG", "OPUS")],
    "GSM 6.10": [gsm],
}


def labels_of(recognizer: Recognizer, recordings: list[Samples]) -> list[str]:
    """Labels that a model predicts; empty for recordings without sound."""
    answers = recognizer.predict_many((samples, RATE) for samples in recordings)
    return ["" if isinstance(answer, AudioError) else answer.label for answer in answers]


def measure(recognizer: Recognizer, corpus: Corpus, unseen: set[str]) -> dict[str, Any]:
    """Shares of unchanged predictions, and changes of the UAR, for the speakers in ``unseen``."""
    table = corpus.table[(corpus.name + "/" + corpus.table["speaker"]).isin(unseen)]
    recordings = [audio.read(file) for file in table["file"]]
    truth, labels = table["emotion"].tolist(), recognizer.labels
    before = labels_of(recognizer, recordings)

    def uar(answers: list[str]) -> float:
        right = np.array(answers) == np.array(truth)
        return float(np.mean([right[np.array(truth) == label].mean() for label in labels]))

    found: dict[str, Any] = {
        "speakers": int(table["speaker"].nunique()), "utterances": len(table), "UAR": uar(before)
    }  # fmt: skip
    for name, changes in (SMALL | LARGE).items():
        shares, rates = [], []
        for change in changes:
            rng = np.random.default_rng(0)
            after = labels_of(recognizer, [change(samples, rng) for samples in recordings])
            shares.append(np.mean([a == b for a, b in zip(before, after, strict=True)]))
            rates.append(uar(after) - uar(before))
        found[name] = {"unchanged": float(np.mean(shares)), "UAR": float(np.mean(rates))}
        print(f"{corpus.name}: {name}: {100 * np.mean(shares):.1f} %", file=sys.stderr, flush=True)
    return found


def main(model: str, *roots: str) -> None:
    """Measure a model on each corpus."""
    recognizer = Recognizer(model)
    made = recognizer.config.training
    unseen = set(made["speakers"].get("validation", []))
    found = {}
    for root in roots:
        name, _, folder = root.partition("=")
        keep = json.dumps(recognizer.labels)
        corpus = corpora.read(corpus_options(name, [folder, f"keep={keep}"]))
        found[name] = measure(recognizer, corpus, unseen)
    (HERE / "robustness.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit("usage: python results/models/robustness.py MODEL CORPUS=FOLDER…")
    main(*sys.argv[1:])
