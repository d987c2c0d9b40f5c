"""The answers of a model to the utterances of a corpus, unchanged and under all changes."""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from emotone.audio import SAMPLE_RATE, Waveform
from emotone.errors import AudioError
from emotone.evaluation.audit_scoring import Answer
from emotone.evaluation.changes import CHANGES
from emotone.evaluation.non_speech import RECORDED, SECONDS, SOUNDS, sound
from emotone.experiments.audit_material import CorpusMaterial, Recordings, Utterance
from emotone.inference.prediction import Prediction
from emotone.inference.recognizer import Recognizer

DECIMALS = 6  # of stored probabilities
SOUNDS_EACH = 20  # sounds without speech of each kind
UNCHANGED = ""  # in place of the name of a change


@dataclass(frozen=True)
class Task:
    """What a process needs to answer any of the utterances.

    Attributes:
        recognizer: the model; another process loads it again.
        utterances: of the corpus.
        changes: keys of :data:`emotone.evaluation.changes.CHANGES`.
        recordings: noises and impulse responses.
        seed: of all random draws.
    """

    recognizer: Recognizer
    utterances: tuple[Utterance, ...]
    changes: tuple[str, ...]
    recordings: Recordings
    seed: int


def answer(task: Task, numbers: Sequence[int]) -> list[Answer]:
    """Recognise some of the utterances under all changes; an executor may call it.

    One utterance at a time is decoded and changed. The answer depends on the utterance and the
    seed, not on the other utterances of the call.
    """
    material = CorpusMaterial(task.utterances, task.recordings)
    found = {number: Answer(task.utterances[number].name) for number in numbers}
    places: list[tuple[int, str]] = []

    def recordings() -> Iterator[tuple[Waveform, int]]:
        for number in numbers:
            utterance = task.utterances[number]
            material.speaker = utterance.speaker
            try:
                speech = utterance.read()
            except AudioError as error:
                found[number].problem = str(error)
                continue
            for name in (UNCHANGED, *task.changes):
                rng = generator(task.seed, utterance.name, name)
                places.append((number, name))
                yield _changed(speech, name, rng, material), SAMPLE_RATE

    for place, prediction in enumerate(task.recognizer.predict_many(recordings())):
        number, name = places[place]
        _record(found[number], name, prediction, task.recognizer.labels)
    return list(found.values())


def answer_sounds(task: Task) -> dict[str, list[bool | None]]:
    """Recognise sounds without speech.

    Returns:
        For each kind whether each answer is confident; ``None`` where there is no answer.
    """
    material = CorpusMaterial((), task.recordings)

    def recordings(kind: str) -> Iterator[tuple[Waveform, int]]:
        for number in range(SOUNDS_EACH):
            rng = generator(task.seed, kind, str(number))
            if kind == RECORDED:
                samples = int(rng.uniform(*SECONDS) * SAMPLE_RATE)
                yield material.environment(rng, samples), SAMPLE_RATE
            else:
                yield sound(kind, rng), SAMPLE_RATE

    return {
        kind: [
            None if isinstance(one, AudioError) else one.confident
            for one in task.recognizer.predict_many(recordings(kind))
        ]
        for kind in (*SOUNDS, *([RECORDED] if task.recordings.noises else []))
    }


def generator(seed: int, *names: str) -> Generator:
    """Return a random generator that depends on the seed and the names alone."""
    return np.random.default_rng([seed, *(zlib.crc32(name.encode()) for name in names)])


def _changed(speech: Waveform, name: str, rng: Generator, material: CorpusMaterial) -> Waveform:
    if name == UNCHANGED:
        return speech
    try:
        return np.asarray(CHANGES[name].apply(speech, rng, material), np.float32)
    except AudioError:
        return speech[:0]  # no answer, as for speech that is too short for the change


def _record(
    answer: Answer, name: str, prediction: Prediction | AudioError, labels: Sequence[str]
) -> None:
    if isinstance(prediction, AudioError):
        if name == UNCHANGED:
            answer.problem = f"{answer.utterance}: {prediction}"
        else:
            answer.changed[name] = None
    elif name == UNCHANGED:
        rounded = [round(prediction.probabilities[label], DECIMALS) for label in labels]
        answer.probabilities, answer.confident = rounded, prediction.confident
    else:
        answer.changed[name] = (labels.index(prediction.label), prediction.confident)
