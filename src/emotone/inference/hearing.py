"""What a model hears of a recording: its speech, or everything that is not silent.

A recording of any length is answered by one rule: what is heard of it is cut into parts of 10 s,
the last of which ends with it and is as long as the others, and the answer is the mean over the
parts, weighted by what each adds to those before.
"""

from collections.abc import Iterable, Iterator

from emotone.audio import SAMPLE_RATE, Truncated, Waveform
from emotone.audio.activity import Blocks, only_speech
from emotone.audio.windows import Window, Windows, has_sound
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
        return heard if self.is_enough(heard) else waveform[:0]

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
        listener = Listener(self)
        for piece in pieces(speech, truncated):
            yield from listener.push(piece)
        yield from listener.close()
        if not listener.is_long_enough:
            raise too_short(speech, listener.samples / SAMPLE_RATE)
        if not listener.found:
            raise no_speech(speech) if listener.sound else silent(speech)

    def is_enough(self, heard: Waveform) -> bool:
        """Whether what is heard can be answered."""
        if self.only_speech:
            return len(heard) >= LEAST_S * SAMPLE_RATE
        return has_sound(heard)


class Listener:
    """Hears a recording, or a stretch of one, that comes in pieces.

    Args:
        hearing: the ears of the model.

    Attributes:
        samples: number of samples that came.
        sound: whether any of them are not silent.
        found: whether there was a part.
    """

    def __init__(self, hearing: Hearing) -> None:
        self._hearing = hearing
        self._blocks, self._windows = Blocks(), Windows(PART_S, PART_S)
        self._before = 0  # end of the last part
        self.samples, self.sound, self.found = 0, False, False

    @property
    def is_long_enough(self) -> bool:
        """Whether it can show an emotion."""
        return self.samples >= SHORTEST_S * SAMPLE_RATE

    def push(self, piece: Waveform) -> Iterator[tuple[Waveform, int]]:
        """Take samples; yields the parts that are complete now, see :meth:`Hearing.parts`."""
        self.samples += len(piece)
        self.sound = self.sound or (len(piece) > 0 and has_sound(piece))
        yield from self._heard(self._blocks.push(piece) if self._hearing.only_speech else [piece])

    def close(self) -> Iterator[tuple[Waveform, int]]:
        """Yield the remaining parts."""
        if self._hearing.only_speech:
            yield from self._heard(self._blocks.close())
        yield from self._parts(self._windows.close())

    def _heard(self, blocks: Iterable[Waveform]) -> Iterator[tuple[Waveform, int]]:
        for block in blocks:
            heard = only_speech(block) if self._hearing.only_speech else block
            yield from self._parts(self._windows.push(heard))

    def _parts(self, windows: Iterable[Window]) -> Iterator[tuple[Waveform, int]]:
        for part in windows:
            if self.is_long_enough and self._hearing.is_enough(part.samples):
                yield part.samples, part.stop - self._before
                self.found = True
            self._before = part.stop


class Known(Listener):
    """Hears a stretch whose speech is known.

    Args:
        hearing: the ears of the model.
        regions: of speech, in samples from the beginning of the stretch, in order.
    """

    def __init__(self, hearing: Hearing, regions: Iterable[tuple[int, int]]) -> None:
        super().__init__(hearing)
        self._regions = list(regions)

    def push(self, piece: Waveform) -> Iterator[tuple[Waveform, int]]:
        """See :class:`Listener`."""
        position = self.samples
        self.samples += len(piece)
        for start, stop in self._regions:
            region = piece[max(start - position, 0) : max(stop - position, 0)]
            if len(region):
                yield from self._parts(self._windows.push(region))

    def close(self) -> Iterator[tuple[Waveform, int]]:
        """See :class:`Listener`."""
        yield from self._parts(self._windows.close())
