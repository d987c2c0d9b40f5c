"""Refuses to test on what was trained on: content in two roles, or in the training of a model.

Content is compared by fingerprints, see :mod:`emotone.corpora.fingerprints`, so copies in other
formats, under other names or of renamed speakers are found.
"""

import itertools
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from emotone.corpora import Corpus
from emotone.corpora.fingerprints import Fingerprints, fingerprint, repeated, same_content
from emotone.errors import FoldError, UsageError
from emotone.evaluation.folds import ROLES, Fold
from emotone.features.utterances import cached
from emotone.text import agree, plural

SHOWN = 5  # utterances or speakers named


def fingerprints_of(
    corpus: Corpus, cache: Path, threads: int, advance: Callable[[], None]
) -> Fingerprints:
    """Compute the fingerprints of a corpus, or load them from the cache.

    Args:
        corpus: corpus whose audio is read.
        cache: folder of earlier ones.
        threads: number of files to read at once.
        advance: called once per utterance.

    Raises:
        CorpusError: if audio is missing, damaged, silent or too short; names the files.
        StorageError: if the cache cannot be written.
    """
    return cached(corpus, "fingerprints", fingerprint, cache, advance, workers=threads)


def refuse_repetitions(corpus: Corpus, folds: Sequence[Fold], prints: Fingerprints) -> None:
    """Raise a :class:`FoldError` if roles of a fold share content, such as a copy of a file."""
    pairs = list(repeated(prints))
    names = corpus.table["utterance"]
    for fold in folds:
        role_of = {number: role for role in ROLES for number in getattr(fold, role)}
        shared = [pair for pair in pairs if len({role_of.get(number) for number in pair}) > 1]
        shared = [pair for pair in shared if all(number in role_of for number in pair)]
        if shared:
            one, other = shared[0]
            raise FoldError(
                f"fold {fold.name}: {names[one]} ({role_of[one]}) and {names[other]} "
                f"({role_of[other]}) have the same content{_others(len(shared) - 1)}; leave one "
                "of each out (corpus.exclude), or correct the speakers; emotone corpus lists them"
            )


def refuse_corpora_in_common(corpus: Corpus, prints: Fingerprints) -> None:
    """Raise a :class:`UsageError` if corpora share content: one of them, or a part, is a copy.

    Their speakers would count as different ones, and be heard twice.
    """
    of, names = corpus.table["corpus"].tolist(), corpus.table["utterance"].tolist()
    shared = [pair for pair in repeated(prints) if of[pair[0]] != of[pair[1]]]
    if shared:
        one, other = shared[0]
        raise UsageError(
            f"{of[one]} and {of[other]} share recordings, so also speakers: {names[one]} and "
            f"{names[other]} have the same content{_others(len(shared) - 1)}; leave one of "
            "the corpora out, or these files (corpus.exclude)"
        )


def refuse_common(corpus: Corpus, prints: Fingerprints, trained: Fingerprints, source: str) -> None:
    """Raise a :class:`UsageError` if utterances of a corpus were trained on before.

    Args:
        corpus: corpus that is tested.
        prints: its fingerprints.
        trained: fingerprints of the utterances that were trained on.
        source: what was trained on them.
    """
    numbers = sorted({one for one, _ in same_content(prints, trained)})
    if numbers:
        rows = corpus.table.iloc[numbers]
        raise UsageError(
            f"{len(numbers)} of {len(corpus.table)} utterances of {corpus.name} were in the "
            f"training of {source}: {_shown(rows['utterance'])}, of the speakers "
            f"{_shown(sorted(set(rows['speaker'])))}; leave these speakers out (corpus.exclude), "
            "or set pretraining.allow_overlap=true (with adapt, it is adapt --allow-overlap)"
        )


def _others(count: int) -> str:
    return f", as {agree(count, 'do')} {plural(count, 'further pair')}" if count else ""


def _shown(names: Iterable[str]) -> str:
    """The first names of a list."""
    first, *more = itertools.islice(names, SHOWN + 1)
    return ", ".join([first, *more[: SHOWN - 1]]) + ", …" * (len(more) == SHOWN)
