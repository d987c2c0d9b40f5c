"""Processes that decode and recognise, so that a codec that crashes or hangs takes nothing down.

Each worker is a process that has loaded the models once. A request goes to a worker that is free;
one that dies or takes too long is replaced, and its request gets an error. The audio goes through a
file that the caller owns.
"""

import contextlib
import multiprocessing
import queue
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from emotone import audio
from emotone.errors import EmotoneError
from emotone.inference.listing import as_dict, segment_as_dict
from emotone.inference.recognizer import Recognizer, load

MEMORY = 2_000_000_000  # bytes that a worker may use beyond what it has when it is ready
START_S = 60.0  # that a worker may take to load the models


class TooLongError(EmotoneError):
    """The audio of a request is longer than is allowed."""


class CrashedError(EmotoneError):
    """The worker died over a request, or took too long; the file is to blame."""


class BusyError(EmotoneError):
    """No worker came free in time."""


@dataclass(frozen=True)
class Job:
    """What is asked: of which model, about which file, in windows or as a whole."""

    model: str
    path: str
    most_seconds: float
    windows: tuple[float, float] | None = None


class Workers:
    """A fixed number of worker processes. Safe to use from several threads.

    Args:
        models: names or folders, see :func:`emotone.inference.model_folder.locate`.
        count: how many processes.

    Raises:
        ModelError: if a model cannot be loaded.
    """

    def __init__(self, models: tuple[str, ...], count: int) -> None:
        self.models = {name: load(name) for name in models}  # an error is told before any starts
        self.restarts = 0
        self._free: queue.Queue[_Worker] = queue.Queue()
        self._closed = False
        for worker in [_Worker(models) for _ in range(count)]:
            worker.wait_until_ready()
            self._free.put(worker)

    def do(self, job: Job, seconds: float) -> dict[str, Any]:
        """Recognise; waits for a free worker.

        Args:
            job: what is asked.
            seconds: that the work may take.

        Raises:
            AudioError: if the file cannot be used as audio.
            TooLongError: if its audio is too long.
            UsageError: if windows are out of their range.
            CrashedError: if the worker died or took too long.
            BusyError: if no worker comes free in that time.
        """
        try:
            worker = self._free.get(timeout=seconds)
        except queue.Empty:
            raise BusyError(f"no worker came free in {seconds:g} s") from None
        try:
            result = worker.do(job, seconds)
        except CrashedError:
            self.restarts += 1
            worker.kill()
            if not self._closed:
                threading.Thread(target=self._replace, daemon=True).start()
            raise
        except BaseException:
            self._free.put(worker)
            raise
        self._free.put(worker)
        return result

    def close(self) -> None:
        """End all workers that are free; those that work end with the server."""
        self._closed = True
        while True:
            try:
                self._free.get_nowait().kill()
            except queue.Empty:
                return

    def _replace(self) -> None:
        worker = _Worker(tuple(self.models))
        with contextlib.suppress(CrashedError):
            worker.wait_until_ready()
            self._free.put(worker)


class _Worker:
    def __init__(self, models: tuple[str, ...]) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs, models), daemon=True)
        self._process.start()
        theirs.close()

    def wait_until_ready(self) -> None:
        """Wait until the models are loaded."""
        self._received(START_S)

    def do(self, job: Job, seconds: float) -> dict[str, Any]:
        """Have a job done."""
        try:
            self._connection.send(job)
        except OSError as error:
            raise CrashedError("the worker is gone") from error
        answer = self._received(seconds)
        if isinstance(answer, EmotoneError):
            raise answer
        result: dict[str, Any] = answer
        return result

    def kill(self) -> None:
        """End the process at once."""
        self._process.kill()
        self._process.join()
        self._connection.close()

    def _received(self, seconds: float) -> Any:
        try:
            if not self._connection.poll(seconds):
                raise CrashedError(f"working on it took longer than {seconds:g} s")
            return self._connection.recv()
        except (EOFError, OSError) as error:
            raise CrashedError("the decoder crashed over it") from error


def _work(connection: Connection, models: tuple[str, ...]) -> None:
    """Do jobs until the server is gone; the body of a worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the server decides
    recognizers = {name: load(name) for name in models}
    _limit_memory()
    connection.send("ready")
    while True:
        try:
            job = connection.recv()
        except (EOFError, OSError):
            return
        try:
            answer: Any = _done(recognizers[job.model], job)
        except EmotoneError as error:
            answer = error
        except MemoryError:
            answer = TooLongError("decoding it takes too much memory")
        connection.send(answer)


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # not on Windows
        return
    statm = Path("/proc/self/statm")
    if statm.is_file():
        used = int(statm.read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))


def _done(recognizer: Recognizer, job: Job) -> dict[str, Any]:
    waveform = np.concatenate(list(_limited(job)))
    seconds = len(waveform) / audio.SAMPLE_RATE
    result: dict[str, Any] = {"model": job.model, "seconds": round(seconds, 3)}
    speech = (waveform, audio.SAMPLE_RATE)
    if job.windows is None:
        return result | as_dict(recognizer.predict(speech))
    window, hop = job.windows
    found = recognizer.segments(speech, window=window, hop=hop)
    return result | {"segments": [segment_as_dict(segment) for segment in found]}


def _limited(job: Job) -> Iterator[audio.Waveform]:
    heard = 0.0
    for piece in audio.blocks(job.path):
        heard += len(piece) / audio.SAMPLE_RATE
        if heard > job.most_seconds:
            raise TooLongError(f"its audio is longer than {job.most_seconds:g} s")
        yield piece
