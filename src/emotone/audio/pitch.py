"""Change the pitch of a voice and keep its tempo."""

from typing import Any

import numpy as np

from emotone.audio.resampling import SAMPLE_RATE, Waveform


def pitch_shifted(waveform: Waveform, semitones: float) -> Waveform:
    """Raise the pitch, formants included, by playing faster and stretching back (FFmpeg's atempo).

    Args:
        waveform: shape ``(samples,)`` at 16 kHz.
        semitones: from -12 to 12; negative lowers the pitch.

    Returns:
        As long as the input.
    """
    import av  # takes 0.1 s to load

    factor = 2 ** (semitones / 12)
    steps = [
        ("abuffer", f"sample_rate={SAMPLE_RATE}:sample_fmt=flt:channel_layout=mono"),
        ("asetrate", str(round(SAMPLE_RATE * factor))),
        ("aresample", str(SAMPLE_RATE)),
        ("atempo", f"{1 / factor:.6f}"),
        ("aformat", "sample_fmts=flt:channel_layouts=mono"),
        ("abuffersink", None),
    ]
    graph = av.filter.Graph()
    nodes = [graph.add(name, options) for name, options in steps]
    graph.link_nodes(*nodes).configure()
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(waveform[None]), "flt", "mono")
    frame.rate = SAMPLE_RATE
    graph.push(frame)
    graph.push(None)
    shifted = np.concatenate([np.zeros(0, np.float32), *_pulled(graph, av.FFmpegError)])
    return np.pad(shifted, (0, max(len(waveform) - len(shifted), 0)))[: len(waveform)]


def _pulled(graph: Any, end: type[Exception]) -> list[Waveform]:
    pieces = []
    while True:
        try:
            pieces.append(graph.pull().to_ndarray()[0])
        except (end, BlockingIOError, EOFError):
            return pieces
