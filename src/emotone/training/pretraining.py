"""Weights of a network that was trained on other corpora."""

from pathlib import Path

from safetensors.torch import load

from emotone.errors import UsageError
from emotone.models.network import Network, current_names


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
