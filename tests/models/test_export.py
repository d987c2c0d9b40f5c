import pytest
import torch

from emotone.errors import ModelError
from emotone.features import FeatureOptions
from emotone.models.acrnn import Acrnn3dOptions
from emotone.models.crnn import CrnnOptions
from emotone.models.export import check_parity, to_onnx
from emotone.models.network import Network
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
