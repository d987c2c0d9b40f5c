"""Weights of networks as safetensors: read, checked, and only then loaded."""

from collections.abc import Iterable
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from emotone.errors import ModelError
from emotone.inference import model_folder
from emotone.inference.model_folder import ModelConfig
from emotone.models.network import Network, build_backbone, current_names
from emotone.models.registry import options_of

Weights = dict[str, Tensor]


def rebuilt(folder: Path) -> Network:
    """Rebuild the network of a model folder, in evaluation mode.

    Raises:
        ModelError: if the folder is not a model, or was changed.
    """
    config = model_folder.read(folder)
    weights = weights_of(folder, config)
    network = Network(*options_of(config), config.labels, config.dimensions, config.members)
    network.load_state_dict(weights)
    return network.eval()


def weights_of(folder: Path, config: ModelConfig) -> Weights:
    """Read the weights of a model folder.

    Args:
        folder: model folder.
        config: its configuration.

    Raises:
        ModelError: if they are damaged, or not those of the network that ``config`` describes.
    """
    data = model_folder.content(folder, model_folder.WEIGHTS, config)
    weights = read(data, folder / model_folder.WEIGHTS)
    expected = _sizes(config)
    check(weights, expected, expected, folder / model_folder.WEIGHTS)
    return weights


def read(data: bytes, path: Path) -> Weights:
    """Parse weights, all of them finite, by their present names.

    Args:
        data: content of a safetensors file.
        path: its place, for messages.

    Raises:
        ModelError: if it is something else, or a weight is not finite.
    """
    try:
        weights = current_names(load(data))
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"{path} holds no weights as safetensors ({error}); it is damaged, copy it again"
        ) from error
    for name, value in weights.items():
        if not value.isfinite().all():
            raise ModelError(
                f"{path}: {name[:80]} is not finite, so the training diverged; train again with a "
                "lower training.learning_rate"
            )
    return weights


def check(weights: Weights, expected: Weights, names: Iterable[str], path: Path) -> None:
    """Check that weights fit a network.

    Args:
        weights: of :func:`read`.
        expected: tensors of the network, whose types and shapes count.
        names: names that must be there, and no others may.
        path: place of the weights, for messages.

    Raises:
        ModelError: if some are missing, unknown, or of another type or shape.
    """
    for name in sorted({*names, *weights}):
        found, asked = (_described(one.get(name)) for one in (weights, expected))
        if found != asked:
            raise ModelError(
                f"{path}: weights of a network of other sizes: {name[:80]} is {found}, expected "
                f"{asked}; give the model that its configuration describes"
            )


def _described(tensor: Tensor | None) -> str:
    if tensor is None:
        return "missing"
    return f"{str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)}"


def _sizes(config: ModelConfig) -> Weights:
    """Return the tensors of a network without their content, which takes no memory."""
    features, model = options_of(config)
    front_end, classes = model.front_end(features), len(config.labels) + len(config.dimensions)
    with torch.device("meta"):
        backbone = build_backbone(model, front_end.shape, classes, config.members)
    parts = {"features": front_end, "backbone": backbone}
    return {
        f"{part}.{name}": value
        for part, module in parts.items()
        for name, value in module.state_dict().items()
    }
