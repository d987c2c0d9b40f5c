"""Recognition of many files, in this process or on an executor, with equal answers in order."""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from emotone.audio import Truncated
from emotone.errors import AudioError
from emotone.files import read_regular
from emotone.inference import model_folder
from emotone.inference.averaging import BATCH
from emotone.inference.call import Call
from emotone.inference.execution import Executor, map_in_order
from emotone.inference.manner import Manner
from emotone.inference.prediction import Prediction, Segment
from emotone.inference.recognizer import Recognizer
from emotone.inference.worker import CrashedError

Answer = Prediction | Sequence[Segment] | Call | AudioError
Contents = tuple[tuple[str, bytes], ...]  # names and contents of a model's files
MODEL_FILES = (model_folder.CONFIG, model_folder.ONNX)  # needed for recognition

_kept: dict[tuple[Contents, int], Recognizer] = {}  # the model of this process


def recognise_files(
    recognizer: Recognizer,
    files: Iterable[Path],
    manner: Manner | None,
    executor: Executor,
    truncated: Truncated = "error",
    *,
    embedding: bool = False,
) -> Iterator[Answer]:
    """Recognise files on an executor; yields answers in the order of ``files``.

    The model is sent along; every process must find the files under the same paths. Memory does not
    grow with the number of files. A file that crashes its process gives an :class:`AudioError`.

    Args:
        recognizer: provides the model, the threshold, and the speaker if one is enrolled.
        files: audio files.
        manner: how; ``None`` to recognise files as a whole.
        executor: makes the calls.
        truncated: see :meth:`emotone.Recognizer.predict`.
        embedding: whether the predictions for whole files have their embedding.
    """
    task = executor.share(
        _Task(
            _contents(recognizer), recognizer.threads, recognizer.choices, manner, truncated,
            embedding,
        )
    )  # fmt: skip
    # a file with several rows is long, and its answer is waited for
    batches = _batches(files, BATCH if manner is None else 1)
    for batch, future in map_in_order(executor, _recognise, batches, task):
        try:
            yield from future.result()
        except CrashedError:  # one of the files caused it
            for file in batch:
                try:
                    yield from executor.submit(_recognise, task, [file]).result()
                except CrashedError as error:
                    yield AudioError(
                        f"{file.name}: the decoder crashed, {error}; convert it to WAV"
                    )


def in_order(
    recognizer: Recognizer,
    files: Iterable[Path],
    manner: Manner | None,
    truncated: Truncated = "error",
    advance: Callable[[float], None] = lambda seconds: None,
    *,
    embedding: bool = False,
) -> Iterator[Answer]:
    """Recognise files in this process.

    Args:
        recognizer: the recogniser.
        files: audio files.
        manner: how; ``None`` to recognise files as a whole.
        truncated: see :meth:`emotone.Recognizer.predict`.
        advance: called with the seconds of windows that are done.
        embedding: whether the predictions for whole files have their embedding.
    """
    if manner is None:
        yield from recognizer.predict_many(files, embedding=embedding, truncated=truncated)
        return
    for file in files:
        try:
            yield manner.answer(recognizer, file, truncated, advance)
        except AudioError as error:
            yield error


@dataclass(frozen=True)
class _Task:
    """What each call of a batch needs.

    Attributes:
        contents: names and contents of the model's files.
        threads: number of threads of one call of the network.
        choices: speaker, threshold and emotions, see :attr:`Recognizer.choices`.
        manner: how; ``None`` to recognise files as a whole.
        truncated: what to do with a file whose end is missing.
        embedding: whether the predictions have their embedding.
    """

    contents: Contents
    threads: int
    choices: dict[str, Any]
    manner: Manner | None
    truncated: Truncated
    embedding: bool


@dataclass(frozen=True)
class _File:
    """A file as the caller named it, and its absolute path."""

    name: Path
    path: Path


def _batches(files: Iterable[Path], size: int) -> Iterator[list[_File]]:
    remaining = (_File(file, file.absolute()) for file in files)
    while batch := list(islice(remaining, size)):
        yield batch


def _recognise(task: _Task, files: Sequence[_File]) -> list[Answer]:
    """Recognise a batch of files; called by an executor, perhaps in another working directory."""
    recognizer = _loaded(task.contents, task.threads).chosen(task.choices)
    paths = [file.path for file in files]
    answers = in_order(recognizer, paths, task.manner, task.truncated, embedding=task.embedding)
    return [
        AudioError(str(answer).replace(str(file.path), str(file.name)))
        if isinstance(answer, AudioError)
        else answer
        for answer, file in zip(answers, files, strict=True)
    ]


def keep(recognizer: Recognizer) -> None:
    """Let processes that are forked from now on use a model as it is, which saves loading it."""
    if recognizer.threads == 1:  # other threads do not come along
        _kept[_contents(recognizer), 1] = recognizer


def _contents(recognizer: Recognizer) -> Contents:
    return tuple(
        (name, read_regular(recognizer.folder / name, model_folder.MOST_BYTES))
        for name in MODEL_FILES
    )


def _loaded(contents: Contents, threads: int) -> Recognizer:
    """Load a model from the contents of its files, once in a process."""
    if (contents, threads) not in _kept:
        _kept.clear()
        with tempfile.TemporaryDirectory() as folder:
            for name, content in contents:
                (Path(folder) / name).write_bytes(content)
            _kept[contents, threads] = Recognizer(folder, threads=threads)
    return _kept[contents, threads]
