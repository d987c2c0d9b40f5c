"""Corpora as words of a command line: ``NAME [ROOT] [KEY=VALUE]...``, without PyTorch."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from emotone.corpora import READERS, AnyCorpusOptions
from emotone.errors import UsageError
from emotone.experiments.overrides import set_option
from emotone.options import explained, nearest

OVERRIDE = re.compile(r"[a-z_]+(\.\w+)*=")


def corpus_options(name: str, root: Path | None, overrides: Sequence[str]) -> AnyCorpusOptions:
    """Options of one corpus, from its name, root and ``key=value``.

    Raises:
        UsageError: if the name or an option is unknown or has a bad value.
    """
    if name not in READERS:
        raise UsageError(
            f"corpus.name must be one of {', '.join(READERS)}, got {name!r}{nearest(name, READERS)}"
        )
    values: dict[str, Any] = {"name": name, "root": root}
    for override in overrides:
        set_option(values, override)
    options = READERS[name].options
    try:
        return options.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(["corpus", *(str(part) for part in first["loc"])])
        raise UsageError(explained(first, place, options.model_fields)) from error


def several(words: Sequence[str]) -> list[AnyCorpusOptions]:
    """Options of corpora, one after the other.

    The word after a name is its root unless it is of the form ``key=value`` and no path.

    Raises:
        UsageError: see :func:`corpus_options`.
    """
    found = []
    left = list(words)
    while left:
        name = left.pop(0)
        root = Path(left.pop(0)) if left and not _is_override(left[0]) else None
        overrides = []
        while left and _is_override(left[0]):
            overrides.append(left.pop(0))
        found.append(corpus_options(name, root, overrides))
    return found


def _is_override(word: str) -> bool:
    return OVERRIDE.match(word) is not None and not Path(word).exists()
