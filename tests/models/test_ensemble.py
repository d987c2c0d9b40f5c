import pytest
import torch

from emotone.errors import ModelError
from emotone.features import FeatureOptions
from emotone.inference import graph
from emotone.models.crnn import CrnnOptions
from emotone.models.export import check_parity, to_onnx
from emotone.models.network import Network, together, with_labels
from tests.helpers import TINY, voice

LABELS = ["anger", "fear", "neutral"]
SPEECH = [voice(n, seconds) for n, seconds in enumerate((0.1, 0.6))]


def network(seed: int, mean: float = 0.3) -> Network:
    torch.manual_seed(seed)
    sizes = CrnnOptions.model_validate(TINY["model"])
    made = Network(FeatureOptions(mels=16), sizes, LABELS, ["arousal"])
    made.features.mean.fill_(mean)
    with torch.no_grad():
        made.backbone.output.weight.mul_(20)  # so that members differ
    return made.eval()


def heard(one: Network) -> list[torch.Tensor]:
    """Probabilities, embedding and arousal of a recording."""
    waveform = torch.from_numpy(SPEECH[1])[None]
    log_mel, frames = one.features.log_mel(waveform, torch.tensor([waveform.shape[1]]))
    with torch.no_grad():
        logits, embedding, values = one.outputs(log_mel, frames)
    return [logits.softmax(dim=1)[0], embedding[0], values[0]]


def test_an_ensemble_answers_with_the_mean_of_its_members() -> None:
    members = [network(seed) for seed in range(3)]
    alone = [heard(one) for one in members]
    probabilities, embedding, values = heard(together(members))
    expected = torch.stack([one[0] for one in alone])
    assert expected.std(dim=0).max() > 0.05
    torch.testing.assert_close(probabilities, expected.mean(dim=0))
    torch.testing.assert_close(embedding, torch.cat([one[1] for one in alone]))
    torch.testing.assert_close(values, torch.stack([one[2] for one in alone]).mean(dim=0))
    assert together(members).size == 3 * members[0].size
    assert together(members[:1]) is members[0]


def test_fewer_labels_are_left_to_each_member() -> None:
    members = [network(seed) for seed in range(2)]
    few = ["neutral", "anger"]
    left = with_labels(together(members), few)
    assert left.labels == few
    expected = torch.stack([heard(with_labels(one, few))[0] for one in members]).mean(dim=0)
    torch.testing.assert_close(heard(left)[0], expected)
    assert heard(left)[2] == pytest.approx(heard(together(members))[2])


def test_an_ensemble_is_one_graph_that_recognition_accepts() -> None:
    ensemble = together([network(seed) for seed in range(2)])
    model = to_onnx(ensemble, SPEECH)
    assert check_parity(ensemble, model, SPEECH) < 1e-3
    assert graph.fault(model) is None


def test_the_logits_of_members_that_are_all_certain_are_finite() -> None:
    members = [network(seed) for seed in range(2)]
    with torch.no_grad():  # in float32 the last label has no probability left
        for one in members:
            one.backbone.output.bias.copy_(torch.tensor([200.0, 0.0, -200.0, 0.0]))
    waveform = torch.from_numpy(SPEECH[1])[None]
    with torch.no_grad():
        logits = together(members)(waveform, torch.tensor([waveform.shape[1]]))
    assert logits.isfinite().all()
    assert logits.argmax() == 0


def test_networks_that_hear_differently_are_refused() -> None:
    with pytest.raises(ModelError, match="cannot answer together; give one seed"):
        together([network(0), network(1, mean=0.4)])
