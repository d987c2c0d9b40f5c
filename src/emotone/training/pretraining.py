"""A network that was trained on other corpora is trained further."""

from pathlib import Path
from typing import Any

from pydantic import Field

from emotone.models import weights
from emotone.models.kinds import Backbone
from emotone.models.network import Network
from emotone.options import Options

SHARE = "share"  # of the learning rate; key of the optimiser's groups
MEMBERS = "backbone.members."  # names of an ensemble's weights start so


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
    others = [one for one in backbone.parameters() if id(one) not in numbers]
    groups: list[dict[str, Any]] = [
        {"params": others, SHARE: 1.0},
        {"params": convolutions, SHARE: backbone.early_rate * options.convolution_rate},
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
    for one in backbone.convolutional.parameters():
        one.requires_grad_(trained)


def load_pretrained(network: Network, path: Path, seed: int = 0) -> None:
    """Load the weights of another network, except those of the output layer.

    What voicing is usual stays that of the other network's training, too, which has heard more.

    Args:
        network: receives the weights.
        path: weights of a network of the same sizes, or of an ensemble of such, as safetensors.
        seed: of the training. Of an ensemble, another seed starts from another member.

    Raises:
        ModelError: if they are damaged, or those of a network of other sizes.
    """
    own, found = network.state_dict(), _member(weights.read(path.read_bytes(), path), seed)
    pretrained = {name: found[name] for name in found if _is_kept(name)}
    weights.check(pretrained, own, filter(_is_kept, own), path)
    network.load_state_dict(own | pretrained)


def _member(found: weights.Weights, seed: int) -> weights.Weights:
    """The weights of one member, if there are those of an ensemble."""
    numbers = {name.split(".")[2] for name in found if name.startswith(MEMBERS)}
    if not numbers:
        return found
    chosen = f"{MEMBERS}{seed % len(numbers)}."
    return {
        name.replace(chosen, "backbone.", 1): value
        for name, value in found.items()
        if name.startswith(chosen) or not name.startswith(MEMBERS)
    }


def _is_kept(name: str) -> bool:
    if name == "features.voicings":
        return True
    return name.startswith("backbone.") and not name.startswith("backbone.output.")
