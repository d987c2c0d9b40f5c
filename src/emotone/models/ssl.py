"""An encoder of the Hub, learnt weights over its layers, a summary and a fully connected head.

The weights over layers are those of SUPERB (Yang et al., Interspeech 2021): a softmax, and each
state normalised over its numbers (layer normalisation without parameters, the option ``normalize``
of its toolkit s3prl), so that layers with large numbers do not outweigh the others. Summary, sizes
and rates are our choice. The states of frozen layers are computed once per corpus.
"""

from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, cast

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from emotone.audio import SAMPLE_RATE
from emotone.features import FeatureOptions, Features, Moments
from emotone.models.encoders import Encoder, EncoderError, find, load
from emotone.models.hidden_states import HiddenStates, Layers
from emotone.models.kinds import Backbone, NetworkKind, Size
from emotone.models.summaries import SUMMARIES, Summary

Tuned = Annotated[str, Field(pattern=r"^(none|all|last_[1-9]\d{0,2})$")]


class SslOptions(NetworkKind):
    """Which encoder, what of it is trained, and the sizes of the head.

    Attributes:
        kind: name of this kind of model.
        encoder: a wav2vec2, HuBERT, WavLM, data2vec-audio or Whisper encoder: a folder that
            ``save_pretrained`` of transformers wrote, or the id of a repository in the cache of the
            Hub. Nothing is downloaded.
        encoder_sha256: hash of its files; filled in automatically.
        tune: transformer layers that are trained: ``none``, ``last_4`` for the last four, or
            ``all``. The convolutions before them always stay as they are.
        tune_rate: learning rate of these layers, as a share of that of the head.
        summary: how the sequence of states becomes one vector, as of the CRNN.
        hidden: units of the fully connected layer before the output layer.
        dropout: probability at the input of each fully connected layer.
    """

    reads_log_mel: ClassVar[bool] = False

    kind: Literal["ssl"] = "ssl"
    encoder: str = ""
    encoder_sha256: str | None = None
    tune: Tuned = "none"
    tune_rate: float = Field(0.01, gt=0, le=1)
    summary: Summary = "mean_std"
    hidden: Size = 256
    dropout: float = Field(0.1, ge=0, lt=1)

    @model_validator(mode="after")
    def _is_known(self) -> "SslOptions":
        if self.encoder and self.encoder_sha256 is None:
            object.__setattr__(self, "encoder_sha256", find(self.encoder).sha256)
            self.tuned_layers(find(self.encoder))
        return self

    @property
    def title(self) -> str:
        """Name for tables and model cards."""
        name = Path(self.encoder).name or "Encoder"
        layers = self.tune.replace("_", " ")
        return f"{name}, frozen" if self.tune == "none" else f"{name}, {layers} layers tuned"

    def check(self, features: FeatureOptions) -> None:
        """Raise a :class:`ValueError` if options of log-mel spectrograms are asked for."""
        of_log_mel = [
            f"features.{name}"
            for name, field in FeatureOptions.model_fields.items()
            if name != "frames" and getattr(features, name) != field.default
        ]
        if of_log_mel:
            raise ValueError(
                f"{', '.join(of_log_mel)}: options of log-mel spectrograms, which model.kind=ssl "
                "does not read; leave them out"
            )

    def require(self) -> None:
        """Raise an :class:`EncoderError` unless the encoder can be loaded."""
        load(self.found(), with_weights=False)

    def front_end(self, features: FeatureOptions) -> "EncoderFeatures":
        """Return the front end: the layers of the encoder that stay as they are."""
        return EncoderFeatures(features, self)

    def build(self, *, channels: int, mels: int, classes: int) -> "SSL":
        """Build the backbone; see :class:`SSL`."""
        return SSL(self, self.found(), channels=channels, size=mels, classes=classes)

    def found(self) -> Encoder:
        """Find the encoder on this machine.

        Raises:
            EncoderError: if it is not there, or is another one.
        """
        encoder = find(self.encoder)
        if encoder.sha256 != self.encoder_sha256:
            raise EncoderError(
                f"model.encoder: {self.encoder} has changed since this was started; give the "
                "encoder of that time, or another --out"
            )
        return encoder

    def tuned_layers(self, encoder: Encoder) -> int:
        """Number of layers that are trained.

        Raises:
            EncoderError: if the encoder has fewer.
        """
        if self.tune in ("none", "all"):
            return 0 if self.tune == "none" else encoder.layers
        count = int(self.tune.removeprefix("last_"))
        if count > encoder.layers:
            raise EncoderError(
                f"model.tune: {self.encoder} has {encoder.layers} layers, got {self.tune}"
            )
        return count


class EncoderFeatures(Features):
    """The states of the frozen layers of an encoder in the place of log-mel spectrograms.

    They are no part of a network's weights: a model folder names the encoder, and its ONNX model
    holds it. The encoder is loaded when the first waveform is to be read.

    Args:
        features: options of the front end, of which ``frames`` alone applies.
        model: options of the model.
    """

    kept_as = np.float16
    uses_all_cores = True

    def __init__(self, features: FeatureOptions, model: SslOptions) -> None:
        self.model = model
        super().__init__(features)

    def _prepare(self, options: FeatureOptions) -> None:  # noqa: ARG002
        self.found = self.model.found()
        self.depth = self.found.layers - self.model.tuned_layers(self.found)

    @cached_property
    def encoder(self) -> HiddenStates:
        """The encoder; as a cached property it is no submodule."""
        return HiddenStates(self.found, self.depth).to(self.device)

    def complete(self) -> None:
        """Make the encoder a submodule."""
        self.register_module("complete_encoder", self.encoder)

    @property
    def shape(self) -> tuple[int, int]:
        """States of each frame, and their size."""
        return self.depth + 1, self.found.size

    @property
    def width(self) -> int:
        """Numbers of a frame."""
        return (self.depth + 1) * self.found.size

    @property
    def hop_s(self) -> float:
        """Step from frame to frame in seconds."""
        return self.found.hop / SAMPLE_RATE

    @property
    def size(self) -> int:
        """Number of weights of the frozen layers."""
        frozen = HiddenStates(self.found, self.depth, with_weights=False)
        return sum(weights.numel() for weights in frozen.parameters())

    @property
    def key(self) -> str:
        """What the states depend on."""
        return f"{self.model.encoder_sha256} {self.depth} {self.options.frames}"

    def log_mel(self, waveform: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Compute states, all of a frame side by side.

        Shape:
            in: ``(batch, samples)``, ``(batch,)``; out: ``(batch, frames, width)``, ``(batch,)``.
        """
        with torch.no_grad():
            states, frames = self.encoder(waveform.to(self.device), lengths.to(self.device))
        rows = states.transpose(1, 2).flatten(2)
        return rows.to(waveform.device), frames.to(waveform.device)

    def stack(
        self,
        log_mel: Tensor,
        frames: Tensor,  # noqa: ARG002
        statistics: Tensor | None = None,  # noqa: ARG002
    ) -> Tensor:
        """Return states as ``(batch, states, frames, size)``, not normalised."""
        return cast(Tensor, log_mel.unflatten(2, self.shape)).transpose(1, 2)

    def moments(self, log_mels: Any) -> Moments:  # noqa: ARG002
        """Return no moments: nothing is normalised with them."""
        return Moments(torch.zeros(0), torch.zeros(0))

    def fit(self, moments: Moments) -> None:
        """Do nothing: there are no statistics."""


class SSL(Backbone):
    """States of an encoder's frozen layers to one logit per emotion.

    Args:
        options: options of the model.
        encoder: the encoder, whose last layers are loaded if they are trained.
        channels: states of each frame.
        size: numbers of each state.
        classes: number of emotions.

    Shape:
        in: states ``(batch, channels, frames, size)``, lengths ``(batch,)`` in frames.
        out: logits ``(batch, classes)``.
    """

    def __init__(
        self, options: SslOptions, encoder: Encoder, *, channels: int, size: int, classes: int
    ) -> None:
        super().__init__()
        self.early_rate = options.tune_rate
        self.tuned: Layers | None = None
        if channels <= encoder.layers:
            on_meta = torch.get_default_device().type == "meta"
            model = load(encoder, with_weights=not on_meta)
            self.tuned = Layers(encoder, model, channels - 1, encoder.layers)
            for layer in self.tuned.layers:
                layer.requires_grad_(True)
        self.layer_weights = nn.Parameter(torch.zeros(encoder.layers + 1))
        self.dropout = nn.Dropout(options.dropout)
        self.summary = SUMMARIES[options.summary](size)
        self.hidden = nn.Linear(self.summary.size, options.hidden)
        self.output = nn.Linear(options.hidden, classes)

    @property
    def convolutional(self) -> nn.Module:
        """The layers of the encoder that are trained, more slowly than the head."""
        return nn.ModuleList([] if self.tuned is None else self.tuned.layers)

    def embed(self, features: Tensor, lengths: Tensor) -> Tensor:
        """Summarise the weighted states, shape ``(batch, summary.size)``."""
        states = features
        if self.tuned is not None:
            later = self.tuned(features[:, -1], lengths)
            states = torch.cat([features, torch.stack(later, dim=1)], dim=1)
        normalised = functional.layer_norm(states, states.shape[3:])
        weights = self.layer_weights.softmax(dim=0)[:, None, None]
        return cast(Tensor, self.summary((normalised * weights).sum(dim=1), lengths))

    def classify(self, embedding: Tensor) -> Tensor:
        """Compute logits with the fully connected layers."""
        hidden = self.dropout(functional.relu(self.hidden(self.dropout(embedding))))
        return cast(Tensor, self.output(hidden))
