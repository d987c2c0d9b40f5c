"""The first time that a call is read: its speech, its speakers and their channels."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from emotone.audio import SAMPLE_RATE, Waveform
from emotone.audio.activity import Blocks, speech_regions
from emotone.errors import AudioError, OutsideError
from emotone.inference.averaging import End
from emotone.inference.dividing import Regions, at_pauses, in_windows
from emotone.inference.enrolling import Enroller
from emotone.inference.hearing import Listener
from emotone.inference.model import Model
from emotone.inference.spans import Cutter, Span
from emotone.inference.speaker import Speaker
from emotone.inference.turns import UNKNOWN, by_speaker, crossing
from emotone.text import agree, plural, shown

ENROL_S = 600.0  # of a speaker's speech that is enrolled; more changes little
SAME = 1e-6  # channels that have less of their energy to themselves are one signal
NOT_SPLIT = "recognise it without splitting channels"  # what to do with other recordings
LEAK = 100.0  # 20 dB: what is so much louder on another channel leaks from there
FRAME_S, LEAK_S = 0.032, 0.25  # levels are compared in each frame, over the time around it

Pass = Callable[[], Iterable[list[Waveform]]]  # reads the channels piece by piece


@dataclass(frozen=True)
class CallOptions:
    """How to recognise a call.

    Attributes:
        split: whether each channel is a speaker.
        turns: see :func:`emotone.inference.turns.checked`; ``None`` to divide the call where
            speakers pause.
        windows: window and hop in seconds, to divide it into windows instead; or ``None``.
    """

    split: bool = False
    turns: tuple[Span, ...] | None = None
    windows: tuple[float, float] | None = None


@dataclass
class Plan:
    """What is known of a call when it was read once.

    Attributes:
        samples: length of the recording.
        spans: the turns, in order of time.
        tracks: channel of each speaker, from 0.
        enrolled: the speakers that could be enrolled.
        regions: speech of each channel; ``None`` if turns were given.
        notes: what is to be known about the answers.
    """

    samples: int
    tracks: dict[str, int]
    spans: list[Span] = field(default_factory=list)
    enrolled: dict[str, Speaker] = field(default_factory=dict)
    regions: list[Regions] | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """Length of the recording."""
        return self.samples / SAMPLE_RATE


def planned(model: Model, options: CallOptions, blocks: Pass) -> Plan:
    """Read a call for the first time.

    Raises:
        AudioError: if it is not usable as audio, a turn is outside of it, or all channels are the
            same where each is a speaker.
    """
    enrols = model.can_enrol and model.speaker is None
    turns = options.turns
    if turns is None:
        plan = _divided(model, options, blocks, enrols=enrols and options.split)
    elif options.split:
        plan = _assigned(model, turns, blocks, enrols=enrols)
    else:
        plan = _followed(model, turns, blocks, enrols=enrols)
    if turns is not None:
        plan.spans = [replace(turn, end=turn.end_in(plan.seconds)) for turn in turns]
        plan.notes += _crossing_notes(plan)
    return plan


def _divided(model: Model, options: CallOptions, blocks: Pass, *, enrols: bool) -> Plan:
    """Find the speech of each channel, and divide it."""
    tracks = _tracks(model, blocks, split=options.split, enrols=enrols, finds=True)
    names = [f"channel {number + 1}" for number in range(len(tracks))]
    if not options.split:
        names = [UNKNOWN]
    plan = Plan(tracks[0].samples, {name: number for number, name in enumerate(names)})
    plan.regions = [track.regions for track in tracks]
    spans = []
    for name, regions in zip(names, plan.regions, strict=True):
        if options.windows and regions:
            parts = in_windows(plan.samples, *options.windows)
        else:
            parts = [(part[0][0], part[-1][1]) for part in at_pauses(regions)]
        spans += [Span(a / SAMPLE_RATE, b / SAMPLE_RATE, name) for a, b in parts]
    plan.spans = sorted(spans, key=lambda span: (span.start, span.speaker))
    plan.enrolled = _enrolled(model, {name: tracks[n].enroller for name, n in plan.tracks.items()})
    return plan


def _assigned(model: Model, turns: Sequence[Span], blocks: Pass, *, enrols: bool) -> Plan:
    """Find out which channel each speaker of given turns is on."""
    tracks = _tracks(model, blocks, split=True, enrols=enrols, turns=turns)
    plan = Plan(tracks[0].samples, {})
    for speaker, own in by_speaker(turns):
        channels = sorted({turn.channel for turn in own if turn.channel is not None})
        if len(channels) > 1 or any(channel > len(tracks) for channel in channels):
            raise OutsideError(
                f"{shown(speaker)} is on channel {' and '.join(map(str, channels))}; give each "
                f"speaker one channel, from 1 to {len(tracks)}"
            )
        if channels:
            plan.tracks[speaker] = channels[0] - 1
    missing = sorted({turn.speaker for turn in turns} - plan.tracks.keys())
    plan.tracks |= _loudest(missing, tracks)
    if missing == [UNKNOWN] and len(plan.tracks) == 1:
        plan.notes.append(
            f"the turns name no speaker, so all are answered on channel {plan.tracks[UNKNOWN] + 1}"
            "; name who speaks to have the other channels answered"
        )
    plan.enrolled = _enrolled(model, {name: tracks[n].enroller for name, n in plan.tracks.items()})
    return plan


def _loudest(speakers: Sequence[str], tracks: Sequence["_Track"]) -> dict[str, int]:
    """Return the channel of each speaker: the one that is loud in the speaker's turns.

    Two speakers have two channels if there are enough.
    """
    levels = {
        name: [track.levels[name] / max(track.energy, 1e-12) for track in tracks]
        for name in speakers
    }
    if len(speakers) > len(tracks):
        return {name: int(np.argmax(levels[name])) for name in speakers}
    ways = permutations(range(len(tracks)), len(speakers))
    best = max(ways, key=lambda way: sum(levels[s][n] for s, n in zip(speakers, way, strict=True)))
    return dict(zip(speakers, best, strict=True))


def _followed(model: Model, turns: Sequence[Span], blocks: Pass, *, enrols: bool) -> Plan:
    """Enrol the speakers of given turns that share a channel."""
    speakers = sorted({turn.speaker for turn in turns})
    enrollers = {name: model.enroller(ENROL_S) for name in speakers if enrols}
    cutter = Cutter(dict(enumerate(turns)) if enrols else {}, lambda _: Listener(model.hearing))
    for event in cutter.of(samples for (samples,) in blocks()):
        if not isinstance(event, End):
            enrollers[turns[event.key].speaker].push(event.waveform[-event.added :])
    plan = Plan(cutter.samples, dict.fromkeys(speakers, 0))
    plan.enrolled = _enrolled(model, enrollers)
    return plan


def _enrolled(model: Model, enrollers: Mapping[str, Enroller | None]) -> dict[str, Speaker]:
    """Return the speakers who spoke."""
    found = {}
    for name, enroller in enrollers.items():
        if enroller is not None and enroller.has_speech():
            found[name] = enroller.speaker(model.config.features)
    return found


def _crossing_notes(plan: Plan) -> list[str]:
    notes = []
    for number in sorted(set(plan.tracks.values())):
        own = [span for span in plan.spans if plan.tracks[span.speaker] == number]
        count = crossing(own)
        if count:
            notes.append(
                f"{plural(count, 'turn')} {agree(count, 'have')} two speakers at once on one "
                "channel; the answers come from both voices"
            )
    return notes


def _tracks(
    model: Model,
    blocks: Pass,
    *,
    split: bool,
    enrols: bool,
    finds: bool = False,
    turns: Sequence[Span] = (),
) -> list["_Track"]:
    tracks: list[_Track] = []
    differences = np.zeros(0)  # energy by which each channel differs from the first
    for block in blocks():
        if not tracks:
            enrollers = [model.enroller(ENROL_S) if enrols else None for _ in block]
            tracks = [_Track(enroller, turns, finds=finds) for enroller in enrollers]
            differences = np.zeros(len(block))
        whole = [track.push(samples) for track, samples in zip(tracks, block, strict=True)]
        _hear(tracks, whole)
        differences += [_energy(one - block[0]) for one in block]
    _hear(tracks, [track.close() for track in tracks])
    energies = [track.energy for track in tracks]
    if split and any(energies) and _is_one_signal(energies, differences):
        raise AudioError(
            f"all channels are the same, where each speaker should have one; {NOT_SPLIT}"
        )
    return tracks


def _is_one_signal(energies: Sequence[float], differences: NDArray[np.float64]) -> bool:
    """Whether all channels are the first, at most at another level or inverted.

    One that is much quieter may hold the other speaker's voice, which leaks.

    Args:
        energies: of each channel.
        differences: energy of each channel minus the first.
    """
    first, others = energies[0], np.array(energies)
    covariances = (first + others - differences) / 2
    own = first * others - covariances**2 > SAME * first * others
    return max(energies) <= LEAK * min(energies) and not own.any()


def _hear(tracks: Sequence["_Track"], blocks: Sequence[Sequence[Waveform]]) -> None:
    """Hear blocks of all channels, which begin together; a voice that leaks is not theirs."""
    for together in zip(*blocks, strict=True):
        for track, block in zip(tracks, together, strict=True):
            track.hear(block, [other for other in together if other is not block])


def _without_leaks(block: Waveform, others: Sequence[Waveform]) -> Waveform:
    """Return a block that is zero where another channel is much louder at the same time.

    Args:
        block: of one channel, shape ``(samples,)`` at 16 kHz.
        others: the other channels at the same time, of the same shape.
    """
    if not others:
        return block
    own, *theirs = (_energies(one) for one in (block, *others))
    leaks = np.max(theirs, axis=0) > LEAK * own
    if not leaks.any():
        return block
    return np.where(np.repeat(leaks, round(FRAME_S * SAMPLE_RATE))[: len(block)], 0, block)


def _energies(samples: Waveform) -> NDArray[np.float64]:
    """Return the energy around each frame, without a constant offset, shape ``(frames,)``."""
    size = round(FRAME_S * SAMPLE_RATE)
    centred = samples - samples.mean(dtype=np.float64)
    frames = np.pad(centred, (0, -len(samples) % size)).reshape(-1, size)
    around = min(round(LEAK_S / FRAME_S), len(frames))
    return np.convolve(np.square(frames).sum(axis=1), np.ones(around), mode="same")


class _Track:
    """What is learnt of a channel.

    Args:
        enroller: takes its speech, if any.
        turns: the level of whose speakers is measured.
        finds: whether all its speech is to be found.

    Attributes:
        samples: number of samples.
        energy: of all samples.
        levels: energy in the turns of each speaker.
        regions: where there is speech.
    """

    def __init__(self, enroller: Enroller | None, turns: Sequence[Span], *, finds: bool) -> None:
        self.enroller, self._finds = enroller, finds
        self._blocks = Blocks()
        self._meters = {turn.speaker: _Meter() for turn in turns}
        by_key = dict(enumerate(turns))
        self._cutter = Cutter(by_key, lambda key: self._meters[by_key[key].speaker])
        self._heard = 0  # samples
        self.energy = 0.0
        self.regions: Regions = []

    @property
    def samples(self) -> int:
        return self._cutter.samples

    @property
    def levels(self) -> dict[str, float]:
        return {name: meter.energy for name, meter in self._meters.items()}

    def push(self, samples: Waveform) -> list[Waveform]:
        """Take samples; return the blocks that are complete now."""
        self.energy += _energy(samples)
        for _ in self._cutter.push(samples):
            pass
        return list(self._blocks.push(samples))

    def close(self) -> list[Waveform]:
        """End the audio; return the last block."""
        return list(self._blocks.close())

    def hear(self, block: Waveform, others: Sequence[Waveform]) -> None:
        """Find speech in the next block; ``others`` are the other channels at the same time."""
        if self._finds or (self.enroller is not None and not self.enroller.is_done):
            for region in speech_regions(_without_leaks(block, others)):
                self.regions.append((self._heard + region.start, self._heard + region.stop))
                if self.enroller is not None:
                    self.enroller.push(block[region])
        self._heard += len(block)


class _Meter:
    """Measures the energy of spans; see :class:`emotone.inference.spans.Listener`."""

    def __init__(self) -> None:
        self.energy = 0.0

    def push(self, piece: Waveform) -> Iterator[tuple[Waveform, int]]:
        self.energy += _energy(piece)
        return iter(())

    def close(self) -> Iterator[tuple[Waveform, int]]:
        return iter(())


def _energy(samples: Waveform) -> float:
    """Return the energy, without a constant offset."""
    return float(np.var(samples, dtype=np.float64)) * len(samples) if len(samples) else 0.0
