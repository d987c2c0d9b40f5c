"""What the command line names as an experiment: a file, a shipped configuration, a corpus."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from emotone.corpora import READERS, AnyCorpusOptions
from emotone.corpora.table import SUFFIXES as TABLES
from emotone.errors import UsageError
from emotone.experiments.config import ExperimentConfig, checked, load
from emotone.experiments.overrides import PRESETS, located, set_option
from emotone.options import nearest

CONFIGURATIONS = (".yaml", ".yml")


def configuration(source: str, arguments: Sequence[str] = ()) -> ExperimentConfig:
    """Read the configuration of an experiment, or make one for a corpus.

    Args:
        source: a configuration file, the name of one that ships (``emodb``), a table of files, a
            folder in audformat or the name of a corpus reader.
        arguments: see :func:`overrides_of`.

    Raises:
        UsageError: if it is none of these, or an option is unknown or has a bad value.
    """
    overrides = overrides_of(arguments)
    path = located(source)
    if path.suffix.lower() in CONFIGURATIONS:
        return load(path, overrides)
    corpus = _corpus(source)
    if corpus is None:
        names = sorted({*READERS, *(file.stem for file in PRESETS.glob("*.yaml"))})
        raise UsageError(
            f"{source}: expected a configuration file (.yaml), a table ({', '.join(TABLES)}) or "
            f"a name{nearest(source, names)}; names are {', '.join(names)}"
        )
    values: dict[str, Any] = {"corpus": corpus}
    for override in overrides:
        set_option(values, override)
    return checked(values, source)


def corpus_options(source: str, arguments: Sequence[str] = ()) -> AnyCorpusOptions:
    """Options of one corpus.

    Args:
        source: the name of a corpus reader, a table of files or a folder in audformat.
        arguments: see :func:`overrides_of`; ``corpus.`` may be left out.

    Raises:
        UsageError: if the name or an option is unknown or has a bad value.
    """
    values: dict[str, Any] = {"corpus": _corpus(source) or {"name": source}}
    for override in overrides_of(arguments):
        set_option(values, f"corpus.{override.removeprefix('corpus.')}")
    return checked(values, "corpus").corpus[0]


def overrides_of(arguments: Sequence[str]) -> list[str]:
    """Return ``key=value`` overrides; the first argument may be the root of the corpus instead.

    >>> overrides_of(["data/emodb", "seeds=[1]"])
    ['corpus.root="data/emodb"', 'seeds=[1]']
    """
    first = arguments[0] if arguments else "="
    if "=" in first and not Path(first).exists():
        return list(arguments)
    return [f"corpus.root={json.dumps(first)}", *arguments[1:]]


def _corpus(source: str) -> dict[str, Any] | None:
    """Name and root of the reader that ``source`` stands for, if it is one."""
    path = Path(source)
    if source in READERS:
        return {"name": source}
    if path.suffix.lower() in TABLES or path.is_file():
        return {"name": "table", "root": path}
    if (path / "db.yaml").is_file():
        return {"name": "audformat", "root": path}
    if path.is_dir():
        raise UsageError(
            f"{source} is a folder; say which corpus it holds, such as: emodb {source}"
        )
    return None
