"""Recognition in several processes, with the answers and the order of one."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing.connection import wait
from pathlib import Path

from emotone.errors import AudioError
from emotone.recognizer import BATCH, Prediction, Recognizer, Segment, Speaker

Answer = Prediction | list[Segment] | AudioError
AHEAD = 4  # batches that each process has before it

# of a worker process
_recognizer: Recognizer
_segments: tuple[float, float] | None


def answers(
    recognizer: Recognizer,
    files: Iterable[Path],
    segments: tuple[float, float] | None,
    jobs: int,
) -> Iterator[Answer]:
    """Recognise files in processes; yields in the order of ``files``, whoever is done first.

    What waits is bounded, so memory does not grow with the number of files. A file over which a
    process dies is one that cannot be used; the others are not concerned.

    Args:
        recognizer: its model, and its speaker if it knows one, are what each process loads.
        files: to recognise.
        segments: window and hop in seconds, to recognise windows of each file.
        jobs: number of processes.
    """
    left = iter(files)
    waiting: deque[tuple[list[Path], Future[list[Answer]]]] = deque()
    pool = _pool(recognizer, segments, jobs)
    try:
        while True:
            while len(waiting) < AHEAD * jobs and (batch := list(islice(left, BATCH))):
                waiting.append((batch, pool.submit(_work, batch)))
            if not waiting:
                return
            batch, future = waiting.popleft()
            try:
                yield from future.result()
            except BrokenProcessPool:
                pool.shutdown(wait=False, cancel_futures=True)
                yield from _one_by_one(recognizer, batch, segments)
                pool = _pool(recognizer, segments, jobs)
                waiting = deque((later, pool.submit(_work, later)) for later, _ in waiting)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _one_by_one(
    recognizer: Recognizer, batch: Sequence[Path], segments: tuple[float, float] | None
) -> Iterator[Answer]:
    """Recognise files of which one may have killed a process, each in a process of its own."""
    for file in batch:
        with _pool(recognizer, segments, 1) as pool:
            try:
                yield from pool.submit(_work, [file]).result()
            except BrokenProcessPool:
                yield AudioError(f"{file}: the decoder crashed over it; convert it to WAV")


def _pool(
    recognizer: Recognizer, segments: tuple[float, float] | None, jobs: int
) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(
        jobs,
        multiprocessing.get_context("spawn"),
        _start,
        (recognizer.folder, recognizer.speaker, segments),
    )


def _start(folder: Path, speaker: Speaker | None, segments: tuple[float, float] | None) -> None:
    """Load the model; the beginning of a worker process."""
    global _recognizer, _segments
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    die_with_parent()
    _recognizer, _segments = Recognizer(folder), segments
    if speaker is not None:
        _recognizer = _recognizer.for_speaker(speaker)


def _work(files: list[Path]) -> list[Answer]:
    return list(in_order(_recognizer, files, _segments))


def in_order(
    recognizer: Recognizer,
    files: Iterable[Path],
    segments: tuple[float, float] | None,
    advance: Callable[[float], None] = lambda seconds: None,
) -> Iterator[Answer]:
    """Recognise files in this process.

    Args:
        recognizer: to ask.
        files: to recognise.
        segments: window and hop in seconds, to recognise windows of each file.
        advance: called with the seconds of windows that are done.
    """
    if segments is None:
        yield from recognizer.predict_many(files)
        return
    window, hop = segments
    for file in files:
        try:
            yield recognizer.segments(file, window=window, hop=hop, advance=advance)
        except AudioError as error:
            yield error


def die_with_parent() -> None:
    """End this process when the one that started it ends, however that happens.

    A death signal of the system would not do: it comes when the server that forks dies, which
    waits for its children.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
