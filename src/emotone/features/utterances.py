"""Computes something from each utterance of a corpus, and names caches by their inputs."""

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from emotone import audio
from emotone.corpora import Corpus
from emotone.errors import AudioError, CorpusError
from emotone.files import replacing
from emotone.inference.execution import ProcessExecutor, map_in_order

SHORTEST = 25 * audio.SAMPLE_RATE // 1000  # samples; less than a frame cannot show an emotion
SHOWN_FAILURES = 3

Computed = TypeVar("Computed")
Row = tuple[str, float, float]  # file, start and end in seconds


def each_utterance(
    corpus: Corpus,
    compute: Callable[[audio.Waveform], Computed],
    advance: Callable[[], None],
    *,
    workers: int,
    processes: bool = False,
) -> Iterator[Computed]:
    """Read each utterance of a corpus and compute something from it, several at once, in order.

    Args:
        corpus: corpus whose audio is read.
        compute: maps a waveform, shape ``(samples,)``, to the result.
        advance: called once per utterance.
        workers: number of utterances to read at once.
        processes: whether workers are processes rather than threads. Processes take seconds to
            start, but threads share one core where much of ``compute`` is Python.

    Raises:
        CorpusError: if audio is missing, damaged, silent or too short; names the files.
    """
    rows = list(corpus.table[["file", "start", "end"]].itertuples(index=False, name=None))
    outcomes = _in_processes if processes and workers > 1 else _in_threads
    failures = []
    for result in outcomes(compute, rows, workers):
        advance()
        if isinstance(result, AudioError):
            failures.append(str(result))
        else:
            yield result
    if failures:
        shown = "; ".join(failures[:SHOWN_FAILURES])
        more = "; …" if len(failures) > SHOWN_FAILURES else ""
        raise CorpusError(
            f"{len(failures)} of {len(rows)} utterances of {corpus.name} cannot be used: "
            f"{shown}{more}. Fix or remove them"
        )


def map_utterances(
    corpus: Corpus,
    compute: Callable[[audio.Waveform], Computed],
    advance: Callable[[], None],
    *,
    workers: int,
    processes: bool = False,
) -> list[Computed]:
    """Return what :func:`each_utterance` yields."""
    return list(each_utterance(corpus, compute, advance, workers=workers, processes=processes))


def cached(
    corpus: Corpus,
    inputs: str,
    compute: Callable[[audio.Waveform], NDArray[Any]],
    cache: Path,
    advance: Callable[[], None],
    *,
    workers: int,
) -> NDArray[Any]:
    """Compute an array of the same shape from each utterance, or load those of an earlier call.

    Args:
        corpus: corpus whose audio is read.
        inputs: see :func:`cache_key`.
        compute: maps a waveform, shape ``(samples,)``, to an array.
        cache: folder of what is kept.
        advance: called once per utterance that is read.
        workers: number of files to read at once.

    Returns:
        Shape ``(utterances, …)``.

    Raises:
        CorpusError: see :func:`each_utterance`.
        StorageError: if the folder cannot be written.
    """
    path = cache / f"{cache_key(corpus, inputs)}.npy"
    found = kept_array(path)
    if found is None or len(found) != len(corpus.table):
        found = np.stack(map_utterances(corpus, compute, advance, workers=workers))
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.save(file, found, allow_pickle=False)
    return found


def kept_array(path: Path, *, mapped: bool = False) -> NDArray[Any] | None:
    """Return the array in a file of a cache; ``None`` if there is none, or it is damaged.

    Args:
        path: file of NumPy.
        mapped: map the file into memory instead of reading it.
    """
    try:
        found = np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False)
    except Exception:  # NumPy raises many kinds for a damaged file
        return None
    return found if isinstance(found, np.ndarray) and found.ndim else None


def cache_key(corpus: Corpus, options: str) -> str:
    """Return a name for data computed from a corpus, derived from everything it depends on.

    Args:
        corpus: corpus whose files, with their sizes and modification times, are included.
        options: everything else that the data depend on.
    """
    digest = hashlib.sha256(options.encode())
    for file, start, end in corpus.table[["file", "start", "end"]].itertuples(
        index=False, name=None
    ):
        try:
            status = Path(file).stat()
            state = (status.st_size, status.st_mtime_ns)
        except OSError:
            state = (0, 0)
        digest.update(repr((Path(file).name, start, end, state)).encode())
    return digest.hexdigest()[:16]


def _in_threads(
    compute: Callable[[audio.Waveform], Computed], rows: Sequence[Row], workers: int
) -> Iterator[Computed | AudioError]:
    # one thread of PyTorch in each of ours: a team of threads waits by spinning, and takes twenty
    # times as long as soon as another process needs a core
    before = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield from pool.map(partial(_outcome, compute), rows)
    finally:
        torch.set_num_threads(before)


def _in_processes(
    compute: Callable[[audio.Waveform], Computed], rows: Sequence[Row], workers: int
) -> Iterator[Computed | AudioError]:
    executor = ProcessExecutor(workers, initializer=torch.set_num_threads, initial_arguments=(1,))
    with closing(executor):
        for _, future in map_in_order(executor, _outcome, rows, executor.share(compute)):
            yield future.result()


def _outcome(compute: Callable[[audio.Waveform], Computed], row: Row) -> Computed | AudioError:
    try:
        return compute(_read_usable(row))
    except AudioError as error:
        return error


def _read_usable(row: Row) -> audio.Waveform:
    file, start, end = row
    waveform = audio.read(file, start, None if math.isnan(end) else end)
    if len(waveform) < SHORTEST:
        raise AudioError(
            f"{file}: {len(waveform)} samples at 16 kHz is too short, at least {SHORTEST} (25 ms) "
            "are needed; are start and end in seconds?"
        )
    if not waveform.any():
        raise AudioError(f"{file}: holds only zeros, no sound")
    return waveform
