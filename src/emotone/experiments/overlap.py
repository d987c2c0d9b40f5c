"""Refuses to test on what was trained on: content in two roles, or in the training of a model.

Content is compared by fingerprints, see :mod:`emotone.corpora.fingerprints`, so copies in other
formats, under other names or of renamed speakers are found.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from emotone.corpora import Corpus
from emotone.corpora.fingerprints import Fingerprints, fingerprint, repeated, same_content
from emotone.errors import FoldError, UsageError
from emotone.evaluation.folds import ROLES, Fold
from emotone.features.utterances import cache_key, map_utterances
from emotone.files import replacing

SHOWN = 5  # utterances named


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
    path = cache / f"{cache_key(corpus, 'fingerprints')}.npy"
    if not path.is_file():
        rows = map_utterances(corpus, fingerprint, advance, workers=threads)
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.save(file, np.stack(rows), allow_pickle=False)
    found: Fingerprints = np.load(path, allow_pickle=False)
    return found


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
                f"({role_of[other]}) have the same content"
                f"{f', and so have {len(shared) - 1} more pairs' * (len(shared) > 1)}; leave one "
                "of each out (corpus.exclude), or correct the speakers; emotone corpus lists them"
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
        names = corpus.table["utterance"].iloc[numbers[:SHOWN]]
        raise UsageError(
            f"{len(numbers)} of {len(corpus.table)} utterances of {corpus.name} were in the "
            f"training of {source}: {', '.join(names)}{', …' * (len(numbers) > SHOWN)}; leave them "
            "out (corpus.exclude), or set pretraining.allow_overlap=true (adapt --allow-overlap)"
        )
