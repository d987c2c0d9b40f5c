"""How the cost of recognition grows with files, length and batch; draws docs/growth.png.

    python benchmarks/growth.py [--quick]

On one core, from file to prediction, with the systems of ``recognition.py``. Each point is the
median of alternating rounds.
"""

import argparse
import math
import os
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
import torch
from matplotlib.figure import Figure
from recognition import RATE, SECONDS, clip, opensmile_svm, peak, seconds_of, wav2vec2, write_files

import emotone
from emotone.models.network import multiply_adds
from emotone.models.weights import rebuilt

PICTURE = Path(__file__).parents[1] / "docs" / "growth.png"
COUNTS = (1, 4, 16, 64, 256)
LENGTHS = (0.5, 1, 3, 10, 30, 120, 600)  # seconds
BATCHES = (1, 2, 4, 8, 16, 32)
MARKERS = {"emotone": "o", "openSMILE eGeMAPSv02 + SVM": "s", "wav2vec2-base-sized network": "^"}
MOST_AUDIO = dict(zip(MARKERS, (math.inf, 800, 50), strict=True))  # seconds at once

Times = dict[str, dict[float, float]]


def main() -> None:
    """Measure, draw and print tables in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    rounds = 1 if parser.parse_args().quick else 5
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    torch.set_num_threads(1)
    recognizer = emotone.load()
    names = list(MARKERS)
    ways: dict[str, Callable[[Path], object]] = dict(
        zip(names, (recognizer.predict, opensmile_svm(), wav2vec2()), strict=True)
    )
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        files = write_files(place, max(COUNTS))

        def all_of(name: str, count: int) -> Callable[[], object]:
            if name == "emotone":
                return lambda: list(recognizer.predict_many(files[:count]))
            return lambda: [ways[name](file) for file in files[:count]]

        by_count = {
            (name, count): all_of(name, count)
            for count in COUNTS
            for name in names
            if SECONDS * count <= MOST_AUDIO[name]
        }
        by_length: dict[tuple[str, float], Callable[[], object]] = {}
        for length in LENGTHS:
            path = place / f"{length}s.wav"
            soundfile.write(path, np.resize(clip(0), round(length * RATE)), RATE)
            for name in names:
                if length <= MOST_AUDIO[name]:
                    by_length[name, length] = lambda name=name, path=path: ways[name](path)
        session, waveform = recognizer._session, clip(0)

        def in_batch(size: int) -> Callable[[], object]:
            batch = [waveform] * size
            return lambda: session.run("logits", batch)

        by_batch = {("emotone", float(size)): in_batch(size) for size in BATCHES}
        counts, lengths, batches = (
            measured(works, rounds) for works in (by_count, by_length, by_batch)
        )
    floor = SECONDS * multiply_adds(rebuilt(recognizer.folder)) / peak(torch.float32)
    each = {"emotone": {size: time / size for size, time in batches["emotone"].items()}}
    draw(counts, lengths, each, floor)
    print("\n## Growth, `python benchmarks/growth.py`\n")
    print(f"One core, medians of {rounds} rounds; drawn in [docs/growth.png](../docs/growth.png).")
    show("seconds for files of 3 s", "files", counts)
    show("seconds for one file", "seconds of audio", lengths)
    show("seconds per clip of 3 s, without reading", "clips in a batch", each)


def measured(works: dict[tuple[str, float], Callable[[], object]], rounds: int) -> Times:
    """Median seconds of each work, by name and size."""
    for work in works.values():
        work()
    taken: dict[tuple[str, float], list[float]] = {key: [] for key in works}
    for _ in range(rounds):
        for key, work in works.items():
            taken[key].append(seconds_of(work))
    result: Times = {}
    for (name, size), times in taken.items():
        result.setdefault(name, {})[size] = statistics.median(times)
    return result


def show(what: str, sizes: str, times: Times) -> None:
    """Print a table, a row for each size."""
    print(f"\n| {sizes} | {' | '.join(f'{name}: {what}' for name in times)} |")
    print("|" + "---|" * (1 + len(times)))
    for size in times["emotone"]:
        found = [column.get(size) for column in times.values()]
        cells = ["" if time is None else f"{time:.4f}" for time in found]
        print(f"| {size:g} | {' | '.join(cells)} |")


def draw(counts: Times, lengths: Times, batches: Times, floor: float) -> None:
    """Three panels on logarithmic scales, readable without colour."""
    figure = Figure(figsize=(12, 4), layout="constrained")
    axes = figure.subplots(1, 3)
    panels = (
        (counts, "files of 3 s", "seconds for all of them"),
        (lengths, "seconds of audio in a file", "seconds for the file"),
        (batches, "clips of 3 s in a batch", "seconds per clip, without reading"),
    )
    for axis, (times, x, y) in zip(axes, panels, strict=True):
        for number, (name, column) in enumerate(times.items()):
            grey = str(0.3 * number)
            axis.loglog(
                *zip(*column.items(), strict=True), marker=MARKERS[name], color=grey, label=name
            )
        axis.set(xlabel=x, ylabel=y)
        axis.grid(which="major", alpha=0.3)
    axes[1].loglog(LENGTHS, LENGTHS, ":", color="0.5", label="real time")
    axes[2].axhline(floor, linestyle="--", color="0.5", label="floor of the network's arithmetic")
    axes[2].set_ylim(floor / 2, 4 * max(batches["emotone"].values()))
    for axis in axes[1:]:
        axis.legend(fontsize=8)
    figure.savefig(PICTURE, dpi=100)


if __name__ == "__main__":
    main()
