"""What recognition returns."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Prediction:
    """The recognised emotion.

    Attributes:
        label: the most probable emotion.
        probabilities: probability of each emotion, in the order of the model's labels.
        confident: whether the probability of the label reaches the model's threshold.
        embedding: the network's summary of the speech, shape ``(size,)``; ``None`` unless asked
            for, see :meth:`emotone.Recognizer.predict`. It plays no part in comparisons.
    """

    label: str
    probabilities: dict[str, float]
    confident: bool
    embedding: NDArray[np.float32] | None = field(default=None, repr=False, compare=False)

    @property
    def confidence(self) -> float:
        """Probability of the label."""
        return self.probabilities[self.label]


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
