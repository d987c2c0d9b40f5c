"""Weights of a network that was trained on other corpora."""

from pathlib import Path

from emotone.models import weights
from emotone.models.network import Network


def load_pretrained(network: Network, path: Path) -> None:
    """Load the weights of another network, except those of the output layer.

    Args:
        network: receives the weights.
        path: weights of a network of the same sizes, as safetensors.

    Raises:
        ModelError: if they are damaged, or those of a network of other sizes.
    """
    own, found = network.state_dict(), weights.read(path.read_bytes(), path)
    pretrained = {name: found[name] for name in found if _is_kept(name)}
    weights.check(pretrained, own, filter(_is_kept, own), path)
    network.load_state_dict(own | pretrained)


def _is_kept(name: str) -> bool:
    return name.startswith("backbone.") and not name.startswith("backbone.output.")
