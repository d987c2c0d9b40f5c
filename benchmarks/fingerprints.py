"""Measures the fingerprints of utterances: copies in other formats match, other utterances do not.

Run ``python benchmarks/fingerprints.py FOLDER``, where FOLDER holds emodb, ravdess, emovo, savee
and nemo, or some of them. Prints the table of ``benchmarks/RESULTS-fingerprints.md``.
"""

import io
import sys
from pathlib import Path

import numpy as np
import soundfile
import soxr

from emotone import audio, corpora
from emotone.corpora.fingerprints import BITS, MOST_BITS, fingerprint, repeated, same_content
from emotone.experiments.corpus_arguments import corpus_options

CORPORA = ("emodb", "ravdess", "emovo", "savee", "nemo")
COPIES = 200  # utterances encoded, of each corpus
FORMATS = {  # rate in Hz, container, encoding, compression level of libsndfile
    "8 kHz": (8_000, "WAV", "PCM_16", None),
    "8 kHz, µ-law": (8_000, "WAV", "ULAW", None),
    "MP3, 67 kbit/s": (16_000, "MP3", "MPEG_LAYER_III", 0.6),
    "MP3, 25 kbit/s": (16_000, "MP3", "MPEG_LAYER_III", 0.9),
    "Opus, 82 kbit/s": (48_000, "OGG", "OPUS", 0.7),
    "Opus, 43 kbit/s": (48_000, "OGG", "OPUS", 0.85),
    "Opus, 27 kbit/s": (48_000, "OGG", "OPUS", 0.92),
}


def encoded(waveform: audio.Waveform, kind: str) -> audio.Waveform:
    """Encode and decode a waveform at 16 kHz."""
    rate, container, encoding, level = FORMATS[kind]
    file = io.BytesIO()
    options = {} if level is None else {"compression_level": level}
    samples = soxr.resample(0.5 * waveform, audio.SAMPLE_RATE, rate)
    soundfile.write(file, samples, rate, format=container, subtype=encoding, **options)
    file.seek(0)
    return audio.from_array(*soundfile.read(file))


def main(folder: Path) -> None:
    """Print the table."""
    print("| corpus | utterances | pairs | pairs that match |", " | ".join(FORMATS), "|")
    print("|---" * (4 + len(FORMATS)) + "|")
    for name in CORPORA:
        if not (folder / name).is_dir():
            continue
        table = corpora.read(corpus_options(name, [str(folder / name)])).table
        waveforms = [audio.read(file) for file in table["file"]]
        prints = np.stack([fingerprint(waveform) for waveform in waveforms])
        pairs = [" = ".join(table["utterance"].iloc[list(pair)]) for pair in repeated(prints)]
        chosen = np.random.default_rng(0).permutation(len(table))[:COPIES]
        shares = []
        for kind in FORMATS:
            copies = np.stack([fingerprint(encoded(waveforms[number], kind)) for number in chosen])
            found = list(same_content(copies, prints))
            right = sum(chosen[copy] == number for copy, number in found)
            wrong = len(found) - int(right)
            shares.append(f"{100 * right / len(chosen):.1f} %{f', {wrong} other' if wrong else ''}")
        count = len(table) * (len(table) - 1) // 2
        cells = [name, f"{len(table):,}", f"{count:,}", ", ".join(pairs) or "none", *shares]
        print("|", " | ".join(cells), "|", flush=True)
    print(f"\nContent is the same if at most {MOST_BITS} of {BITS} bits differ.")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
