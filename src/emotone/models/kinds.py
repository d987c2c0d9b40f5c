"""Kinds of model: options that say how to build or fit a model, one module per kind.

There are two families, distinguished by ``is_network``. A network (:class:`NetworkKind`) is a
PyTorch module that :mod:`emotone.training` trains; it can be pre-trained, exported and shipped. An
estimator (:class:`EstimatorKind`) is fitted at once to one vector per utterance. A module of this
package that defines a kind registers it, see :mod:`emotone.models.registry`.
"""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from emotone.audio import Waveform
from emotone.features import FeatureOptions, Features
from emotone.options import Options

MOST_LAYERS = 32
Size = Annotated[int, Field(ge=1, le=65_536)]  # units or channels of a layer


class ModelKind(Options):
    """Base of the options of all kinds; a kind narrows ``kind`` to a ``Literal`` of its name.

    Attributes:
        kind: name of the kind, the value of ``model.kind``.
        is_deterministic: whether all seeds give the same result, so that one run stands for all.
    """

    kind: str
    is_deterministic: ClassVar[bool] = False

    @property
    @abstractmethod
    def title(self) -> str:
        """Name for tables and model cards, such as ``ComParE 2016 + SVM``."""

    def require(self) -> None:
        """Raise a :class:`UsageError` if something that the model is made of is not here."""


class Backbone(nn.Module):
    """Base of the modules that turn features into an embedding, and that into logits.

    Attributes:
        output: the last layer; pre-trained weights are loaded into all others.
        early_rate: learning rate of :attr:`convolutional`, as a share of that of all other layers.

    Shape:
        in: features ``(batch, channels, frames, mels)``, zero in padding; lengths ``(batch,)`` in
        frames.
        out: logits ``(batch, classes)``.
    """

    output: nn.Linear
    early_rate: float = 1.0

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        """Compute logits; see the class for shapes."""
        return self.classify(self.embed(features, lengths))

    @property
    def each(self) -> list["Backbone"]:
        """The backbones with weights of their own: this one, or the members of an ensemble."""
        return [self]

    @property
    def convolutional(self) -> nn.Module:
        """The layers before the BLSTM, which fine-tuning may train more slowly."""
        return nn.ModuleList(layer for layer in self.modules() if isinstance(layer, nn.Conv2d))

    @abstractmethod
    def embed(self, features: Tensor, lengths: Tensor) -> Tensor:
        """Summarise an utterance over time: the embedding, shape ``(batch, size)``.

        Padding frames must not change it.
        """

    @abstractmethod
    def classify(self, embedding: Tensor) -> Tensor:
        """Compute logits from :meth:`embed`, ``(batch, size)`` to ``(batch, classes)``."""


class NetworkKind(ModelKind):
    """Base of the options of networks.

    Attributes:
        masks_padding: whether padding never changes an answer; only such a network can be shipped.
        reads_log_mel: whether its features are log-mel spectrograms, which can be augmented.
    """

    is_network: ClassVar[Literal[True]] = True
    masks_padding: ClassVar[bool] = True
    reads_log_mel: ClassVar[bool] = True

    def front_end(self, features: FeatureOptions) -> Features:
        """Build what computes features from waveforms; see :class:`emotone.features.Features`."""
        return Features(features)

    @abstractmethod
    def build(self, *, channels: int, mels: int, classes: int) -> Backbone:
        """Build the backbone with random weights.

        Args:
            channels: channels of the features.
            mels: bands of the features.
            classes: number of outputs: emotions, and dimensions if there are any.
        """

    def check(self, features: FeatureOptions) -> None:
        """Raise a :class:`ValueError` if the network cannot be built for these features."""


@dataclass(frozen=True)
class Vectors:
    """A corpus as input of an estimator.

    Attributes:
        values: one vector per utterance, shape ``(utterances, size)``.
        targets: number of each utterance's emotion in ``labels``.
        speakers: speaker of each utterance.
        labels: emotions in the order of the columns of the probabilities.
    """

    values: NDArray[np.float32]
    targets: NDArray[np.int64]
    speakers: NDArray[Any]
    labels: Sequence[str]


@dataclass(frozen=True)
class Fitted:
    """A fitted estimator.

    Attributes:
        probabilities: maps numbers of utterances to probabilities ``(utterances, labels)``.
        parameters: number of fitted parameters.
        validation_uar: UAR on utterances that were not fitted to; ``None`` if there were none.
        multiply_adds_per_s: multiply-adds per second of audio; ``None`` if unknown.
        record: further choices to report, such as an SVM's ``C``.
    """

    probabilities: Callable[[Sequence[int]], NDArray[np.float32]]
    parameters: int
    validation_uar: float | None = None
    multiply_adds_per_s: int | None = None
    record: dict[str, Any] = field(default_factory=dict)


class EstimatorKind(ModelKind):
    """Base of the options of models that are fitted to one vector per utterance."""

    is_network: ClassVar[Literal[False]] = False

    @property
    def inputs(self) -> str:
        """Key of the options that the vectors depend on; models with equal keys share them."""
        return self.model_dump_json()

    @abstractmethod
    def extract(self, waveform: Waveform) -> NDArray[np.float32]:
        """Compute the vector of one utterance, shape ``(size,)``; called in several threads.

        Raises:
            UsageError: if a library that it needs is not installed.
        """

    @abstractmethod
    def fit(self, data: Vectors, training: Sequence[int], validation: Sequence[int]) -> Fitted:
        """Fit the model.

        Args:
            data: vectors of the whole corpus, those of test utterances included.
            training: numbers of the utterances to fit to.
            validation: numbers of the utterances on which to choose between settings; may be empty.
        """
