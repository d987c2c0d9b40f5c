"""Decoding by FFmpeg, through PyAV, of what libsndfile does not decode."""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from emotone.audio.resampling import check_rate
from emotone.errors import AudioError

TIMED_FROM_ZERO = ("mov", "matroska")  # containers whose times count from the beginning
LATE_S = 0.25  # sound that comes so late is preceded by silence, so that times are right
MAX_LATE_S = 600.0  # later than that, the container's clock does not begin with the recording
BLOCK_S = 1.0
COUNTED = ("ape", "tta", "wv")  # containers whose header has the number of samples

Blocks = Iterator[tuple[NDArray[np.float32], int]]


def by_ffmpeg(file: BinaryIO, *, whole: bool = True) -> Blocks:
    """Decode the default audio stream of a file, or the first one that can be decoded.

    Packets that are damaged are left out. Sound that starts late in its container, or pauses,
    is preceded by silence, so that times are those of the container.

    Args:
        file: the file, seekable.
        whole: refuse a file whose end is missing.

    Yields:
        Samples of shape ``(samples, channels)`` and the rate in Hz.

    Raises:
        AudioError: if there is no audio, no stream of it can be decoded, or its end is missing;
            without the file's name.
    """
    import av  # takes 0.1 s to load, and few files need it

    failure: Exception | None = None
    for index in _streams(file):
        file.seek(0)
        with av.open(file, metadata_errors="replace") as container:
            any_yet = False
            try:
                decoder = _Decoder(container, container.streams[index])
                for block in decoder.blocks():
                    any_yet = True
                    yield block
                if whole:
                    decoder.check_end()
            except (av.FFmpegError, ValueError) as error:
                if any_yet:
                    raise
                failure = error
            if any_yet:
                return
    if failure:
        raise failure


def _streams(file: BinaryIO) -> list[int]:
    """Indices of the streams that have a decoder, the default one first."""
    import av

    file.seek(0)
    with av.open(file, metadata_errors="replace") as container:
        audio = container.streams.audio
        if not audio:
            raise AudioError("no audio stream in it; give a file with sound")
        usable = [stream for stream in audio if stream.codec_context is not None]
        if not usable:  # codecs that FFmpeg does not know
            raise AudioError("no decoder for its audio; convert it to WAV")
        default = av.stream.Disposition.default
        return [s.index for s in sorted(usable, key=lambda s: not s.disposition & default)]


class _Decoder:
    """One audio stream of an open container; all blocks have the rate and layout of the first."""

    def __init__(self, container: Any, stream: Any) -> None:
        self._container, self._stream = container, stream
        self._origin = Fraction(0)
        if not container.format.name.startswith(TIMED_FROM_ZERO):
            self._origin = Fraction(container.start_time or 0, 1_000_000)
        self._rate, self._channels, self._layout = 0, 0, ""
        self._resampler: Any = None
        self._setup: tuple[Any, ...] = ()
        self._done = 0  # samples, silence included
        self._silence = 0
        self._good = self._bad = 0  # packets

    def blocks(self) -> Blocks:
        held: list[NDArray[np.float32]] = []
        for samples in self._frames():
            held.append(samples)
            if sum(map(len, held)) >= BLOCK_S * self._rate:
                yield np.concatenate(held), self._rate
                held = []
        if held:
            yield np.concatenate(held), self._rate
        if self._bad > self._good:
            raise AudioError(f"{self._bad} of {self._bad + self._good} packets are damaged")

    def check_end(self) -> None:
        """Raise an :class:`AudioError` if the container says that its end is missing."""
        if self._container.format.name not in COUNTED or not self._stream.duration:
            return
        promised = round(self._stream.duration * self._stream.time_base * self._rate)
        if self._done < promised:
            raise AudioError(
                f"truncated: the header promises {promised} samples, {self._done} are there; "
                "copy the file again"
            )

    def _frames(self) -> Iterator[NDArray[np.float32]]:
        for frame in self._decoded():
            if not frame.samples:
                continue
            setup = (frame.format.name, frame.layout.name, frame.sample_rate)
            if setup != self._setup:
                check_rate(frame.sample_rate)
                if self._resampler is None:
                    self._rate, self._layout = frame.sample_rate, frame.layout
                    self._channels = frame.layout.nb_channels
                else:
                    yield from self._converted(None)
                self._resampler, self._setup = self._new_resampler(), setup
            late = self._late(frame)
            while late > 0:
                part = min(late, round(self._rate * BLOCK_S))
                yield np.zeros((part, self._channels), np.float32)
                self._done, late = self._done + part, late - part
            yield from self._converted(frame)
        if self._resampler is not None:
            yield from self._converted(None)

    def _decoded(self) -> Iterator[Any]:
        import av

        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            try:
                frames = packet.decode()
            except (av.FFmpegError, ValueError):
                self._bad += 1
                continue
            self._good += bool(frames)
            yield from frames

    def _new_resampler(self) -> Any:
        import av

        # packed: planar frames of more than 8 channels have planes that PyAV does not reach
        return av.AudioResampler(format="flt", layout=self._layout, rate=self._rate)

    def _converted(self, frame: Any) -> Iterator[NDArray[np.float32]]:
        for one in self._resampler.resample(frame):
            samples = one.to_ndarray().reshape(-1, self._channels)
            self._done += len(samples)
            yield samples

    def _late(self, frame: Any) -> int:
        """Samples of silence before a frame; 0 unless its time is well after what came before."""
        if frame.pts is None or not frame.time_base:
            return 0
        seconds = frame.pts * frame.time_base - self._origin
        late = int(seconds * self._rate) - self._done
        if late < LATE_S * self._rate or self._silence + late > MAX_LATE_S * self._rate:
            return 0
        self._silence += late
        return late
