"""The recogniser: speech in, emotions out; needs ONNX Runtime and no PyTorch."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from emotone import audio
from emotone.audio import Truncated
from emotone.audio.windows import HOP_S, WINDOW_S, Window, Windows, batches
from emotone.errors import AudioError, ModelError, SpeechTypeError
from emotone.inference import model_folder
from emotone.inference.averaging import BATCH, Answer, End, Part, averaged
from emotone.inference.call import Call
from emotone.inference.calls import call_options
from emotone.inference.calls import recognise as recognise_call
from emotone.inference.hearing import PART_S, Listener
from emotone.inference.model import Model
from emotone.inference.neutral import answers_of, offsets
from emotone.inference.prediction import Prediction, Segment
from emotone.inference.spans import Cutter, Span, refuse_others
from emotone.inference.speech import SHORTEST_S, Speech, name_of, pieces, several, too_short
from emotone.inference.stream import Stream

__all__ = ["Recognizer", "load"]

BATCH_S = BATCH * PART_S  # most audio of windows that are recognised together


class Recognizer(Model):
    """A trained model, ready to recognise. Safe to use from several threads at once.

    Args:
        folder: model folder, see :mod:`emotone.inference.model_folder`.
        threads: number of threads of one call.

    Raises:
        ModelError: if the folder is not a model of this version, or was changed.
    """

    def predict(
        self, speech: Speech, *, embedding: bool = False, truncated: Truncated = "error"
    ) -> Prediction:
        """Recognise one recording.

        Only its speech counts, whatever is before, between and after, if the model was trained so.
        Probabilities, dimensions and embedding are the mean over parts of 10 s, see
        :mod:`emotone.inference.hearing`.

        Args:
            speech: path, bytes or binary file object of an audio file of any rate and channel
                count, or samples and rate, see :func:`emotone.inference.speech.pieces`.
            embedding: whether the prediction has its ``embedding``.
            truncated: what to do with a file whose end is missing, see :func:`emotone.audio.read`.

        Raises:
            ModelError: if ``embedding`` is asked for and the model has none.
            SpeechTypeError: if it is no speech at all; a kind of :class:`AudioError`.
            AudioError: if it is not usable as audio, shorter than 25 ms, silent, or without speech.

        >>> answer = recognizer.predict("call.wav")
        >>> list(answer.probabilities)
        ['anger', 'happiness', 'neutral', 'sadness']
        >>> recognizer.predict((samples, 16_000)) == answer
        True
        """
        (answer,) = self.predict_many([speech], embedding=embedding, truncated=truncated)
        if isinstance(answer, AudioError):
            raise answer
        return answer

    def embed(self, speech: Speech) -> NDArray[np.float32]:
        """Return the embedding of a recording, shape ``(embedding_size,)``; see :meth:`predict`.

        >>> recognizer.embed("call.wav").shape
        (384,)
        """
        vector = self.predict(speech, embedding=True).embedding
        assert vector is not None
        return vector

    def predict_many(
        self,
        recordings: Iterable[Speech],
        *,
        embedding: bool = False,
        truncated: Truncated = "error",
    ) -> Iterator[Prediction | AudioError]:
        """Recognise many recordings, in batches and in their order.

        Args:
            recordings: see :meth:`predict`.
            embedding: whether the predictions have their ``embedding``.
            truncated: see :meth:`predict`.

        Returns:
            An iterator over a prediction for each recording, or the error that explains why there
            is none.

        Raises:
            SpeechTypeError: if ``recordings`` is a single recording.
            ModelError: if ``embedding`` is asked for and the model has none.

        >>> answers = recognizer.predict_many(["call.wav", "her1.wav", "lost.wav"])
        >>> [type(answer).__name__ for answer in answers]
        ['Prediction', 'Prediction', 'AudioError']
        """
        recognizer = self._changed(_extra=self.embedding_size) if embedding else self
        return recognizer._averaged(several(recordings, "predict_many"), truncated)

    def _averaged(
        self, recordings: Iterable[Speech], truncated: Truncated
    ) -> Iterator[Prediction | AudioError]:
        def events() -> Iterator[Part | End]:
            for key, speech in enumerate(recordings):
                try:
                    for waveform, added in self.hearing.parts(speech, truncated):
                        yield Part(key, waveform, added)
                except AudioError as error:
                    yield End(key, error)
                else:
                    yield End(key)

        for _, answer in averaged(events(), self.rows):
            assert answer is not None  # hearing nothing is an error
            yield answer if isinstance(answer, AudioError) else self.prediction(answer)

    def with_neutral(self, recordings: Iterable[Speech | Mapping[str, float]]) -> Self:
        """Return a recogniser that hears a speaker relative to their neutral voice.

        Some neutral voices, microphones and languages sound like an emotion to a network. One
        neutral recording helps much, more than three add little; see
        :mod:`emotone.inference.neutral`. Choose the speaker first, if both are known.

        Args:
            recordings: neutral speech of the speaker, recorded as what will be recognised; or
                probabilities of all emotions that this model answered to it before.

        Returns:
            A recogniser that shares the model with this one.

        Raises:
            ModelError: if the model does not know the emotion neutral, or how others' neutral
                speech is answered.
            UsageError: if probabilities are not those of the model's emotions.
            SpeechTypeError: if ``recordings`` is a single recording or answer.
            AudioError: if a recording is not usable, or there is none.

        >>> hers = recognizer.with_neutral(["her1.wav"])
        >>> hers.predict("her2.wav").label in hers.labels
        True
        """
        if isinstance(recordings, Mapping):
            raise SpeechTypeError(
                "with_neutral takes several answers, got one; pass a list with it"
            )
        reference = self.config.neutral
        if reference is None:
            raise ModelError(
                f"{self.folder}: this model does not know how neutral speech is answered; train "
                "one that answers neutral with --calibrate"
            )
        plain = self._changed(offsets=None, labels=list(self.config.labels), _extra=0)
        answers = [
            one if isinstance(one, Mapping) else plain.predict(one).probabilities
            for one in several(recordings, "with_neutral")
        ]
        if not answers:
            raise AudioError("no neutral recording was given; give one or more")
        found = answers_of(answers, self.config.labels)
        return self._changed(offsets=offsets(reference, found))

    def segments(
        self,
        speech: Speech,
        *,
        window: float = WINDOW_S,
        hop: float = HOP_S,
        truncated: Truncated = "error",
        advance: Callable[[float], None] = lambda seconds: None,
    ) -> list[Segment]:
        """Recognise a recording of any length in windows; see :mod:`emotone.audio.windows`.

        Args:
            speech: see :meth:`predict`.
            window: length of a window in seconds.
            hop: time between the starts of two windows, in seconds.
            truncated: see :meth:`predict`.
            advance: called with the seconds of audio just processed.

        Raises:
            UsageError: if window or hop is out of its range.
            AudioError: if it is not usable as audio, or shorter than 25 ms.

        >>> [(one.start, one.end) for one in recognizer.segments("call.wav", window=3, hop=1.5)]
        [(0.0, 3.0), (1.5, 4.5), (3.0, 6.0)]
        """
        found: list[Segment] = []
        for segment in self.recognise(Windows(window, hop).of(pieces(speech, truncated))):
            advance(segment.end - (found[-1].end if found else 0.0))
            found.append(segment)
        if not found or found[-1].end < SHORTEST_S:
            raise too_short(speech, found[-1].end if found else 0.0)
        return found

    def spans(
        self, speech: Speech, spans: Sequence[Span], *, truncated: Truncated = "error"
    ) -> list[Segment]:
        """Recognise stretches of a recording, each as if it were a recording of its own.

        The recording is read once, and memory does not grow with its length.

        Args:
            speech: see :meth:`predict`.
            spans: in any order; they may overlap.
            truncated: see :meth:`predict`.

        Returns:
            A segment for each span, in the order of ``spans``; without prediction where there is no
            speech.

        Raises:
            AudioError: if it is not usable as audio.
            OutsideError: if a span is outside of it.
            UsageError: if one is no :class:`Span`.

        >>> first, rest = recognizer.spans("call.wav", [Span(0, 2.5), Span(2.5)])
        >>> (first.end, rest.end)
        (2.5, 6.0)
        """
        refuse_others(spans, "spans")
        cutter = Cutter(dict(enumerate(spans)), lambda _: Listener(self.hearing))
        answers = dict(averaged(cutter.of(pieces(speech, truncated)), self.rows))
        try:
            return [
                Segment(span.start, span.end_in(cutter.seconds), self._answer(answers[key]))
                for key, span in enumerate(spans)
            ]
        except AudioError as error:
            raise type(error)(f"{name_of(speech)}: {error}") from error

    def call(
        self,
        speech: Speech,
        *,
        channels: Literal["mix", "split"] = "mix",
        turns: Sequence[Span] | str | Path | None = None,
        windows: tuple[float, float] | None = None,
        truncated: Truncated = "error",
        advance: Callable[[float], None] = lambda seconds: None,
    ) -> Call:
        """Recognise a call: an answer for each turn, and a summary of each speaker.

        A speaker with a channel or turns of their own is enrolled with their speech in the call, if
        the model supports it, unless a speaker was enrolled before. Speakers of given turns have
        the channel that is loudest in them, unless the turns name it.

        Args:
            speech: see :meth:`predict`.
            channels: ``"split"`` if each channel is a speaker.
            turns: who speaks when, see :mod:`emotone.inference.turns`, or the file that says it;
                ``None`` to divide the call where its speakers pause for 0.5 s.
            windows: window and hop in seconds, to divide it into windows instead.
            truncated: see :meth:`predict`.
            advance: called with the seconds of audio just processed.

        Raises:
            UsageError: if the turns cannot be used, or come with windows.
            AudioError: if it is not usable as audio, holds no speech, or has not 2 to 8 channels
                that differ and they are to be split.
            OutsideError: if a turn is outside of it, or on a channel that it has not.

        >>> call = recognizer.call("call.wav", turns=[Span(0, 2.5, "Ann"), Span(2.5, 6, "Bob")])
        >>> [(turn.speaker, turn.end) for turn in call.turns]
        [('Ann', 2.5), ('Bob', 6.0)]
        >>> call.speakers[0].seconds
        2.5
        """
        options = call_options(channels, turns, windows, name_of(speech))
        return recognise_call(self, speech, options, truncated, advance)

    def stream(self, rate: int, *, window: float = WINDOW_S, hop: float = HOP_S) -> Stream:
        """Recognise live audio; the segments are those of :meth:`segments` on the same samples.

        Args:
            rate: sampling rate in Hz.
            window: length of a window in seconds.
            hop: time between the starts of two windows, in seconds.

        Raises:
            AudioError: if the rate is not a whole number of 1,000 to 1,000,000 Hz.
            UsageError: if window or hop is out of its range.

        >>> stream = recognizer.stream(rate=16_000, hop=1.5)
        >>> live = stream.push(samples[:32_000]) + stream.push(samples[32_000:]) + stream.close()
        >>> [one.end for one in live]
        [3.0, 4.5, 6.0]
        """
        return Stream(self.recognise, rate, window, hop)

    def recognise(self, windows: Iterable[Window]) -> Iterator[Segment]:
        """Recognise windows, in batches that are cut when they are needed."""
        for batch in batches(windows, BATCH, BATCH_S):
            yield from self._segments(batch)

    def _answer(self, row: Answer) -> Prediction | None:
        assert not isinstance(row, AudioError)
        return None if row is None else self.prediction(row)

    def _segments(self, batch: Sequence[Window]) -> list[Segment]:
        heard = [self.hearing.window(window.samples) for window in batch]
        rows = iter(self.rows([one for one in heard if len(one)]))
        rate = audio.SAMPLE_RATE
        return [
            Segment(
                window.start / rate,
                window.stop / rate,
                self.prediction(next(rows)) if len(one) else None,
            )
            for window, one in zip(batch, heard, strict=True)
        ]


def load(
    model: str | Path | None = None, *, threads: int = 1, only: Iterable[str] | str | None = None
) -> Recognizer:
    """Load a model: the one that ships with emotone, a folder, or one of the Hugging Face Hub.

    Args:
        model: see :func:`emotone.inference.model_folder.locate`.
        threads: see :class:`Recognizer`.
        only: emotions to choose among, see :meth:`Recognizer.with_only`; ``None`` for all.

    Raises:
        ModelError: if there is no such model, or it cannot be used.
        UsageError: if ``only`` cannot be used.

    >>> emotone.load("emotone-base").labels
    ['anger', 'happiness', 'neutral', 'sadness']
    """
    return Recognizer(model_folder.locate(model), threads=threads).with_only(only)
