"""Options of the front end."""

import math
from typing import Literal

from pydantic import Field, field_validator

from emotone.audio import SAMPLE_RATE
from emotone.options import Options


class FeatureOptions(Options):
    """Options of the features.

    Attributes:
        hop_ms: step from frame to frame in ms.
        window_ms: length of a frame in ms; a Hann window.
        mels: number of mel bands up to 8 kHz.
        low_hz: lower edge of the first band; what is below, such as wind and hum, is left out.
        frames: ``all``, or ``speech``: what is not speech is cut out before the features, see
            :mod:`emotone.audio.activity`, so that level, floor, statistics and summary are those of
            speech.
        deltas: 0 for static log-mel, 1 to add deltas, 2 to add deltas of deltas.
        norm: where mean and standard deviation of each channel and band come from: the training
            set; the utterance itself; ``enrol``: a few other utterances of its speaker, if there
            are any, shrunk towards the training set; or ``speaker``: all utterances of its
            speaker. The last is transductive: it needs all of the speaker's test data in advance.
        enrol_prior: weight of the training set in ``norm: enrol``, in utterances.
        dynamic_range_db: floor below the utterance's peak in dB, to which lower bands are raised,
            so the noise floor of a recording matters little; ``None`` for no floor.
        level: ``absolute`` leaves the level as it was recorded; ``rms`` scales each utterance to
            a mean power of one, so gain does not matter.
        pitch: adds a channel of pitch salience: the autocorrelation of each frame at the lags of
            voices, as many as there are mel bands, which are too wide for the harmonics of low
            voices; see :mod:`emotone.features.pitch`.
    """

    hop_ms: float = Field(10.0, gt=0, le=100)
    window_ms: float = Field(25.0, gt=0, le=32)
    mels: int = Field(64, ge=8, le=128)
    low_hz: float = Field(0.0, ge=0, lt=1000)
    frames: Literal["all", "speech"] = "all"
    deltas: int = Field(2, ge=0, le=2)
    norm: Literal["train", "utterance", "enrol", "speaker"] = "train"
    enrol_prior: float = Field(5.0, gt=0)
    dynamic_range_db: float | None = Field(70.0, gt=0)
    level: Literal["absolute", "rms"] = "absolute"
    pitch: bool = False

    @field_validator("hop_ms", "window_ms")
    @classmethod
    def _whole_samples(cls, value: float) -> float:
        if not math.isclose(value * SAMPLE_RATE / 1000, round(value * SAMPLE_RATE / 1000)):
            raise ValueError(f"must be a whole number of samples at 16 kHz, got {value:g} ms")
        return value

    @property
    def channels(self) -> int:
        """Channels of the features: static, deltas and pitch salience."""
        return 1 + self.deltas + self.pitch

    @property
    def hop(self) -> int:
        """Step from frame to frame in samples."""
        return round(self.hop_ms * SAMPLE_RATE / 1000)

    @property
    def window(self) -> int:
        """Length of a frame in samples."""
        return round(self.window_ms * SAMPLE_RATE / 1000)
