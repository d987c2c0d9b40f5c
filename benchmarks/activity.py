"""Measures voice activity: speech that is missed, and noise that is taken for speech.

Run ``python benchmarks/activity.py FOLDER``, where FOLDER holds corpora, ``noise`` and ``rir``, as
their owners ship them. Prints the table of ``benchmarks/RESULTS-activity.md``.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from training_corpora import CORPORA

from emotone import audio, corpora
from emotone.audio import disturbances as change
from emotone.audio.folders import search
from emotone.experiments.corpus_arguments import corpus_options
from emotone.inference.hearing import Hearing

UTTERANCES = 60  # of each corpus
NOISES = 120
RT60_S = 0.6


def main(folder: Path) -> None:
    """Print the table."""
    rng, hearing = np.random.default_rng(0), Hearing("speech")
    files = rng.permutation(search(folder / "noise").files)[:NOISES]
    noises = [audio.read(path) for path in files]

    def noise() -> audio.Waveform:
        return noises[rng.integers(len(noises))]

    changes: dict[str, Callable[[audio.Waveform], audio.Waveform]] = {
        "as it is": lambda speech: speech,
        "30 dB lower": lambda speech: (speech * 10 ** (-30 / 20)).astype(np.float32),
        "noise, 20 dB": lambda speech: change.add_noise(speech, noise(), 20),
        "noise, 10 dB": lambda speech: change.add_noise(speech, noise(), 10),
        "noise, 0 dB": lambda speech: change.add_noise(speech, noise(), 0),
        "room, 0.6 s": lambda speech: change.in_room(speech, change.synthetic_room(rng, RT60_S)),
        "µ-law": lambda speech: change.through_codec(speech, "mu_law"),
    }
    print("| missed, % |", " | ".join(changes), "| kept, % of the time |")
    print("|---" * (2 + len(changes)) + "|")
    for name in CORPORA:
        table = corpora.read(corpus_options(name, [str(folder / name)])).table
        chosen = table["file"].sample(UTTERANCES, random_state=0)
        waveforms = [audio.read(path) for path in chosen]
        missed = []
        for make in changes.values():
            heard = [hearing.window(make(waveform)) for waveform in waveforms]
            missed.append(f"{100 * np.mean([len(one) == 0 for one in heard]):.1f}")
        kept = sum(len(hearing.window(one)) for one in waveforms) / sum(map(len, waveforms))
        print(f"| {name} |", " | ".join(missed), f"| {100 * kept:.0f} |")
    kinds = {
        "recorded noise": noises,
        "chords": [change.music(rng, 5 * audio.SAMPLE_RATE) for _ in range(20)],
        "hum": [change.hum(rng, 5 * audio.SAMPLE_RATE) for _ in range(20)],
        "pink noise": [change.coloured_noise(rng, 5 * audio.SAMPLE_RATE, -3) for _ in range(20)],
    }
    print("\n| without speech | recordings | taken for speech, % |\n|---|---|---|")
    for kind, sounds in kinds.items():
        share = np.mean([len(hearing.window(sound)) > 0 for sound in sounds])
        print(f"| {kind} | {len(sounds)} | {100 * share:.1f} |")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
