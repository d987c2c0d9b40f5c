"""A picture of a recording: its waveform, and the emotions over time."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emotone import audio
from emotone.audio import Truncated, Waveform
from emotone.files import check_picture, save_picture
from emotone.inference.prediction import Segment
from emotone.text import printable

PEAKS_PER_S = 200
MAX_PEAKS = 2000  # drawn
MAX_LABELLED = 24  # windows that have room for a number


def draw(
    recording: Path,
    segments: Sequence[Segment],
    labels: Sequence[str],
    path: Path,
    truncated: Truncated = "error",
    *,
    force: bool = False,
) -> None:
    """Draw a recording's waveform and, below it, the probability of each emotion over time.

    Each window is drawn around its middle; darker means more probable. Nothing is drawn where there
    is no speech. A question mark means that the model is not confident.

    Args:
        recording: audio file.
        segments: of the recording, see :meth:`emotone.Recognizer.segments`.
        labels: emotions, from top to bottom.
        path: picture to write: PNG, SVG or PDF.
        truncated: see :meth:`emotone.Recognizer.predict`.
        force: overwrite a file that emotone did not make.

    Raises:
        UsageError: if the suffix is not an image format, or emotone did not make the file that
            exists.
        AudioError: if the recording cannot be read.
        StorageError: if the picture cannot be written.
    """
    check_picture(path, force=force)
    from matplotlib.figure import Figure  # slow to load, not always needed

    loud = peaks(audio.blocks(recording, truncated=truncated))
    seconds = segments[-1].end
    figure = Figure(figsize=(10, 2.2 + 0.4 * len(labels)), layout="constrained")
    wave, emotions = figure.subplots(2, 1, sharex=True, height_ratios=(2, 0.5 * len(labels) + 0.5))
    time = np.linspace(0, seconds, len(loud))
    wave.fill_between(time, -loud, loud, color="#404040", linewidth=0)
    largest = max(float(loud.max()), 1e-3)
    wave.set(ylim=(-1.05 * largest, 1.05 * largest), yticks=[], ylabel="waveform")
    wave.set_title(printable(recording.name), fontsize=10)
    middles = np.array([(segment.start + segment.end) / 2 for segment in segments])
    between = (middles[1:] + middles[:-1]) / 2
    edges = np.concatenate([[0], between, [seconds]])
    probabilities = np.full((len(labels), len(segments)), np.nan)
    for column, segment in enumerate(segments):
        if segment.prediction is not None:
            probabilities[:, column] = [segment.prediction.probabilities[label] for label in labels]
    rows = np.arange(len(labels) + 1) - 0.5
    image = emotions.pcolormesh(edges, rows, probabilities, cmap="Greys", vmin=0, vmax=1)
    emotions.invert_yaxis()
    emotions.set_yticks(range(len(labels)), labels)
    emotions.set(xlabel="seconds", xlim=(0, seconds))
    figure.colorbar(image, ax=emotions, label="probability")
    if len(segments) <= MAX_LABELLED:
        for column, segment in enumerate(segments):
            if segment.prediction is not None:
                _annotate(emotions, segment, labels, (edges[column] + edges[column + 1]) / 2)
    save_picture(figure, path)


def _annotate(axes: Any, segment: Segment, labels: Sequence[str], middle: float) -> None:
    prediction = segment.prediction
    assert prediction is not None
    text = f"{100 * prediction.confidence:.0f}" + ("" if prediction.confident else "?")
    axes.text(
        middle, labels.index(prediction.label), text, ha="center", va="center", size=8,
        color="white" if prediction.confidence > 0.5 else "black",
    )  # fmt: skip


def peaks(pieces: Iterable[Waveform], most: int = MAX_PEAKS) -> NDArray[np.float32]:
    """Return the largest absolute samples of short intervals, few enough to draw each.

    Args:
        pieces: a recording at 16 kHz.
        most: number of intervals.
    """
    size = audio.SAMPLE_RATE // PEAKS_PER_S
    parts, rest = [], np.zeros(0, np.float32)
    for block in pieces:
        joined = np.concatenate([rest, block])
        whole = len(joined) // size * size
        parts.append(np.abs(joined[:whole]).reshape(-1, size).max(axis=1))
        rest = joined[whole:]
    if len(rest):
        parts.append(np.abs(rest).max(keepdims=True))
    found = np.concatenate(parts)
    step = -(-len(found) // most)
    drawn = np.pad(found, (0, -len(found) % step)).reshape(-1, step)
    return np.asarray(drawn.max(axis=1), np.float32)
