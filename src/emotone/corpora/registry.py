"""Finds the corpus readers: every module of this folder that has an options class and ``read``."""

import importlib
import pkgutil
from collections.abc import Callable
from functools import cache
from types import ModuleType
from typing import Any, NamedTuple

from emotone.corpora.base import Corpus, CorpusOptions
from emotone.corpora.info import CorpusInfo, corpus_info


class Reader(NamedTuple):
    """One corpus reader.

    Attributes:
        options: the class of its options.
        read: reads the corpus that ``options`` describe.
        parse: maps a file name to columns, or to ``None`` if it is not a name of the corpus;
            ``None`` if file names do not identify emotion and speaker.
        info: facts about the corpus, from the docstring of the module.
    """

    options: type[CorpusOptions]
    read: Callable[[Any], Corpus]
    parse: Callable[[str], dict[str, str] | None] | None
    info: CorpusInfo


@cache
def readers() -> dict[str, Reader]:
    """Return the readers in ``emotone.corpora`` by ``corpus.name``; see :func:`find`."""
    return find(importlib.import_module("emotone.corpora"))


def find(package: ModuleType) -> dict[str, Reader]:
    """Import every module of a package and return the readers among them by ``corpus.name``.

    Raises:
        TypeError: if a module with an options class has no literal ``name`` or no ``read``, or two
            readers have the same name.
        ValueError: if the docstring of a reader lacks a field; see :mod:`emotone.corpora.info`.
    """
    found: dict[str, Reader] = {}
    for entry in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"{package.__name__}.{entry.name}")
        options = _options_class(module)
        if options is None:
            continue
        name = options.model_fields["name"].default
        if not isinstance(name, str):
            raise TypeError(f'{module.__name__}: give options the field name: Literal["x"] = "x"')
        if name in found:
            raise TypeError(f"{module.__name__}: another reader has the name '{name}'")
        if not callable(getattr(module, "read", None)):
            raise TypeError(f"{module.__name__}: define read(options), which returns a Corpus")
        info = corpus_info(module.__name__)
        found[name] = Reader(options, module.read, getattr(module, "parse", None), info)
    return found


def _options_class(module: ModuleType) -> type[CorpusOptions] | None:
    for value in vars(module).values():
        if (
            isinstance(value, type)
            and issubclass(value, CorpusOptions)
            and value is not CorpusOptions
            and value.__module__ == module.__name__
        ):
            return value
    return None
