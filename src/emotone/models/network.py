"""The network: front end and backbone together, and its number of multiply-adds."""

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from emotone.errors import ModelError, UsageError
from emotone.features import FeatureOptions
from emotone.models.ensemble import Ensemble
from emotone.models.kinds import Backbone, NetworkKind

MEASURED_S = 10  # long enough that single frames do not matter
LEAST = 1e-12  # probability, so that its logarithm is finite


class Network(nn.Module):
    """Front end and backbone together: speech in, logits and values of dimensions out.

    The last layer of the backbone has an output for each emotion and, after these, one for each
    dimension: two fully connected heads side by side on the same hidden layer.

    Args:
        features: options of the front end.
        model: kind and sizes of the backbone.
        labels: the emotions in the order of the outputs.
        dimensions: the dimensions in the order of the outputs.
        members: number of backbones; several are an ensemble, see :func:`together`.

    Raises:
        ValueError: if the backbone cannot be built for the features.
    """

    def __init__(
        self,
        features: FeatureOptions,
        model: NetworkKind,
        labels: Sequence[str],
        dimensions: Sequence[str] = (),
        members: int = 1,
    ) -> None:
        super().__init__()
        model.check(features)
        self.kind = model
        self.labels, self.dimensions = list(labels), list(dimensions)
        self.features = model.front_end(features)
        classes = len(self.labels) + len(self.dimensions)
        self.backbone = build_backbone(model, self.features.shape, classes, members)
        self.register_load_state_dict_pre_hook(_rename_in_place)  # type: ignore[no-untyped-call]

    @property
    def size(self) -> int:
        """Number of weights, those of an encoder in the front end included."""
        return self.features.size + sum(weights.numel() for weights in self.parameters())

    def forward(
        self, waveform: Tensor, lengths: Tensor, statistics: Tensor | None = None
    ) -> Tensor:
        """Classify speech.

        Shape:
            in: waveform ``(batch, samples)`` at 16 kHz, lengths ``(batch,)`` in samples, and for
            ``norm: speaker`` the statistics, see :meth:`emotone.features.Features.stack`.
            out: logits ``(batch, labels)``.
        """
        log_mel, frames = self.features.log_mel(waveform, lengths)
        return self.outputs(log_mel, frames, statistics)[0]

    def outputs(
        self,
        log_mel: Tensor,
        frames: Tensor,
        statistics: Tensor | None = None,
        *,
        padded: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Compute all outputs of clips.

        Logits are weighted by :meth:`emotone.features.Features.usual`, so whoever whispers or sings
        is given no emotion with confidence. Training uses the logits as :meth:`heads` has them.

        Args:
            log_mel: of :meth:`emotone.features.Features.log_mel`, shape ``(batch, frames, width)``.
            frames: number of frames of each clip, shape ``(batch,)``.
            statistics: see :meth:`forward`.
            padded: number of frames that the backbone takes for the clip's; by default ``frames``.

        Returns:
            Logits ``(batch, labels)``, embedding ``(batch, size)``, values ``(batch, dimensions)``.
        """
        features = self.features.stack(log_mel, frames, statistics)
        embedding = self.backbone.embed(features, frames if padded is None else padded)
        logits, dimensions = self.heads(self.backbone.classify(embedding))
        usual = self.features.usual(log_mel, frames)
        return logits if usual is None else logits * usual[:, None], embedding, dimensions

    def heads(self, outputs: Tensor) -> tuple[Tensor, Tensor]:
        """Divide outputs of the backbone into those of its heads.

        Args:
            outputs: shape ``(batch, classes)``; of an ensemble ``(batch, members, classes)``.

        Returns:
            Logits ``(batch, labels)`` and values in 0 … 1 ``(batch, dimensions)``; of an ensemble,
            the logarithm of the mean probabilities, and the mean values.
        """
        count = len(self.labels)
        logits, values = outputs[..., :count], outputs[..., count:].sigmoid()
        if isinstance(self.backbone, Ensemble):
            members = outputs.shape[1]  # all versions of emotone accept sums in a graph, not means
            mean = logits.softmax(dim=-1).sum(dim=1) / members
            return mean.clamp_min(LEAST).log(), values.sum(dim=1) / members
        return logits, values

    def embed(self, waveform: Tensor, lengths: Tensor, statistics: Tensor | None = None) -> Tensor:
        """Compute embeddings of speech, shape ``(batch, size)``; inputs as in :meth:`forward`."""
        log_mel, frames = self.features.log_mel(waveform, lengths)
        return self.outputs(log_mel, frames, statistics)[1]


def with_labels(network: Network, labels: Sequence[str]) -> Network:
    """Copy a network to which only some labels are possible: the others' logits are left out.

    Raises:
        UsageError: if fewer than two labels are asked for, or one is unknown.
    """
    unknown = [label for label in labels if label not in network.labels]
    if unknown or len(set(labels)) < max(len(labels), 2):
        raise UsageError(
            f"labels must be two or more of {', '.join(network.labels)}, each once; got "
            f"{', '.join(labels) or 'none'}"
        )
    copied = copy.deepcopy(network)
    rows = [network.labels.index(label) for label in labels]
    rows += range(len(network.labels), len(network.labels) + len(network.dimensions))
    for backbone in copied.backbone.each:
        output = backbone.output
        output.weight = nn.Parameter(output.weight[rows].detach().clone())
        output.bias = nn.Parameter(output.bias[rows].detach().clone())
        output.out_features = len(rows)
    copied.labels = list(labels)
    return copied


def build_backbone(
    model: NetworkKind, shape: tuple[int, int], classes: int, members: int
) -> Backbone:
    """Build one backbone, or several as an ensemble, with random weights.

    Args:
        model: kind of network, with its sizes.
        shape: channels and bands of the features.
        classes: number of outputs: emotions, and dimensions if there are any.
        members: number of backbones.
    """
    channels, mels = shape
    backbones = [model.build(channels=channels, mels=mels, classes=classes) for _ in range(members)]
    return backbones[0] if members == 1 else Ensemble(backbones)


def together(networks: Sequence[Network]) -> Network:
    """Combine networks that were trained alike from different seeds into one that answers for all.

    Its probabilities are the mean of theirs. One network alone stays as it is.

    Args:
        networks: of the same kind, labels and front end.

    Raises:
        ModelError: if their front ends have weights that differ.
    """
    first = networks[0]
    if len(networks) == 1:
        return first
    shared = first.features.state_dict()
    for other in networks[1:]:
        values = other.features.state_dict()
        if not all(torch.equal(values[name], value) for name, value in shared.items()):
            raise ModelError(
                "networks whose front ends were trained cannot answer together; give one seed"
            )
    made = Network(
        first.features.options, first.kind, first.labels, first.dimensions, len(networks)
    )
    made.features.load_state_dict(shared)
    for member, network in zip(made.backbone.each, networks, strict=True):
        member.load_state_dict(network.backbone.state_dict())
    return made.eval()


def current_names(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename weights that emotone 0.1 wrote, whose backbone was called ``crnn``."""
    return {
        f"backbone.{name.removeprefix('crnn.')}" if name.startswith("crnn.") else name: value
        for name, value in weights.items()
    }


def _rename_in_place(_network: nn.Module, weights: dict[str, Tensor], *_others: Any) -> None:
    renamed = current_names(weights)
    weights.clear()
    weights.update(renamed)


def multiply_adds(network: Network) -> int:
    """Count the multiply-adds of the backbone per second of audio.

    Convolutions, linear layers and LSTMs are counted, the front end is not.
    """
    counts = []

    def convolution(module: nn.Conv2d, _inputs: Any, output: Tensor) -> None:
        counts.append(output[0].numel() * module.weight[0].numel())

    def linear(module: nn.Linear, _inputs: Any, output: Tensor) -> None:
        counts.append(output[0].numel() * module.in_features)

    def lstm(module: nn.LSTM, inputs: tuple[Tensor, ...], _output: Any) -> None:
        weights = [weight for name, weight in module.named_parameters() if "weight" in name]
        counts.append(inputs[0].shape[1] * sum(weight.numel() for weight in weights))

    hooks: dict[type[nn.Module], Any] = {nn.Conv2d: convolution, nn.Linear: linear, nn.LSTM: lstm}
    handles = [
        module.register_forward_hook(hooks[type(module)])
        for module in network.backbone.modules()
        if type(module) in hooks
    ]
    channels, mels = network.features.shape
    frames = round(MEASURED_S / network.features.hop_s)
    was_training = network.training
    network.eval()
    with torch.no_grad():
        weight = next(network.parameters())
        features = weight.new_zeros(1, channels, frames, mels)
        network.backbone(features, torch.tensor([frames], device=weight.device))
    network.train(was_training)
    for handle in handles:
        handle.remove()
    return round(sum(counts) / MEASURED_S)
