from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from emotone.errors import ModelError
from emotone.features import FeatureOptions
from emotone.models.crnn import CrnnOptions
from emotone.models.network import Network, together
from emotone.training.history import History
from emotone.training.loop import fit
from emotone.training.options import TrainingOptions
from emotone.training.pretraining import FineTuningOptions, load_pretrained
from emotone.training.spectrograms import Spectrograms
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


def test_each_seed_starts_from_a_member_of_an_ensemble(tmp_path: Path) -> None:
    members = [network("abc"), network("abc")]
    for member in members:
        member.features.load_state_dict(members[0].features.state_dict())
    path = tmp_path / "weights.safetensors"
    save_file(together(members).state_dict(), path)
    for seed in range(4):
        after = network("ab")
        load_pretrained(after, path, seed)
        taken = members[seed % 2].backbone.state_dict()
        for name, value in after.backbone.state_dict().items():
            if not name.startswith("output."):
                assert torch.equal(value, taken[name]), name


def test_weights_of_other_sizes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save_file(network("ab").state_dict(), path)
    with pytest.raises(ModelError, match=r"other sizes: backbone\.\w+.* \(4, 24\), expected"):
        load_pretrained(network("ab", lstm=6), path)
    with pytest.raises(ModelError, match=r"of other sizes: backbone\.blocks\.1.*missing"):
        load_pretrained(network("ab", channels=[4], time_strides=[2], mel_pools=[4]), path)


def fine_tuned(data: Spectrograms, start: Path, epochs: int, **asked: float) -> dict[str, float]:
    """How far the weights of the convolutions, and of all other layers, are from the start."""
    made = fit(
        data, data.of_speakers(["s0", "s1"]), [],
        features=FeatureOptions.model_validate(TINY["features"]),
        model=CrnnOptions.model_validate(TINY["model"]),
        options=TrainingOptions.model_validate(
            TINY["training"] | {"epochs": epochs, "averaging": 0.0, "weight_decay": 0.0}
        ),
        seed=0, initial=start, fine_tuning=FineTuningOptions.model_validate(asked),
    )[0]  # fmt: skip
    before = load_file(start)
    moved = {"blocks": 0.0, "others": 0.0}
    for name, value in made.named_parameters():
        if not name.startswith("backbone.output."):
            part = "blocks" if name.startswith("backbone.blocks.") else "others"
            moved[part] = max(moved[part], float((value.detach() - before[name]).abs().max()))
    return moved


@pytest.fixture
def start(data: Spectrograms, tmp_path: Path) -> Path:
    torch.manual_seed(1)
    features = FeatureOptions.model_validate(TINY["features"])
    made = Network(features, CrnnOptions.model_validate(TINY["model"]), data.labels)
    save_file(made.state_dict(), tmp_path / "start.safetensors")
    return tmp_path / "start.safetensors"


def test_convolutions_can_be_trained_later_more_slowly_or_not_at_all(
    data: Spectrograms, start: Path
) -> None:
    everything = fine_tuned(data, start, 2)
    assert min(everything.values()) > 1e-3
    for still in ({"head_epochs": 2}, {"convolution_rate": 0.0}):
        moved = fine_tuned(data, start, 2, **still)
        assert moved["blocks"] == 0
        assert moved["others"] > 1e-3
    later = fine_tuned(data, start, 2, head_epochs=1)
    assert 0 < later["blocks"] < everything["blocks"]
    # each step of Adam is about as long as its rate
    slowly = fine_tuned(data, start, 2, convolution_rate=0.01)
    assert slowly["blocks"] == pytest.approx(0.01 * everything["blocks"], rel=0.3)


def test_a_killed_fine_tuning_resumes_to_the_same_weights(
    data: Spectrograms, start: Path, tmp_path: Path
) -> None:
    class KilledError(Exception):
        pass

    def die(history: History) -> None:
        if len(history.epochs) == killed_after:
            raise KilledError

    asked: dict[str, Any] = {
        "features": FeatureOptions.model_validate(TINY["features"]),
        "model": CrnnOptions.model_validate(TINY["model"]),
        "options": TrainingOptions.model_validate(TINY["training"]),
        "seed": 0,
        "initial": start,
        "fine_tuning": FineTuningOptions(head_epochs=2, convolution_rate=0.5),
    }
    training, killed_after = data.of_speakers(["s0", "s1"]), 0
    whole, _ = fit(data, training, [], **asked)
    for killed_after in (1, 2):
        checkpoint = tmp_path / f"{killed_after}.safetensors"
        with pytest.raises(KilledError):
            fit(data, training, [], checkpoint=checkpoint, on_epoch=die, **asked)
        resumed, _ = fit(data, training, [], checkpoint=checkpoint, **asked)
        for name, value in resumed.state_dict().items():
            assert torch.equal(value, whole.state_dict()[name]), name


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
