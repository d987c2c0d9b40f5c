"""Recognises calls: several speakers, each on a channel or in given turns.

A call is read twice, piece by piece, so memory does not grow with its length: first to find speech,
to enrol each speaker with it and to see who speaks on which channel, then to answer the turns.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

from emotone.audio import SAMPLE_RATE, Truncated, Waveform
from emotone.audio.windows import Windows
from emotone.errors import AudioError, UsageError
from emotone.inference.averaging import Averager, End, Part
from emotone.inference.call import Call, Turn, summary
from emotone.inference.dividing import within
from emotone.inference.hearing import Known, Listener
from emotone.inference.listening import NOT_SPLIT, CallOptions, Pass, Plan, planned
from emotone.inference.model import Model
from emotone.inference.prediction import Prediction
from emotone.inference.spans import Cutter, Span
from emotone.inference.speech import (
    BLOCK,
    SHORTEST_S,
    Source,
    Speech,
    name_of,
    no_speech,
    pieces,
    readable,
    too_short,
    tracks,
)
from emotone.inference.turns import checked, read
from emotone.text import plural, shown

MOST_CHANNELS = 8
POOL = 32  # parts of turns that are sorted by length

Advance = Callable[[float], None]


def call_options(
    channels: str,
    turns: Sequence[Span] | str | Path | None,
    windows: tuple[float, float] | None,
    recording: str,
) -> CallOptions:
    """Check what a user asks for.

    Args:
        channels: ``mix`` or ``split``.
        turns: who speaks when, or the file that says it.
        windows: window and hop in seconds.
        recording: its name; a file of turns may hold those of several.

    Raises:
        UsageError: if it cannot be done.
    """
    if channels not in ("mix", "split"):
        raise UsageError(f"channels must be 'mix' or 'split', got {shown(channels)}")
    if windows is not None:
        if turns is not None:
            raise UsageError("a call is divided into turns or into windows; give one of them")
        Windows(*windows)  # checks them
    if isinstance(turns, str | Path):
        turns = read(Path(turns), Path(recording).stem)
    elif isinstance(turns, Iterable):
        turns = checked(turns, "turns")
    elif turns is not None:
        raise UsageError(
            f"turns: expected the path of a file or a list of emotone.Span, got {shown(turns)}"
        )
    return CallOptions(channels == "split", None if turns is None else tuple(turns), windows)


def recognise(
    model: Model,
    speech: Speech,
    options: CallOptions,
    truncated: Truncated = "error",
    advance: Advance = lambda seconds: None,
) -> Call:
    """Recognise a call; see :meth:`emotone.Recognizer.call`."""
    with readable(speech) as source:

        def blocks() -> Iterator[list[Waveform]]:
            for block in _blocks(source, truncated, split=options.split):
                yield block
                advance(len(block[0]) / SAMPLE_RATE / 2)  # each is read twice

        try:
            plan = planned(model, options, blocks)
            if plan.samples < SHORTEST_S * SAMPLE_RATE:
                raise too_short(speech, plan.seconds)
            if not plan.spans:
                raise no_speech(speech)
            return _call(model, plan, _answers(model, plan, blocks), split=options.split)
        except AudioError as error:
            if name_of(speech) in str(error):
                raise
            raise type(error)(f"{name_of(speech)}: {error}") from error


def _blocks(source: Source, truncated: Truncated, *, split: bool) -> Iterator[list[Waveform]]:
    if not split:
        for piece in pieces(source, truncated):
            yield from ([piece[at : at + BLOCK]] for at in range(0, len(piece), BLOCK))
        return
    for block in tracks(source, truncated):
        if not 2 <= len(block) <= MOST_CHANNELS:
            raise AudioError(
                f"{plural(len(block), 'channel')}, where each speaker should have one, 2 to "
                f"{MOST_CHANNELS}; {NOT_SPLIT}"
            )
        yield block


def _answers(model: Model, plan: Plan, blocks: Pass) -> dict[int, Prediction | None]:
    """Read the call for the second time; returns the answer to each turn."""
    averagers = {
        name: Averager(
            (model.for_speaker(plan.enrolled[name]) if name in plan.enrolled else model).rows, POOL
        )
        for name in plan.tracks
    }
    cutters = [
        Cutter(
            {k: span for k, span in enumerate(plan.spans) if plan.tracks[span.speaker] == number},
            lambda key: _listener(model, plan, key),
        )
        for number in range(1 + max(plan.tracks.values()))
    ]
    answers: dict[int, Prediction | None] = {}

    def take(event: Part | End) -> None:
        keep(averagers[plan.spans[event.key].speaker], event)

    def keep(averager: Averager, event: Part | End | None) -> None:
        for key, row in averager.push(event) if event else averager.close():
            assert not isinstance(row, AudioError)
            answers[key] = None if row is None else model.prediction(row)

    for block in blocks():
        for cutter, samples in zip(cutters, block, strict=False):
            for event in cutter.push(samples):
                take(event)
    for event in chain.from_iterable(cutter.close() for cutter in cutters):
        take(event)
    for averager in averagers.values():
        keep(averager, None)
    return answers


def _listener(model: Model, plan: Plan, key: int) -> Listener:
    span = plan.spans[key]
    if plan.regions is None or not model.hearing.only_speech:
        return Listener(model.hearing)
    start, stop = span.samples
    regions = within(plan.regions[plan.tracks[span.speaker]], start, int(stop))
    return Known(model.hearing, regions)


def _call(model: Model, plan: Plan, answers: dict[int, Prediction | None], *, split: bool) -> Call:
    turns = [
        Turn(span.start, span.end or 0.0, answers[key], span.speaker)
        for key, span in enumerate(plan.spans)
    ]
    speakers = [
        summary(
            name,
            [turn for turn in turns if turn.speaker == name],
            model.labels,
            plan.seconds,
            number + 1 if split else None,
            enrolled=name in plan.enrolled,
        )
        for name, number in plan.tracks.items()
    ]
    silent = [one.speaker for one in speakers if not one.seconds]
    notes = [f"{shown(name)}: no speech found, so there is no answer" for name in silent]
    return Call(plan.seconds, turns, speakers, [*plan.notes, *notes])
