"""Finds the kinds of model: those that the modules of this package define."""

import importlib
import pkgutil
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, TypeVar, get_args

from pydantic import Discriminator, Tag, ValidationError

from emotone import models
from emotone.errors import ModelError
from emotone.features import FeatureOptions
from emotone.inference.model_folder import ModelConfig, damaged
from emotone.models.kinds import EstimatorKind, NetworkKind
from emotone.options import Options

DEFAULT_KIND = "crnn"
Chosen = TypeVar("Chosen", bound=Options)
NOT_SCANNED = ("export", "weights")  # define no kind, and need the kinds or are slow to import


def _scan() -> dict[str, type[NetworkKind | EstimatorKind]]:
    """Import the modules of the package; a kind is a class whose ``kind`` is a ``Literal``."""
    kinds: dict[str, type[NetworkKind | EstimatorKind]] = {}
    for module in pkgutil.iter_modules(models.__path__):
        if module.name in NOT_SCANNED:
            continue
        namespace = importlib.import_module(f"{models.__name__}.{module.name}")
        for found in vars(namespace).values():
            if not isinstance(found, type) or not issubclass(found, NetworkKind | EstimatorKind):
                continue
            for kind in get_args(found.model_fields["kind"].annotation):
                if kinds.setdefault(kind, found) is not found:
                    raise TypeError(f"{kinds[kind]} and {found} are both of the kind '{kind}'")
    return kinds


def _kind_of(value: Any) -> Any:
    if isinstance(value, dict):
        return value.get("kind", DEFAULT_KIND)
    return getattr(value, "kind", None)


MODEL_KINDS = _scan()
if TYPE_CHECKING:
    AnyModelOptions: TypeAlias = NetworkKind | EstimatorKind
else:  # options of any kind, chosen by ``kind``
    AnyModelOptions = Annotated[
        reduce(or_, [Annotated[found, Tag(kind)] for kind, found in MODEL_KINDS.items()]),
        Discriminator(_kind_of),
    ]


def options_of(model: ModelConfig) -> tuple[FeatureOptions, NetworkKind]:
    """Return the options of the front end and of the network of a trained model.

    Raises:
        ModelError: if this version has no network of its kind, or its options are wrong.
    """
    name = _kind_of(model.model)
    kind = MODEL_KINDS.get(name) if isinstance(name, str) else None
    if kind is None or not issubclass(kind, NetworkKind):
        raise ModelError(
            f"this version of emotone has no network of model.kind={str(name)[:40]}; it has "
            f"{', '.join(MODEL_KINDS)}"
        )
    features = _validated(FeatureOptions, model.features)
    network = _validated(kind, model.model)
    try:
        network.check(features)
    except ValueError as error:
        raise ModelError(f"{error}; the model folder is damaged") from error
    return features, network


def _validated(options: type[Chosen], values: dict[str, Any]) -> Chosen:
    try:
        return options.model_validate(values)
    except ValidationError as error:
        raise damaged(error, options) from error
