"""Computes something from each utterance of a corpus, and names caches by their inputs."""

import hashlib
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from emotone import audio
from emotone.corpora import Corpus
from emotone.errors import AudioError, CorpusError

SHORTEST = 25 * audio.SAMPLE_RATE // 1000  # samples; less than a frame cannot show an emotion
SHOWN_FAILURES = 3

Computed = TypeVar("Computed")


def map_utterances(
    corpus: Corpus,
    compute: Callable[[audio.Waveform], Computed],
    pool: ThreadPoolExecutor,
    advance: Callable[[], None],
) -> list[Computed]:
    """Read each utterance of a corpus and compute something from it, several at once.

    Args:
        corpus: corpus whose audio is read.
        compute: maps a waveform, shape ``(samples,)``, to the result.
        pool: threads that read and compute.
        advance: called once per utterance.

    Raises:
        CorpusError: if audio is missing, damaged, silent or too short; names the files.
    """

    def read_and_compute(row: tuple[str, float, float]) -> Computed | AudioError:
        try:
            return compute(_read_usable(row))
        except AudioError as error:
            return error
        finally:
            advance()

    rows = list(corpus.table[["file", "start", "end"]].itertuples(index=False, name=None))
    results = list(pool.map(read_and_compute, rows))
    failures = [str(result) for result in results if isinstance(result, AudioError)]
    if failures:
        shown = "; ".join(failures[:SHOWN_FAILURES])
        more = "; …" if len(failures) > SHOWN_FAILURES else ""
        raise CorpusError(
            f"{len(failures)} of {len(rows)} utterances of {corpus.name} cannot be used: "
            f"{shown}{more}. Fix or remove them"
        )
    return [result for result in results if not isinstance(result, AudioError)]


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


def _read_usable(row: tuple[str, float, float]) -> audio.Waveform:
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
