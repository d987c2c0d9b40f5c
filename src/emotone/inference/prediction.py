"""What recognition returns."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Prediction", "Segment"]


@dataclass(frozen=True)
class Prediction:
    """The recognised emotion.

    Attributes:
        label: the most probable emotion.
        probabilities: probability of each emotion, in the order of the model's labels.
        confident: whether the probability of the label reaches the threshold, which is the model's
            unless another one was chosen, see :meth:`emotone.Recognizer.with_threshold`.
        embedding: the network's summary of the speech, shape ``(size,)``; ``None`` unless asked
            for, see :meth:`emotone.Recognizer.predict`. It plays no part in comparisons.
        dimensions: values in 0 … 1 of dimensions such as arousal, by name; ``None`` if the model
            has none.
    """

    label: str
    probabilities: dict[str, float]
    confident: bool
    embedding: NDArray[np.float32] | None = field(default=None, repr=False, compare=False)
    dimensions: dict[str, float] | None = None

    @property
    def confidence(self) -> float:
        """Probability of the label."""
        return self.probabilities[self.label]

    def to_dict(self) -> dict[str, Any]:
        """Return label, confidence, ``confident``, probabilities; dimensions and embedding if any.

        All values are plain Python, so that JSON can hold them; the embedding is a list.
        """
        values: dict[str, Any] = {
            "label": self.label,
            "confidence": self.confidence,
            "confident": self.confident,
            "probabilities": dict(self.probabilities),
        }
        if self.dimensions is not None:
            values["dimensions"] = dict(self.dimensions)
        return values if self.embedding is None else values | {"embedding": self.embedding.tolist()}


NO_PREDICTION = dict.fromkeys(("label", "confidence", "confident", "probabilities"))


@dataclass(frozen=True)
class Segment:
    """The recognised emotion in a window of a recording.

    Attributes:
        start: start of the window in seconds.
        end: end of the window in seconds.
        prediction: ``None`` if the window is silent, or holds no speech and only speech counts for
            the model.
    """

    start: float
    end: float
    prediction: Prediction | None

    def to_dict(self) -> dict[str, Any]:
        """Return ``start``, ``end`` and the values of the prediction, ``None`` where there is none.

        All values are plain Python, so that JSON can hold them.
        """
        found = NO_PREDICTION if self.prediction is None else self.prediction.to_dict()
        return {"start": float(self.start), "end": float(self.end)} | found
