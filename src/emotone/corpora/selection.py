"""What of a corpus is used, and under which names: ``exclude``, ``map`` and ``keep``."""

from collections.abc import Sequence
from pathlib import Path

from emotone.corpora.base import Corpus, CorpusOptions, matches
from emotone.corpora.labels import EMOTIONS, canonical
from emotone.errors import CorpusError
from emotone.options import nearest
from emotone.text import agree, plural


def excluded(corpus: Corpus, options: CorpusOptions) -> Corpus:
    """Apply ``exclude``; utterances left out are counted among the problems.

    Raises:
        CorpusError: if a name or pattern fits no file, or no utterance is left.
    """
    if not options.exclude:
        return corpus
    files = corpus.table["file"]
    for pattern in options.exclude:
        if not any(matches(file, pattern) for file in files.unique()):
            names = sorted({Path(file).name for file in files})
            raise CorpusError(
                f"{corpus.name}: corpus.exclude has '{pattern}', which no file is called"
                f"{nearest(pattern, names)}"
            )
    out = files.map(options.leaves_out).astype(bool)
    if out.all():
        raise CorpusError(f"{corpus.name}: no utterance is left after corpus.exclude")
    count = int(out.sum())
    problem = (
        f"{plural(count, 'utterance')} {agree(count, 'are')} left out because of corpus.exclude"
    )
    table = corpus.table[~out].reset_index(drop=True)
    return Corpus(corpus.name, table, (*corpus.problems, problem))


def relabelled(corpus: Corpus, options: CorpusOptions) -> Corpus:
    """Apply ``map`` and ``keep``; utterances left out are counted among the problems.

    Both may use another name of a known emotion, such as ``sad``, if it is no label itself.

    Raises:
        CorpusError: if ``map`` renames an emotion that does not occur, ``keep`` has an unknown one
            that does not occur, or no utterance is left.
    """
    if not options.map and not options.keep:
        return corpus
    table = corpus.table
    present = sorted(table["emotion"].unique())
    new_names = {_occurring(emotion, present): name for emotion, name in options.map.items()}
    new_names |= {emotion: options.map[emotion] for emotion in present if emotion in options.map}
    for emotion in new_names:
        if emotion not in present:
            raise CorpusError(
                f"{corpus.name}: corpus.map renames '{emotion}', which does not occur"
                f"{nearest(emotion, present)}; the emotions are {', '.join(present)}"
            )
    new = table["emotion"].map(lambda emotion: new_names.get(emotion, emotion))
    left = sorted(new.dropna().unique())
    keep = [_occurring(emotion, left) for emotion in options.keep]
    for emotion in keep:
        if emotion not in left and emotion not in EMOTIONS:
            raise CorpusError(
                f"{corpus.name}: corpus.keep has '{emotion}', which does not occur"
                f"{nearest(emotion, left)}; the emotions are {', '.join(left)}"
            )
    kept = new.notna() & (new.isin(keep) if keep else True)
    if not kept.any():
        raise CorpusError(
            f"{corpus.name}: no utterance is left after corpus.map and corpus.keep; the emotions "
            f"are {', '.join(present)}"
        )
    problems = [
        f"{plural(count, 'utterance')} of {emotion} {agree(count, 'are')} left out because of "
        "corpus.map or corpus.keep"
        for emotion, count in table.loc[~kept, "emotion"].value_counts().sort_index().items()
    ]
    table = table.assign(emotion=new)[kept].reset_index(drop=True)
    return Corpus(corpus.name, table, (*corpus.problems, *problems))


def _occurring(emotion: str, present: Sequence[str]) -> str:
    """Return ``emotion``, or emotone's name of it if only that is present."""
    known = canonical(emotion)
    return known if emotion not in present and known in present and known else emotion
