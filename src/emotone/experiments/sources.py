"""What the command line names as an experiment: a file, a shipped configuration, a corpus."""

from collections.abc import Sequence
from typing import Any

from emotone.corpora import READERS
from emotone.corpora.table import SUFFIXES as TABLES
from emotone.errors import UsageError
from emotone.experiments.config import ExperimentConfig, checked, load
from emotone.experiments.corpus_arguments import overrides_of, reader_of
from emotone.experiments.overrides import PRESETS, located, set_option
from emotone.options import nearest

__all__ = ["configuration"]

CONFIGURATIONS = (".yaml", ".yml")


def configuration(source: str, arguments: Sequence[str] = ()) -> ExperimentConfig:
    """Read the configuration of an experiment, or make one for a corpus.

    Args:
        source: a configuration file, the name of one that ships (``emodb``), a table of files, a
            folder in audformat or the name of a corpus reader.
        arguments: see :func:`emotone.experiments.corpus_arguments.overrides_of`.

    Raises:
        UsageError: if it is none of these, or an option is unknown or has a bad value.
    """
    overrides = overrides_of(arguments)
    path = located(source)
    if path.suffix.lower() in CONFIGURATIONS:
        return load(path, overrides)
    corpus = reader_of(source)
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
