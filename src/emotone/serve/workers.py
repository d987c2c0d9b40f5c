"""Worker processes that decode and recognise; a codec that crashes or hangs affects no other call.

Each process loads the models once. The audio of an upload is in a file that the caller owns: when
the file is gone, its worker stops. The audio of a live stream comes as windows.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emotone import audio
from emotone.audio.windows import Window
from emotone.errors import AudioError, EmotoneError
from emotone.inference.calls import recognise as recognise_call
from emotone.inference.execution import ProcessExecutor
from emotone.inference.formats import as_dict, call_as_dict, segment_as_dict
from emotone.inference.listening import CallOptions
from emotone.inference.neutral import Answers
from emotone.inference.recognizer import Recognizer, load
from emotone.inference.worker import CrashedError

MEMORY_BYTES = 2_000_000_000  # limit of what a worker allocates after its start

# models of a worker process
_recognizers: dict[str, Recognizer] = {}


class TooLongError(EmotoneError):
    """The audio of a request is longer than is allowed."""


class BusyError(EmotoneError):
    """No worker was free in time, or able to work."""


class AbandonedError(EmotoneError):
    """The file of a request is gone, since its client has left."""


@dataclass(frozen=True)
class Job:
    """A request: the name of the model, the audio file, and how to recognise it.

    Attributes:
        model: name of a loaded model.
        path: audio file.
        max_seconds: longest audio.
        windows: window and hop in seconds; ``None`` to recognise the file as a whole.
        call: how to recognise it as a call; ``None`` if it is none.
        threshold: probability from which an answer is confident; ``None`` for that of the service.
        only: emotions to choose among, with commas; ``None`` for all.
        neutral: earlier answers to neutral speech, see :meth:`emotone.Recognizer.with_neutral`.
    """

    model: str
    path: str
    max_seconds: float
    windows: tuple[float, float] | None = None
    threshold: float | None = None
    only: str | None = None
    call: CallOptions | None = None
    neutral: Answers = ()


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
            keeps_alive=True,
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

    @property
    def ready(self) -> bool:
        """Whether a process is there that has loaded the models."""
        return self._executor.ready > 0

    async def recognise(self, job: Job) -> dict[str, Any]:
        """Wait for a free worker and recognise a file.

        A cancellation takes effect when no worker uses the file any more; if it is gone, soon.

        Raises:
            AudioError: if the file cannot be used as audio.
            TooLongError: if its audio is too long, or needs too much memory.
            UsageError: if window or hop is out of its range.
            CrashedError: if the worker died of it.
            TimeLimitError: if the worker took too long.
            BusyError: if no worker became free in time, or workers are killed.
        """
        answer: dict[str, Any] = await self._call(_recognise, job)
        return answer

    async def segments(
        self,
        model: str,
        threshold: float | None,
        neutral: Answers,
        windows: Sequence[Window],
    ) -> list[dict[str, Any]]:
        """Wait for a free worker and recognise windows of live audio; see :meth:`recognise`."""
        answer: list[dict[str, Any]]
        answer = await self._call(_segments, model, threshold, neutral, windows)
        return answer

    async def _call(self, call: Callable[..., Any], *arguments: Any) -> Any:
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._free.acquire()
        except TimeoutError:
            raise BusyError(f"no worker was free for {self._timeout_s:g} s") from None
        try:
            try:
                return await self._made(call, *arguments)
            except CrashedError as error:
                if not error.outside:
                    raise
            return await self._made(call, *arguments)  # the call was not the cause: once more
        except CrashedError as error:
            if not error.outside:
                raise
            raise BusyError("the worker was killed twice") from error
        finally:
            self._free.release()

    async def _made(self, call: Callable[..., Any], *arguments: Any) -> Any:
        """Make a call; a cancellation waits until the worker is free again."""
        try:
            future = self._executor.submit(call, *arguments)
        except RuntimeError as error:
            raise BusyError("the service is being stopped") from error
        done = asyncio.wrap_future(future)
        try:
            await asyncio.wait([done], timeout=self._timeout_s)
            if future.cancel():  # all processes are being started
                raise BusyError(f"no worker could start for {self._timeout_s:g} s")
            return await asyncio.shield(done)
        except asyncio.CancelledError:
            if not future.cancel():
                await asyncio.wait([done])
                done.exception()  # nobody else asks for it
            raise

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


@contextmanager
def _limited_memory() -> Iterator[None]:
    try:
        yield
    except MemoryError as error:
        raise TooLongError("decoding it takes too much memory") from error


def _recognizer(model: str, threshold: float | None, neutral: Answers) -> Recognizer:
    recognizer = _recognizers[model]
    if threshold is not None:
        recognizer = recognizer.with_threshold(threshold)
    return recognizer.with_neutral(neutral) if neutral else recognizer


def _segments(
    model: str, threshold: float | None, neutral: Answers, windows: Sequence[Window]
) -> list[dict[str, Any]]:
    """Recognise windows; called in a worker process."""
    with _limited_memory():
        found = _recognizer(model, threshold, neutral).recognise(windows)
        return [segment_as_dict(segment) for segment in found]


def _recognise(job: Job) -> dict[str, Any]:
    """Answer a request; called in a worker process."""
    recognizer = _recognizer(job.model, job.threshold, job.neutral).with_only(job.only)

    def advance(_: float) -> None:
        _check_wanted(job)

    with _limited_memory():
        if job.call is not None:
            samples = _decoded(job, split=job.call.split)
            call = recognise_call(
                recognizer, (samples, audio.SAMPLE_RATE), job.call, "error", advance
            )
            return {"model": job.model} | call_as_dict(call)
        waveform = _decoded(job)
        seconds = len(waveform) / audio.SAMPLE_RATE
        answer: dict[str, Any] = {"model": job.model, "seconds": round(seconds, 3)}
        speech = (waveform, audio.SAMPLE_RATE)
        if job.windows is None:
            return answer | as_dict(recognizer.predict(speech))
        window, hop = job.windows
        found = recognizer.segments(speech, window=window, hop=hop, advance=advance)
        return answer | {"segments": [segment_as_dict(segment) for segment in found]}


def _check_wanted(job: Job) -> None:
    """Stop if the client has left."""
    if not Path(job.path).exists():
        raise AbandonedError("the client has left")


def _decoded(job: Job, *, split: bool = False) -> NDArray[np.float32]:
    """Decode the file of a job; shape ``(samples,)``, or ``(samples, channels)`` if split."""
    blocks = audio.channels(job.path) if split else audio.blocks(job.path)
    try:
        return np.concatenate(list(_limited(job, blocks)), axis=-1).T
    except (EmotoneError, MemoryError):
        raise
    except Exception as error:  # decoders raise errors of any kind on damaged files
        raise AudioError(f"{job.path}: not audio that can be decoded") from error


def _limited(
    job: Job, blocks: Iterable[audio.Waveform | list[audio.Waveform]]
) -> Iterator[NDArray[np.float32]]:
    """Read the audio of a job up to its limit; channels are rows."""
    seconds = 0.0
    for block in blocks:
        samples = np.asarray(block)
        _check_wanted(job)
        seconds += samples.shape[-1] / audio.SAMPLE_RATE
        if seconds > job.max_seconds:
            raise TooLongError(f"its audio is longer than {job.max_seconds:g} s")
        yield samples
