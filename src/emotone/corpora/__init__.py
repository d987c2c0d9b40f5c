"""Speech corpora, each read into one table with the same columns.

A reader is a module with an options class, whose ``name`` is the corpus's, and a function ``read``.
"""

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import Field

from emotone.corpora import emodb, nemo, ravdess, synthetic, table
from emotone.corpora.base import COLUMNS, EMOTIONS, Corpus, CorpusOptions
from emotone.errors import CorpusError

READERS: dict[str, tuple[type[CorpusOptions], Callable[[Any], Corpus]]] = {
    "emodb": (emodb.EmodbOptions, emodb.read),
    "nemo": (nemo.NemoOptions, nemo.read),
    "ravdess": (ravdess.RavdessOptions, ravdess.read),
    "synthetic": (synthetic.SyntheticOptions, synthetic.read),
    "table": (table.TableOptions, table.read),
}

AnyCorpusOptions = Annotated[
    emodb.EmodbOptions
    | nemo.NemoOptions
    | ravdess.RavdessOptions
    | synthetic.SyntheticOptions
    | table.TableOptions,
    Field(discriminator="name"),
]

__all__ = ["COLUMNS", "EMOTIONS", "READERS", "AnyCorpusOptions", "Corpus", "CorpusError", "read"]


def read(options: AnyCorpusOptions) -> Corpus:
    """Read the corpus that ``options`` names.

    Raises:
        CorpusError: if it is not there, or is not that corpus.
    """
    _, reader = READERS[options.name]
    return reader(options)
