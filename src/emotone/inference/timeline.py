"""Pictures: of a recording with what was recognised in it, and how any picture is written."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from emotone import audio
from emotone.errors import UsageError
from emotone.files import replacing
from emotone.inference.recognizer import Segment

PICTURES = (".png", ".svg", ".pdf")
PEAKS_PER_S = 200
MOST_PEAKS = 2000  # that are drawn
MOST_NAMED = 24  # windows that have room for words


def check_name(path: Path) -> None:
    """Raise a :class:`UsageError` unless a file's name is one of a picture."""
    if path.suffix.lower() not in PICTURES:
        raise UsageError(f"--plot: expected a name ending in {', '.join(PICTURES)}, got {path}")


def save(figure: Any, path: Path) -> None:
    """Write a figure of Matplotlib.

    Raises:
        StorageError: if the file cannot be written.
    """
    with replacing(path) as temporary:
        figure.savefig(temporary, format=path.suffix[1:].lower(), dpi=110)


def draw(recording: Path, segments: Sequence[Segment], labels: Sequence[str], path: Path) -> None:
    """Draw a recording's waveform and, below it, the probability of each emotion over time.

    Each window is drawn around its middle. The darker, the more probable; where there is no sound,
    nothing is drawn, and a question mark says that the model is not sure.

    Args:
        recording: audio file.
        segments: what :meth:`emotone.Recognizer.segments` found in it.
        labels: the emotions, from the top.
        path: of the picture: PNG, SVG or PDF.

    Raises:
        UsageError: if the suffix is none of a picture.
        AudioError: if the recording cannot be read.
        StorageError: if the picture cannot be written.
    """
    check_name(path)
    from matplotlib.figure import Figure  # slow to load, not always needed

    peaks = _peaks(recording)
    seconds = segments[-1].end
    figure = Figure(figsize=(10, 2.2 + 0.4 * len(labels)), layout="constrained")
    wave, emotions = figure.subplots(2, 1, sharex=True, height_ratios=(2, 0.5 * len(labels) + 0.5))
    time = np.linspace(0, seconds, len(peaks))
    wave.fill_between(time, -peaks, peaks, color="#404040", linewidth=0)
    largest = max(float(peaks.max()), 1e-3)
    wave.set(ylim=(-1.05 * largest, 1.05 * largest), yticks=[], ylabel="waveform")
    wave.set_title(recording.name, fontsize=10)
    middles = np.array([(segment.start + segment.end) / 2 for segment in segments])
    between = (middles[1:] + middles[:-1]) / 2
    edges = np.concatenate([[0], between, [seconds]])
    shares = np.full((len(labels), len(segments)), np.nan)
    for column, segment in enumerate(segments):
        if segment.prediction is not None:
            shares[:, column] = [segment.prediction.probabilities[label] for label in labels]
    rows = np.arange(len(labels) + 1) - 0.5
    image = emotions.pcolormesh(edges, rows, shares, cmap="Greys", vmin=0, vmax=1)
    emotions.invert_yaxis()
    emotions.set_yticks(range(len(labels)), labels)
    emotions.set(xlabel="seconds", xlim=(0, seconds))
    figure.colorbar(image, ax=emotions, label="probability")
    if len(segments) <= MOST_NAMED:
        for column, segment in enumerate(segments):
            if segment.prediction is not None:
                _name(emotions, segment, labels, (edges[column] + edges[column + 1]) / 2)
    save(figure, path)


def _name(axes: Any, segment: Segment, labels: Sequence[str], middle: float) -> None:
    prediction = segment.prediction
    assert prediction is not None
    share = prediction.confidence
    text = f"{100 * share:.0f}" + ("" if prediction.confident else "?")
    axes.text(
        middle, labels.index(prediction.label), text, ha="center", va="center", size=8,
        color="white" if share > 0.5 else "black",
    )  # fmt: skip


def _peaks(recording: Path) -> Any:
    """Largest absolute samples of short stretches, so few that each can be seen."""
    size = audio.SAMPLE_RATE // PEAKS_PER_S
    parts, rest = [], np.zeros(0, np.float32)
    for block in audio.blocks(recording):
        joined = np.concatenate([rest, block])
        whole = len(joined) // size * size
        parts.append(np.abs(joined[:whole]).reshape(-1, size).max(axis=1))
        rest = joined[whole:]
    if len(rest):
        parts.append(np.abs(rest).max(keepdims=True))
    peaks = np.concatenate(parts)
    step = -(-len(peaks) // MOST_PEAKS)
    return np.pad(peaks, (0, -len(peaks) % step)).reshape(-1, step).max(axis=1)
