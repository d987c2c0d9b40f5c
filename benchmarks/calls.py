"""Measures calls: UAR per turn of assembled conversations, and time and memory of an hour of one.

Run ``python benchmarks/calls.py FOLDER``, where FOLDER holds corpora as their owners ship them. It
assembles conversations of two speakers, each on a channel, in a temporary folder, and writes
``benchmarks/RESULTS-calls.md``.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile
from training_corpora import CORPORA

import emotone
from emotone import Call, Prediction, Recognizer, Span, audio, corpora
from emotone.audio import SAMPLE_RATE
from emotone.evaluation.metrics import uar
from emotone.experiments.corpus_arguments import corpus_options

CALLS = 16  # of each corpus
TURNS = 40  # of each call
GAP_S = (0.3, 1.2)  # between turns
NOISE_DB = -60.0  # on both channels, throughout
LONG_MINUTES = (10, 60)
OUT = Path(__file__).parent / "RESULTS-calls.md"
NONE = "no answer"


INTRODUCTION = f"""# Calls

`python benchmarks/calls.py FOLDER_OF_DATA`: conversations of two speakers of a corpus, assembled from its utterances of the four emotions of emotone-base, {CALLS} of
{TURNS} turns each, a speaker per channel, with pauses of {GAP_S[0]:g} to {GAP_S[1]:g} s and noise at {NOISE_DB:.0f} dBFS. UAR in % per turn. The model was trained on these speakers, so the columns
compare ways to recognise; they say nothing about new speakers.

| | utterances one by one | `--channels split --turns` | `--channels split` | `--turns`, one channel |
|---|---|---|---|---|"""  # noqa: E501
COST = """
A turn that is not found counts as wrong. In calls, speakers are enrolled with their own speech; one by one, they are unknown.

| `--channels split` | seconds of one core | peak memory, MB |
|---|---|---|"""  # noqa: E501


def conversation(
    table: pd.DataFrame, rng: np.random.Generator, path: Path, seconds: float = np.inf
) -> tuple[list[Span], list[str], list[audio.Waveform]]:
    """Write a call of two speakers who take turns; return turns, emotions and the utterances."""
    speakers = rng.choice(sorted(table["speaker"].unique()), 2, replace=False)
    own = [table[table["speaker"] == speaker] for speaker in speakers]
    turns: list[Span] = []
    truth, alone = [], []
    noise = 10 ** (NOISE_DB / 20)
    position = 0
    with soundfile.SoundFile(path, "w", SAMPLE_RATE, 2, subtype="PCM_16") as file:
        while len(turns) < TURNS if seconds == np.inf else position < seconds * SAMPLE_RATE:
            number = len(turns) % 2
            row = own[number].iloc[rng.integers(len(own[number]))]
            speech = audio.read(row["file"])
            gap = round(rng.uniform(*GAP_S) * SAMPLE_RATE)
            samples = noise * rng.normal(size=(len(speech) + gap, 2))
            samples[: len(speech), number] += speech
            file.write(samples)
            start, end = position / SAMPLE_RATE, (position + len(speech)) / SAMPLE_RATE
            turns.append(Span(start, end, ("Ann", "Bob")[number]))
            truth.append(row["emotion"])
            alone.append(speech if seconds == np.inf else speech[:0])
            position += len(samples)
    return turns, truth, alone


def answers(call: Call, turns: list[Span]) -> Iterator[str]:
    """Return the answer at each given turn: of the turn that shares most time with it."""
    names = {f"channel {number}": name for number, name in ((1, "Ann"), (2, "Bob"))}
    for turn in turns:
        assert turn.end is not None
        shared, label = 0.0, NONE
        for found in call.turns:
            if names.get(found.speaker, found.speaker) == turn.speaker and found.prediction:
                both = min(found.end, turn.end) - max(found.start, turn.start)
                if both > shared:
                    shared, label = both, found.prediction.label
        yield label


def rates(folder: Path, recognizer: Recognizer) -> list[tuple[str, ...]]:
    """Return a row for each corpus: UAR alone, with known turns, with turns by pauses, mono."""
    rows = []
    for name in CORPORA:
        table = corpora.read(corpus_options(name, [str(folder / name)])).table
        table = table[table["emotion"].isin(recognizer.labels)]
        rng = np.random.default_rng(0)
        truth: list[str] = []
        found: list[list[str]] = [[], [], [], []]
        for _ in range(CALLS):
            with tempfile.TemporaryDirectory() as temporary:
                path = Path(temporary) / "call.wav"
                turns, emotions, alone = conversation(table, rng, path)
                truth += emotions
                for answer in recognizer.predict_many((one, SAMPLE_RATE) for one in alone):
                    found[0].append(answer.label if isinstance(answer, Prediction) else NONE)
                calls = (
                    recognizer.call(path, channels="split", turns=turns),
                    recognizer.call(path, channels="split"),
                    recognizer.call(path, turns=turns),
                )
                for kept, call in zip(found[1:], calls, strict=True):
                    kept += answers(call, turns)
        shares = [uar(truth, kept) for kept in found]
        rows.append((name, *(f"{100 * share:.1f}" for share in shares)))
        print(*rows[-1])
    mean = np.mean([[float(share) for share in row[1:]] for row in rows], axis=0)
    return [*rows, ("**mean**", *(f"**{share:.1f}**" for share in mean))]


def cost(path: Path) -> tuple[float, float]:
    """Return seconds of CPU and peak memory in MB of a process that recognises a call."""
    done = subprocess.run(
        [sys.executable, __file__, "--one", str(path)], capture_output=True, text=True, check=True
    )
    seconds, megabytes = done.stdout.split()
    return float(seconds), float(megabytes)


def one(path: Path) -> None:
    """Recognise a call with the channels split; print seconds of CPU and peak memory in MB."""
    recognizer = emotone.load()
    start = time.process_time()
    recognizer.call(path, channels="split")
    taken = time.process_time() - start
    print(taken, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000)


def main(folder: Path) -> None:
    """Measure, and write the page."""
    recognizer = emotone.load()
    lines = [INTRODUCTION, *(f"| {' | '.join(row)} |" for row in rates(folder, recognizer)), COST]
    table = corpora.read(corpus_options("nemo", [str(folder / "nemo")])).table
    for minutes in LONG_MINUTES:
        with tempfile.TemporaryDirectory() as temporary:
            path = Path(temporary) / "long.wav"
            conversation(table, np.random.default_rng(1), path, 60 * minutes)
            seconds, megabytes = cost(path)
        lines.append(f"| {minutes} minutes of stereo | {seconds:.1f} | {megabytes:.0f} |")
        print(lines[-1])
    lines.append(
        f"\nLoad of the machine meanwhile: {os.getloadavg()[2]:.1f} on {os.cpu_count()} cores."
    )
    OUT.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1] == "--one":
        one(Path(sys.argv[2]))
    else:
        main(Path(sys.argv[1]))
