"""Corpora as words of a command line: ``NAME [ROOT] [KEY=VALUE]...``, without PyTorch."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from emotone.corpora import READERS, AnyCorpusOptions
from emotone.corpora.table import SUFFIXES as TABLES
from emotone.errors import UsageError
from emotone.experiments.overrides import set_option
from emotone.files import exists
from emotone.options import explained, nearest
from emotone.text import shown

OVERRIDE = re.compile(r"[a-z_]+(\.\w+)*=")


def corpus_options(source: str, arguments: Sequence[str] = ()) -> AnyCorpusOptions:
    """Options of one corpus.

    Args:
        source: the name of a corpus reader, a table of files or a folder in audformat.
        arguments: see :func:`overrides_of`; ``corpus.`` may be left out.

    Raises:
        UsageError: if the name or an option is unknown or has a bad value.
    """
    values = reader_of(source)
    if values is None:
        raise UsageError(
            f"corpus.name must be one of {', '.join(READERS)}, got {shown(source)}"
            f"{nearest(source, READERS)}"
        )
    for override in overrides_of(arguments):
        set_option(values, override.removeprefix("corpus."))
    options = READERS[values["name"]].options
    try:
        return options.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(["corpus", *(str(part) for part in first["loc"])])
        raise UsageError(explained(first, place, options.model_fields)) from error


def overrides_of(arguments: Sequence[str]) -> list[str]:
    """Return ``key=value`` overrides; the first argument may be the root of the corpus instead.

    >>> overrides_of(["data/emodb", "seeds=[1]"])
    ['corpus.root="data/emodb"', 'seeds=[1]']
    """
    first = arguments[0] if arguments else "="
    if "=" in first and not exists(first):
        return list(arguments)
    return [f"corpus.root={json.dumps(first)}", *arguments[1:]]


def reader_of(source: str) -> dict[str, Any] | None:
    """Name and root of the reader that ``source`` stands for, if it is one."""
    path = Path(source)
    if source in READERS:
        return {"name": source}
    if path.suffix.lower() in TABLES or (exists(path) and path.is_file()):
        return {"name": "table", "root": path}
    if not exists(path):
        return None
    if (path / "db.yaml").is_file():
        return {"name": "audformat", "root": path}
    if path.is_dir():
        raise UsageError(
            f"{source} is a folder; say which corpus it holds, such as: emodb {source}"
        )
    return None


def several(words: Sequence[str]) -> list[AnyCorpusOptions]:
    """Options of corpora, one after the other.

    The word after a name is its root unless it is of the form ``key=value`` and no path.

    Raises:
        UsageError: see :func:`corpus_options`.
    """
    found = []
    left = list(words)
    while left:
        source, arguments = left.pop(0), []
        if left and not _is_override(left[0]) and left[0] not in READERS:
            arguments.append(left.pop(0))  # the root
        while left and _is_override(left[0]):
            arguments.append(left.pop(0))
        found.append(corpus_options(source, arguments))
    return found


def _is_override(word: str) -> bool:
    return OVERRIDE.match(word) is not None and not exists(word)
