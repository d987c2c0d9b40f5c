from pathlib import Path

import pytest
import torch

from emotone.errors import ModelError
from emotone.features import FeatureOptions
from emotone.models import export
from emotone.models.acrnn import Acrnn3dOptions
from emotone.models.crnn import CrnnOptions
from emotone.models.export import check_parity, to_onnx
from emotone.models.network import Network
from emotone.models.weights import rebuilt
from tests.helpers import TINY, voice

pytestmark = pytest.mark.slow

SHORT, LONG = voice(0, 0.5), voice(1, 1.0)


def test_a_graph_whose_answers_depend_on_padding_is_refused() -> None:
    torch.manual_seed(0)
    # it masks nothing, so a padded recording gets other logits than the same recording alone
    sizes = Acrnn3dOptions(first_channels=4, channels=6, convolutions=3, linear=5, lstm=4, hidden=3)
    network = Network(FeatureOptions(mels=16), sizes, ["anger", "neutral"])
    model = to_onnx(network, [SHORT])
    for alone in (SHORT, LONG):
        assert check_parity(network, model, [alone]) < 1e-4
    with pytest.raises(ModelError, match="logits differ from PyTorch's by"):
        check_parity(network, model, [SHORT, LONG])


def test_logits_that_are_not_numbers_are_refused() -> None:
    torch.manual_seed(0)
    network = Network(
        FeatureOptions(mels=16), CrnnOptions.model_validate(TINY["model"]), ["anger", "neutral"]
    )
    model = to_onnx(network, [SHORT, LONG])
    with torch.no_grad():
        network.backbone.output.bias[0] = torch.nan
    with pytest.raises(ModelError, match="differ from PyTorch's by nan"):
        check_parity(network, model, [SHORT, LONG])
    with pytest.raises(ModelError, match="differ from PyTorch's by nan"):
        to_onnx(network, [SHORT, LONG])


def test_embeddings_that_differ_are_refused_though_the_logits_agree() -> None:
    torch.manual_seed(0)
    model = CrnnOptions.model_validate(TINY["model"])
    network = Network(FeatureOptions(mels=16), model, ["anger", "neutral"])
    with torch.no_grad():
        network.backbone.output.weight.zero_()  # the logits are the bias, whatever is heard
    graph = to_onnx(network, [SHORT, LONG])
    with torch.no_grad():
        for weights in network.backbone.get_submodule("lstm").parameters():
            weights.mul_(1.1)
    with pytest.raises(ModelError, match="embeddings differ from PyTorch's by"):
        check_parity(network, graph, [SHORT, LONG])


def test_an_export_that_differs_is_refused(folder: Path) -> None:
    network = rebuilt(folder)
    speech = [voice(n, seconds) for n, seconds in enumerate((0.03, 0.4, 1.7))]
    model = to_onnx(network, speech)
    assert check_parity(network, model, speech) < 1e-4
    with torch.no_grad():
        network.backbone.output.bias.add_(0.01)
    with pytest.raises(ModelError, match=r"differ from PyTorch's by 1\.0e-02"):
        check_parity(network, model, speech)
    speaker = Network(FeatureOptions(norm="speaker"), CrnnOptions(), ["anger", "neutral"])
    with pytest.raises(ModelError, match="cannot be exported"):
        to_onnx(speaker, speech)


def test_networks_of_one_structure_are_traced_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def network(seed: int, *more: str) -> Network:
        torch.manual_seed(seed)
        sizes = CrnnOptions.model_validate(TINY["model"])
        made = Network(FeatureOptions(mels=16), sizes, ["anger", "neutral", *more])
        made.features.mean.add_(seed)
        for layer in made.modules():
            if isinstance(layer, torch.nn.BatchNorm2d) and layer.running_mean is not None:
                torch.nn.init.uniform_(layer.running_mean)
        return made

    def trace(one: Network, *, enrolling: bool) -> bytes:
        raise AssertionError("traced")

    first = network(0)
    to_onnx(first, [SHORT, LONG])
    monkeypatch.setattr(export, "_trace", trace)
    graph = to_onnx(network(1), [SHORT, LONG])  # agrees with PyTorch
    with pytest.raises(ModelError, match="differ from PyTorch's by"):
        check_parity(first, graph, [SHORT])
    with pytest.raises(AssertionError, match="traced"):
        to_onnx(network(0, "fear"), [SHORT, LONG])


@pytest.mark.parametrize("pitch", [False, True])
def test_the_default_network_is_exported_with_parity(pitch: bool) -> None:
    torch.manual_seed(0)
    network = Network(
        FeatureOptions(pitch=pitch), CrnnOptions(kernel_widths=(1, 3, 5)), ["a", "b", "c"]
    )
    speech = [voice(n, seconds) for n, seconds in enumerate((0.025, 0.3, 2.0, 11.0))]
    with torch.no_grad():
        network.backbone.output.weight *= 30
        if pitch:  # most voices are between usual and unusual
            waveform, lengths = torch.from_numpy(speech[2])[None], torch.tensor([len(speech[2])])
            heard = network.features.voicing(*network.features.log_mel(waveform, lengths))
            network.features.voicings.copy_(torch.tensor([float(heard) - 0.45, 0.2]))
    to_onnx(network, speech)
