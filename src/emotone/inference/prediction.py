"""What recognition returns."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Prediction:
    """The recognised emotion.

    Attributes:
        label: the most probable emotion.
        probabilities: probability of each emotion, in the order of the model's labels.
        confident: whether the probability of the label reaches the model's threshold.
    """

    label: str
    probabilities: dict[str, float]
    confident: bool

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
        prediction: ``None`` if the window is silent, see :func:`emotone.audio.windows.has_sound`.
    """

    start: float
    end: float
    prediction: Prediction | None
