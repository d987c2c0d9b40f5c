"""Recognition in several processes, here or on a cluster, with the answers and the order of one."""

import multiprocessing
import os
import signal
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import cache
from itertools import islice
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from emotone.errors import AudioError
from emotone.experiments import cluster
from emotone.experiments.cluster import FailedError
from emotone.inference import model_folder
from emotone.inference.recognizer import BATCH, Prediction, Recognizer, Segment, Speaker

Answer = Prediction | list[Segment] | AudioError
AHEAD = 4  # batches that each process has before it
MODEL = (model_folder.CONFIG, model_folder.ONNX)  # files that recognition needs
FAR_BATCH = 4 * BATCH  # sent to another machine at once

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


def answers_of_cluster(
    recognizer: Recognizer,
    files: Iterable[Path],
    segments: tuple[float, float] | None,
    address: str,
) -> Iterator[Answer]:
    """Recognise files on the machines of a Ray cluster; yields in the order of ``files``.

    The model is sent to the machines; the files they must find where they are here. A file over
    which processes die time and again is one that cannot be used.

    Args:
        recognizer: its model, and its speaker if it knows one, are what each machine uses.
        files: to recognise.
        segments: window and hop in seconds, to recognise windows of each file.
        address: see :func:`emotone.experiments.cluster.connected`.

    Raises:
        UsageError: if there is no such cluster.
    """
    left = iter(files)
    waiting: deque[tuple[list[Path], Any]] = deque()
    with cluster.connected(address) as machines:
        model = machines.put({name: (recognizer.folder / name).read_bytes() for name in MODEL})

        def submitted(batch: list[Path]) -> Any:
            paths = [(str(file), str(file.absolute())) for file in batch]
            return machines.submit(_work_far, model, recognizer.speaker, paths, segments)

        try:
            while True:
                while len(waiting) < AHEAD * machines.cores and (
                    batch := list(islice(left, FAR_BATCH))
                ):
                    waiting.append((batch, submitted(batch)))
                if not waiting:
                    return
                batch, handle = waiting.popleft()
                try:
                    yield from machines.result(handle)
                except FailedError:
                    for file in batch:
                        try:
                            yield from machines.result(submitted([file]))
                        except FailedError as error:
                            yield AudioError(f"{file}: {error}")
        finally:
            machines.cancel([handle for _, handle in waiting])


def _work_far(
    model: dict[str, bytes],
    speaker: Speaker | None,
    files: list[tuple[str, str]],
    segments: tuple[float, float] | None,
) -> list[Answer]:
    """Recognise files on another machine; each as it was named and where it is."""
    recognizer = _sent(tuple(model.items()))
    if speaker is not None:
        recognizer = recognizer.for_speaker(speaker)
    found = list(in_order(recognizer, [Path(path) for _, path in files], segments))
    return [
        AudioError(str(answer).replace(path, name)) if isinstance(answer, AudioError) else answer
        for answer, (name, path) in zip(found, files, strict=True)
    ]


@cache
def _sent(model: tuple[tuple[str, bytes], ...]) -> Recognizer:
    """Load a model from the contents of its files, once in a process."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in model:
            (Path(folder) / name).write_bytes(content)
        return Recognizer(folder)


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
