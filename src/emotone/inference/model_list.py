"""Lists the models at hand: those that ship with emotone, and those of the Hub in the cache.

All facts are from ``config.json`` and ``MODEL_CARD.md``.
"""

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from emotone.errors import ModelError
from emotone.inference import model_folder

SHIPPED, CACHED = "shipped", "cached"
ROW = re.compile(
    r"^\| (?P<corpus>[^|]+) \| (?P<protocol>[^|]+) \| (?P<system>[^|]+) \| "
    r"(?P<uar>\d+(\.\d+)?( [^|]*)?) \|",
    re.MULTILINE,
)
LICENCE = re.compile(r"^## Training data\n.*?\n\n((?!\|).+?)\n\n## ", re.MULTILINE | re.DOTALL)
NOT_STATED = "not stated"


@dataclass(frozen=True)
class Evaluation:
    """A row of the results in a model card.

    Attributes:
        corpus: what was tested.
        protocol: how.
        uar: UAR in %, with its 95 % interval over speakers in brackets.
    """

    corpus: str
    protocol: str
    uar: str


@dataclass(frozen=True)
class ListedModel:
    """What is known about a model.

    Attributes:
        name: for :func:`emotone.load`.
        source: ``shipped`` or ``cached``.
        labels: the emotions.
        corpora: what it was trained on.
        speakers: number of training speakers; ``None`` if the model does not say.
        parameters: number of weights; ``None`` if the model does not say.
        megabytes: size of the file that recognises.
        confident_from: probability from which an answer is confident.
        licence: licence of the weights, in the words of the card.
        evaluation: rows of the card about the model itself.
    """

    name: str
    source: str
    labels: tuple[str, ...]
    corpora: tuple[str, ...]
    speakers: int | None
    parameters: int | None
    megabytes: float
    confident_from: float
    licence: str
    evaluation: tuple[Evaluation, ...]

    def as_dict(self) -> dict[str, Any]:
        """All of it, for JSON."""
        return asdict(self)


def models() -> list[ListedModel]:
    """The models that :func:`emotone.load` finds by name without a connection, the default first.

    >>> [model.name for model in models()][:2]
    ['emotone-base', 'emotone-8']
    """
    shipped = sorted(model_folder.MODELS.iterdir(), key=lambda path: path.name, reverse=True)
    shipped.sort(key=lambda path: path.name != model_folder.DEFAULT)
    found = [listed(folder, folder.name, SHIPPED) for folder in shipped if _is_model(folder)]
    return found + [listed(folder, name, CACHED) for name, folder in _cached()]


def listed(folder: Path, name: str, source: str) -> ListedModel:
    """Describe a model folder.

    Raises:
        ModelError: if it is not a model folder.
    """
    config = model_folder.read(folder)
    card = model_folder.card(folder) or ""
    training, parameters = config.training, config.training.get("parameters")
    speakers = training.get("speakers", {}).get("training")
    licence = LICENCE.search(card)
    rows = [row.groupdict() for row in ROW.finditer(card)]
    own = rows[0]["system"] if rows else ""  # other systems follow, for comparison
    return ListedModel(
        name=name,
        source=source,
        labels=config.labels,
        corpora=tuple(training.get("corpora", ())),
        speakers=None if speakers is None else len(speakers),
        parameters=parameters if isinstance(parameters, int) else None,
        megabytes=round((folder / model_folder.ONNX).stat().st_size / 1e6, 1),
        confident_from=round(config.confident_from, 2),
        licence=" ".join(licence[1].split()) if licence else NOT_STATED,
        evaluation=tuple(
            Evaluation(row["corpus"], row["protocol"], row["uar"])
            for row in rows
            if row["system"] == own
        ),
    )


def _cached() -> Iterator[tuple[str, Path]]:
    """Models of emotone in the cache of the Hugging Face Hub, if its library is installed."""
    try:
        from huggingface_hub import scan_cache_dir
        from huggingface_hub.errors import CacheNotFound
    except ModuleNotFoundError:
        return
    try:
        repositories = scan_cache_dir().repos
    except CacheNotFound:
        return
    for repository in sorted(repositories, key=lambda one: one.repo_id):
        for revision in repository.revisions:
            if "main" in revision.refs and _is_model(revision.snapshot_path):
                yield repository.repo_id, revision.snapshot_path


def _is_model(folder: Path) -> bool:
    try:
        model_folder.read(folder)
    except ModelError:
        return False
    return (folder / model_folder.ONNX).is_file()
