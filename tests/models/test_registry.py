import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import TypeAdapter

from emotone import models
from emotone.errors import ModelError
from emotone.features import FeatureOptions
from emotone.inference import model_folder
from emotone.models import registry
from emotone.models.acrnn import Acrnn3dOptions
from emotone.models.crnn import CrnnOptions
from emotone.models.network import Network
from emotone.models.registry import MODEL_KINDS, AnyModelOptions, options_of

# the kind ssl needs an encoder, see test_ssl
NETWORKS = [kind for name, kind in MODEL_KINDS.items() if kind.is_network and name != "ssl"]


def test_the_kinds_of_this_package_are_found() -> None:
    assert sorted(MODEL_KINDS) == ["acrnn-3d", "crnn", "opensmile-svm", "ssl"]


def test_two_modules_with_one_kind_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "twin.py").write_text(
        "from typing import Literal\n"
        "from emotone.models.kinds import NetworkKind\n"
        "class TwinOptions(NetworkKind):\n"
        "    kind: Literal['crnn'] = 'crnn'\n"
    )
    monkeypatch.setattr(models, "__path__", [*models.__path__, str(tmp_path)])
    monkeypatch.setitem(sys.modules, "emotone.models.twin", None)  # so that it is removed again
    monkeypatch.delitem(sys.modules, "emotone.models.twin")
    with pytest.raises(TypeError, match="are both of the kind 'crnn'"):
        registry._scan()


@pytest.mark.parametrize("name", MODEL_KINDS)
def test_options_are_those_of_their_kind_and_come_back_from_json(name: str) -> None:
    any_kind = TypeAdapter[Any](AnyModelOptions)
    options = any_kind.validate_python({"kind": name})
    assert type(options) is MODEL_KINDS[name]
    assert any_kind.validate_json(any_kind.dump_json(options)) == options


def test_the_default_kind_is_the_crnn() -> None:
    assert TypeAdapter[Any](AnyModelOptions).validate_python({"lstm": 3}) == CrnnOptions(lstm=3)


def test_each_kind_has_a_title_of_its_own() -> None:
    titles = [kind(kind=name).title for name, kind in MODEL_KINDS.items()]
    assert titles == ["3-D ACRNN", "CRNN", "ComParE 2016 + SVM", "Encoder, frozen"]


@pytest.mark.parametrize("kind", NETWORKS)
def test_each_network_gives_one_logit_per_emotion(kind: type[Any]) -> None:
    features = FeatureOptions(mels=16, deltas=1)
    network = Network(features, kind(), ["anger", "neutral", "sadness"]).eval()
    with torch.no_grad():
        assert network(torch.randn(2, 8000), torch.tensor([8000, 8000])).shape == (2, 3)
    assert network.backbone.output.out_features == 3


def test_options_of_a_trained_model() -> None:
    model = model_folder.read(model_folder.locate("emotone-base"))
    features, network = options_of(model)
    assert features.model_dump(mode="json") == model.features
    assert network.model_dump(mode="json") == model.model
    other = model.model_copy(update={"model": Acrnn3dOptions(lstm=5).model_dump(mode="json")})
    assert options_of(other)[1] == Acrnn3dOptions(lstm=5)


@pytest.mark.parametrize("kind", ["transformer", "opensmile-svm"])
def test_a_model_of_another_kind_is_refused(kind: str) -> None:
    model = model_folder.read(model_folder.locate("emotone-base"))
    with pytest.raises(ModelError, match=f"has no network of model.kind={kind}"):
        options_of(model.model_copy(update={"model": {"kind": kind}}))
