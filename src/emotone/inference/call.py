"""What a call is: turns of its speakers with their emotions, and a summary of each speaker."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from emotone.inference.prediction import Segment

__all__ = ["Call", "SpeakerSummary", "Turn"]

LEAST_TURNS = 2  # confident ones in each half of a call, for a trend


@dataclass(frozen=True)
class Turn(Segment):
    """A turn of a call: a :class:`Segment` with its speaker."""

    speaker: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return ``start``, ``end``, ``speaker`` and the values of the prediction."""
        values = super().to_dict()
        return (
            {"start": values.pop("start"), "end": values.pop("end")}
            | {"speaker": self.speaker}
            | values
        )


@dataclass(frozen=True)
class SpeakerSummary:
    """A speaker of a call.

    Attributes:
        speaker: name.
        channel: from 1; ``None`` if the channels were not split.
        enrolled: whether the speaker's own speech in this call was enrolled.
        turns: number of turns.
        seconds: time in turns with an answer.
        confident_turns: number of turns with a confident answer.
        confident_seconds: time in these.
        shares: share of ``confident_seconds`` of each emotion; all 0 if there are none.
        trend: share in the second half of the call minus share in the first; ``None`` if one of
            them has less than two confident turns.
    """

    speaker: str
    channel: int | None
    enrolled: bool
    turns: int
    seconds: float
    confident_turns: int
    confident_seconds: float
    shares: dict[str, float]
    trend: dict[str, float] | None


@dataclass(frozen=True)
class Call:
    """A recognised call.

    Attributes:
        seconds: length of the recording.
        turns: in order of time.
        speakers: a summary of each.
        notes: what is to be known about the answers, a sentence each.
    """

    seconds: float
    turns: list[Turn]
    speakers: list[SpeakerSummary]
    notes: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain Python, so that JSON can hold it."""
        return {
            "seconds": self.seconds,
            "turns": [turn.to_dict() for turn in self.turns],
            "speakers": [asdict(speaker) for speaker in self.speakers],
            "notes": list(self.notes),
        }


def summary(
    speaker: str,
    turns: Sequence[Turn],
    labels: Sequence[str],
    seconds: float,
    channel: int | None,
    *,
    enrolled: bool,
) -> SpeakerSummary:
    """Summarise the turns of one speaker.

    Args:
        speaker: name.
        turns: of the speaker, in order of time.
        labels: emotions of the answers.
        seconds: length of the call.
        channel: of the speaker, from 1.
        enrolled: whether the speaker was enrolled.
    """
    answered = [turn for turn in turns if turn.prediction]
    confident = [turn for turn in answered if turn.prediction and turn.prediction.confident]
    halves = [
        [turn for turn in confident if (turn.start + turn.end < seconds) == is_first]
        for is_first in (True, False)
    ]
    trend = None
    if min(map(len, halves)) >= LEAST_TURNS:
        first, second = (_shares(half, labels) for half in halves)
        trend = {label: second[label] - first[label] for label in labels}
    return SpeakerSummary(
        speaker,
        channel,
        enrolled,
        len(turns),
        _covered(answered),
        len(confident),
        _covered(confident),
        _shares(confident, labels),
        trend,
    )


def _shares(turns: Iterable[Turn], labels: Sequence[str]) -> dict[str, float]:
    """Return each emotion's share of the time of turns."""
    times = dict.fromkeys(labels, 0.0)
    for turn in turns:
        assert turn.prediction is not None
        times[turn.prediction.label] += turn.end - turn.start
    whole = sum(times.values()) or 1.0
    return {label: time / whole for label, time in times.items()}


def _covered(turns: Iterable[Turn]) -> float:
    """Return the time in turns, in seconds; what several of them cover counts once."""
    covered, until = 0.0, 0.0
    for turn in turns:
        covered += max(turn.end - max(turn.start, until), 0.0)
        until = max(until, turn.end)
    return covered
