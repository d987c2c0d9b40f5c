"""Recognition on one core, from file to answer, beside openSMILE's eGeMAPSv02 on the same files.

    python benchmarks/recognition.py [--quick] [--model MODEL]

The pairs alternate in one process on one core; the figures are medians. openSMILE alone gives
features; a classifier on top of them costs next to nothing.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile

import emotone
from emotone.corpora import synthetic

SECONDS = 3.0
RATE = 16_000


def write_files(folder: Path, count: int) -> list[Path]:
    """Synthetic speech of three seconds each, as 16-bit WAV."""
    emotions = synthetic.EMOTIONS
    files = []
    for number in range(count):
        parts = [synthetic.utterance(number, emotions[number % len(emotions)], n) for n in range(4)]
        speech = np.concatenate(parts)[: round(SECONDS * RATE)]
        files.append(folder / f"{number}.wav")
        soundfile.write(files[-1], np.pad(speech, (0, round(SECONDS * RATE) - len(speech))), RATE)
    return files


def seconds_of(work: Callable[[], object]) -> float:
    """Wall-clock seconds of a call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    """Measure and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer files and rounds")
    parser.add_argument("--model", help="model folder or name; the shipped one by default")
    asked = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    import opensmile

    count, rounds = (16, 3) if asked.quick else (64, 9)
    recognizer = emotone.load(asked.model)
    smile = opensmile.Smile(
        feature_set=opensmile.FeatureSet.eGeMAPSv02,
        feature_level=opensmile.FeatureLevel.Functionals,
        num_workers=1,
    )
    with tempfile.TemporaryDirectory() as folder:
        files = write_files(Path(folder), count)
        ways: dict[str, Callable[[], object]] = {
            "emotone, file by file": lambda: [recognizer.predict(file) for file in files],
            "emotone, in batches of 16": lambda: list(recognizer.predict_many(files)),
            "openSMILE eGeMAPSv02, file by file": lambda: [
                smile.process_file(str(file)) for file in files
            ],
        }
        for work in ways.values():
            work()
        taken: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(rounds):
            for name, work in ways.items():
                taken[name].append(seconds_of(work))
    medians = {name: statistics.median(times) / count for name, times in taken.items()}
    slowest = medians["openSMILE eGeMAPSv02, file by file"]
    print("## Recognition, `python benchmarks/recognition.py`\n")
    print(f"{count} files of {SECONDS:g} s, one core, medians of {rounds} rounds.\n")
    print("| from file to answer | ms per file | times real time | openSMILE's time over it |")
    print("|---|---|---|---|")
    for name, each in medians.items():
        print(f"| {name} | {1000 * each:.1f} | {SECONDS / each:.0f} | {slowest / each:.1f} |")


if __name__ == "__main__":
    main()
