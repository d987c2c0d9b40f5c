"""What a model hears of a recording: its speech, or everything that is not silent.

A recording of any length is answered by one rule: what is heard of it is cut into parts of 10 s,
the last of which ends with it and is as long as the others, and the answer is the mean over the
parts, weighted by what each adds to those before.
"""

from collections.abc import Iterable, Iterator

from emotone.audio import SAMPLE_RATE, Truncated, Waveform
from emotone.audio.activity import only_speech, only_speech_of
from emotone.audio.windows import Windows, has_sound
from emotone.inference.speech import SHORTEST_S, Speech, no_speech, pieces, silent, too_short

PART_S = 10.0
LEAST_S = 0.4  # of speech with its soft edges; less is more often a noise than a word


class Hearing:
    """Hears with the ears of a model.

    Args:
        frames: option of the model's features, see
            :class:`emotone.features.options.FeatureOptions`.
    """

    def __init__(self, frames: str) -> None:
        self.only_speech = frames == "speech"

    def window(self, waveform: Waveform) -> Waveform:
        """Return what is heard of a waveform that fits into memory, possibly nothing."""
        heard = only_speech(waveform) if self.only_speech else waveform
        return heard if self._is_enough(heard) else waveform[:0]

    def parts(
        self, speech: Speech, truncated: Truncated = "error"
    ) -> Iterator[tuple[Waveform, int]]:
        """Cut what is heard of a recording of any length into parts of 10 s.

        Args:
            speech: the recording.
            truncated: see :func:`emotone.audio.read`.

        Yields:
            Each part, and the number of its samples that no part before it has.

        Raises:
            AudioError: if the recording is not usable as audio, shorter than 25 ms, silent, or
                holds no speech.
        """
        listened = _Listened(pieces(speech, truncated))
        heard = only_speech_of(listened) if self.only_speech else iter(listened)
        before, found = 0, False
        for part in Windows(PART_S, PART_S).of(heard):
            if listened.is_long_enough and self._is_enough(part.samples):
                yield part.samples, part.stop - before
                found = True
            before = part.stop
        if not listened.is_long_enough:
            raise too_short(speech, listened.samples / SAMPLE_RATE)
        if not found:
            raise no_speech(speech) if listened.sound else silent(speech)

    def _is_enough(self, heard: Waveform) -> bool:
        if self.only_speech:
            return len(heard) >= LEAST_S * SAMPLE_RATE
        return has_sound(heard)


class _Listened:
    """Passes pieces of a recording on and notes how many samples there are, and whether sound."""

    def __init__(self, pieces: Iterable[Waveform]) -> None:
        self._pieces = pieces
        self.samples, self.sound = 0, False

    @property
    def is_long_enough(self) -> bool:
        """Whether it can show an emotion."""
        return self.samples >= SHORTEST_S * SAMPLE_RATE

    def __iter__(self) -> Iterator[Waveform]:
        for piece in self._pieces:
            self.samples += len(piece)
            self.sound = self.sound or (len(piece) > 0 and has_sound(piece))
            yield piece
