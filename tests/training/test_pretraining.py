from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from emotone.errors import ModelError
from emotone.features import FeatureOptions
from emotone.models.crnn import CrnnOptions
from emotone.models.network import Network
from emotone.training.pretraining import load_pretrained
from tests.helpers import TINY


def network(labels: str, **model: Any) -> Network:
    """A network with random values for all its weights and statistics."""
    features = FeatureOptions.model_validate(TINY["features"])
    made = Network(features, CrnnOptions.model_validate(TINY["model"] | model), list(labels))
    for value in made.state_dict().values():
        if value.is_floating_point():
            value.uniform_(0.5, 1.5)
    return made


def test_all_but_front_end_and_output_layer_are_taken_over(tmp_path: Path) -> None:
    before, after = network("abc"), network("ab")
    own = {name: value.clone() for name, value in after.state_dict().items()}
    path = tmp_path / "weights.safetensors"
    save_file(before.state_dict(), path)
    load_pretrained(after, path)
    for name, value in after.state_dict().items():
        kept = name.startswith(("features.", "backbone.output."))
        assert torch.equal(value, own[name] if kept else before.state_dict()[name]), name


def test_weights_of_other_sizes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save_file(network("ab").state_dict(), path)
    with pytest.raises(ModelError, match=r"other sizes: backbone\.\w+.* \(4, 24\), expected"):
        load_pretrained(network("ab", lstm=6), path)
    with pytest.raises(ModelError, match=r"of other sizes: backbone\.blocks\.1.*missing"):
        load_pretrained(network("ab", channels=[4], time_strides=[2], mel_pools=[4]), path)


def test_weights_that_are_missing_damaged_or_not_finite_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    whole = network("ab").state_dict()
    name = "backbone.hidden.weight"
    save_file({key: value for key, value in whole.items() if key != name}, path)
    with pytest.raises(ModelError, match=f"{name} is missing, expected float32"):
        load_pretrained(network("ab"), path)
    save_file(whole | {name: torch.full_like(whole[name], torch.nan)}, path)
    with pytest.raises(ModelError, match=f"{name} is not finite, so the training diverged"):
        load_pretrained(network("ab"), path)
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(ModelError, match="holds no weights as safetensors"):
        load_pretrained(network("ab"), path)
