"""Worker processes that decode and recognise; a codec that crashes or hangs affects no other call.

Each process loads the models once. The audio of a request is in a file that the caller owns.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from emotone import audio
from emotone.errors import AudioError, EmotoneError
from emotone.inference.execution import ProcessExecutor
from emotone.inference.formats import as_dict, segment_as_dict
from emotone.inference.recognizer import Recognizer, load

MEMORY_BYTES = 2_000_000_000  # limit of what a worker allocates after its start

# models of a worker process
_recognizers: dict[str, Recognizer] = {}


class TooLongError(EmotoneError):
    """The audio of a request is longer than is allowed."""


class BusyError(EmotoneError):
    """No worker was free in time."""


@dataclass(frozen=True)
class Job:
    """A request: the name of the model, the audio file, and how to recognise it.

    Attributes:
        model: name of a loaded model.
        path: audio file.
        max_seconds: longest audio.
        windows: window and hop in seconds; ``None`` to recognise the file as a whole.
        threshold: probability from which an answer is confident; ``None`` for that of the service.
    """

    model: str
    path: str
    max_seconds: float
    windows: tuple[float, float] | None = None
    threshold: float | None = None


class Workers:
    """A fixed number of worker processes; used from one event loop.

    Args:
        models: names or folders, see :func:`emotone.inference.model_folder.locate`.
        count: number of processes.
        timeout_s: time limit in seconds, both for a call and for a worker to become free.
        threshold: probability from which an answer is confident; ``None`` for that of each model.

    Raises:
        ModelError: if a model cannot be loaded.
        CrashedError: if a process cannot start.
    """

    def __init__(
        self, models: tuple[str, ...], count: int, timeout_s: float, threshold: float | None = None
    ) -> None:
        # loaded here as well, so that errors are raised before a process starts
        self.models = {name: load(name).with_threshold(threshold) for name in models}
        self._timeout_s = timeout_s
        self._free = asyncio.Semaphore(count)
        self._executor = ProcessExecutor(
            count,
            initializer=_load,
            initial_arguments=(models, threshold),
            timeout_s=timeout_s,
        )
        try:
            self._executor.start()
        except BaseException:
            self._executor.close()
            raise

    @property
    def restarts(self) -> int:
        """How many processes were replaced."""
        return self._executor.restarts

    async def recognise(self, job: Job) -> dict[str, Any]:
        """Wait for a free worker and recognise.

        Raises:
            AudioError: if the file cannot be used as audio.
            TooLongError: if its audio is too long, or needs too much memory.
            UsageError: if window or hop is out of its range.
            CrashedError: if the worker died.
            TimeLimitError: if the worker took too long.
            BusyError: if no worker became free in time.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._free.acquire()
        except TimeoutError:
            raise BusyError(f"no worker was free for {self._timeout_s:g} s") from None
        try:
            done = asyncio.wrap_future(self._executor.submit(_recognise, job))
            try:
                return await asyncio.shield(done)
            except asyncio.CancelledError:  # the client has gone; the worker still has the file
                await asyncio.wait([done])
                raise
        finally:
            self._free.release()

    def close(self) -> None:
        """End all workers."""
        self._executor.close()


def _load(models: tuple[str, ...], threshold: float | None) -> None:
    """Load the models, then limit memory; the initializer of a worker process."""
    _recognizers.update({name: load(name).with_threshold(threshold) for name in models})
    try:
        import resource
    except ImportError:  # not on Windows
        return
    statm = Path("/proc/self/statm")
    if statm.is_file():
        limit = int(statm.read_text().split()[0]) * resource.getpagesize() + MEMORY_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _recognise(job: Job) -> dict[str, Any]:
    """Answer a request; called in a worker process."""
    try:
        waveform = _decoded(job)
        seconds = len(waveform) / audio.SAMPLE_RATE
        answer: dict[str, Any] = {"model": job.model, "seconds": round(seconds, 3)}
        recognizer, speech = _recognizers[job.model], (waveform, audio.SAMPLE_RATE)
        if job.threshold is not None:
            recognizer = recognizer.with_threshold(job.threshold)
        if job.windows is None:
            return answer | as_dict(recognizer.predict(speech))
        window, hop = job.windows
        found = recognizer.segments(speech, window=window, hop=hop)
        return answer | {"segments": [segment_as_dict(segment) for segment in found]}
    except MemoryError as error:
        raise TooLongError("decoding it takes too much memory") from error


def _decoded(job: Job) -> audio.Waveform:
    try:
        return np.concatenate(list(_limited(job)))
    except (EmotoneError, MemoryError):
        raise
    except Exception as error:  # decoders raise errors of any kind on damaged files
        reason = f"{type(error).__name__}: {error}"
        raise AudioError(f"{job.path}: not audio that can be decoded ({reason})") from error


def _limited(job: Job) -> Iterator[audio.Waveform]:
    """Decode the file of a job up to its limit."""
    seconds = 0.0
    for piece in audio.blocks(job.path):
        seconds += len(piece) / audio.SAMPLE_RATE
        if seconds > job.max_seconds:
            raise TooLongError(f"its audio is longer than {job.max_seconds:g} s")
        yield piece
