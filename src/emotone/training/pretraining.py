"""A network that was trained on other corpora is trained further."""

from pathlib import Path
from typing import Any

from pydantic import Field
from safetensors.torch import load

from emotone.errors import UsageError
from emotone.models.kinds import Backbone
from emotone.models.network import Network, current_names
from emotone.options import Options

SHARE = "share"  # of the learning rate; key of the optimiser's groups


class FineTuningOptions(Options):
    """Which layers of a trained network are trained further, and how fast.

    Attributes:
        convolution_rate: learning rate of the convolutions, as a share of that of all other layers;
            0 leaves them as they are.
        head_epochs: number of first epochs that leave the convolutions as they are, while BLSTM and
            fully connected layers are trained.
    """

    convolution_rate: float = Field(1.0, ge=0)
    head_epochs: int = Field(0, ge=0)


def parameter_groups(backbone: Backbone, options: FineTuningOptions) -> list[dict[str, Any]]:
    """Divide the parameters into those of convolutions and others, with shares of the rate."""
    convolutions = list(backbone.convolutional.parameters())
    numbers = set(map(id, convolutions))
    others = [weights for weights in backbone.parameters() if id(weights) not in numbers]
    groups: list[dict[str, Any]] = [
        {"params": others, SHARE: 1.0},
        {"params": convolutions, SHARE: options.convolution_rate},
    ]
    return [group for group in groups if group["params"]]  # a network may have no convolutions


def thaw(backbone: Backbone, options: FineTuningOptions, epoch: int) -> None:
    """Set whether convolutions are trained in an epoch.

    Statistics of their batch normalisation follow the training set in any case.

    Args:
        backbone: the network's.
        options: of the fine-tuning.
        epoch: number of the epoch, from 0.
    """
    trained = options.convolution_rate > 0 and epoch >= options.head_epochs
    for weights in backbone.convolutional.parameters():
        weights.requires_grad_(trained)


def load_pretrained(network: Network, weights: Path) -> None:
    """Load the weights of another network, except those of the output layer.

    Args:
        network: receives the weights.
        weights: of a network of the same sizes, as safetensors.

    Raises:
        UsageError: if they are those of a network of other sizes.
    """
    pretrained = {
        name: value
        for name, value in current_names(load(weights.read_bytes())).items()
        if name.startswith("backbone.") and not name.startswith("backbone.output.")
    }
    own = network.state_dict()
    for name, value in sorted(pretrained.items()):
        if name not in own or own[name].shape != value.shape:
            raise UsageError(f"{weights}: weights of a network of other sizes ({name} differs)")
    network.load_state_dict(own | pretrained)
