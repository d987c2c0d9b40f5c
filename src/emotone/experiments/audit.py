"""Audit a model on a corpus: robustness, fairness, calibration, coverage, sounds without speech.

The model is used as any caller of :mod:`emotone` does, through
:meth:`emotone.inference.recognizer.Recognizer.predict_many`. Answers are kept in
``answers.jsonl``, so an audit that was stopped goes on where it was.
"""

import hashlib
import json
import platform
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd
from pydantic import TypeAdapter

from emotone.audio import read
from emotone.corpora import Corpus
from emotone.corpora.fingerprints import fingerprint, fingerprints_in, same_content
from emotone.errors import AudioError, StorageError, UsageError
from emotone.evaluation import audit_scoring as scoring
from emotone.evaluation import requirements
from emotone.evaluation.audit_results import AUDIT, Audit, Requirement, Subject
from emotone.evaluation.audit_scoring import Answer
from emotone.evaluation.changes import CHANGES, missing_codecs
from emotone.evaluation.results_folder import ResultsFolder
from emotone.experiments import audit_material, audit_selection
from emotone.experiments.audit_answers import Task, answer, answer_sounds
from emotone.experiments.audit_material import Progress, Recordings, no_progress
from emotone.experiments.audit_selection import AuditOptions
from emotone.files import hash_of_all, refuse_foreign, write_text
from emotone.inference.execution import ProcessExecutor, map_in_order
from emotone.inference.model_folder import ONNX
from emotone.inference.recognizer import Recognizer
from emotone.reporting.report import is_report
from emotone.text import agree, plural

__all__ = ["audit"]

ANSWERS, AUDIT_FILE = "answers.jsonl", "audit.json"
REPORTS = ("audit.html", "audit.md")
PER_CALL = 4  # utterances
LISTED = 3  # utterances without an answer that are named
VERSIONS = ("emotone", "numpy", "onnxruntime", "av", "soundfile")
ANSWER = TypeAdapter(Answer)


def audit(
    recognizer: Recognizer,
    corpus: Corpus,
    out: Path,
    options: AuditOptions | None = None,
    progress: Progress = no_progress,
    required: Sequence[Requirement] = (),
) -> Audit:
    """Audit a model; writes ``audit.json``.

    Args:
        recognizer: the model.
        corpus: speech with emotions; emotions that the model does not answer are left out.
        out: folder; resumes if it holds the same audit.
        options: what the audit covers.
        progress: shows progress, such as :func:`emotone.cli.progress.counting`.
        required: thresholds; see :mod:`emotone.evaluation.requirements`.

    Raises:
        CorpusError: if no utterance can be used.
        UsageError: if a folder of the options holds no audio, or ``out`` something else.
        AudioError: if no utterance gets an answer.
        StorageError: if ``out`` cannot be written.
    """
    options = options or AuditOptions()
    heard = _in_training(corpus, recognizer, progress)
    table, notes = audit_selection.select(corpus, recognizer.config, options, heard)
    recordings, problems = audit_material.find(
        options.noise, options.rooms, test_half=options.test_half, progress=progress
    )
    skipped = _skipped(recordings)
    task = Task(
        recognizer,
        audit_selection.utterances(table),
        tuple(name for name in CHANGES if name not in skipped),
        recordings,
        options.seed,
    )
    folder = ResultsFolder(out)
    with folder.locked():
        results = (AUDIT_FILE, *REPORTS)
        known = (ANSWERS, *results) if (out / ANSWERS).is_file() else ()
        folder.refuse_other_files(*known)
        answers = _Answers(out / ANSWERS, _identity(task, progress))
        for name in results:
            refuse_foreign(out / name, is_report)
        folder.remove_leftovers()
        answers.complete(task, options.jobs, progress)
        reasons = [f"{CHANGES[name].title}: skipped, {why}" for name, why in skipped.items()]
        found = _scored(recognizer, corpus, table, answers, task, [*notes, *problems, *reasons])
        found = replace(found, requirements=requirements.checked(found, required))
        write_text(out / AUDIT_FILE, AUDIT.dump_json(found, indent=1).decode() + "\n")
    return found


def _in_training(corpus: Corpus, recognizer: Recognizer, progress: Progress) -> set[str]:
    """Names of the utterances whose content the model was trained on, as far as it tells."""
    trained = fingerprints_in(recognizer.folder)
    if trained is None:
        return set()
    names, prints = [], []
    rows = list(corpus.table[["utterance", "file", "start", "end"]].itertuples(index=False))
    with progress("comparing with the training", len(rows)) as advance:
        for name, file, start, end in rows:
            with suppress(AudioError):  # reported when it is recognised
                prints.append(fingerprint(read(file, start, None if np.isnan(end) else end)))
                names.append(name)
            advance()
    if not prints:
        return set()
    return {names[one] for one, _ in same_content(np.stack(prints), trained)}


def _skipped(recordings: Recordings) -> dict[str, str]:
    """Changes that cannot be made, and why."""
    lacks = missing_codecs()
    if not recordings.noises:
        lacks["noise"] = "no folder of noise was given (--noise)"
    rooms = {"short_rooms": recordings.short_rooms, "long_rooms": recordings.long_rooms}
    for kind, files in rooms.items():
        if not files:
            lacks[kind] = "no impulse response of this kind was given (--rooms)"
    return {name: lacks[one.needs] for name, one in CHANGES.items() if one.needs in lacks}


def _identity(task: Task, progress: Progress) -> dict[str, Any]:
    """What the answers depend on, by the names that a message gives to it."""
    heard = [Path(file) for file in dict.fromkeys(one.file for one in task.utterances)]
    mixed = [path for paths in vars(task.recordings).values() for path in paths]
    spans = [(one.name, one.start, one.end, one.speaker) for one in task.utterances]
    with progress("comparing audio files", len(heard) + len(mixed)) as advance:
        return {
            "model": task.recognizer.config.sha256.get(ONNX),
            "threshold": task.recognizer.threshold,
            "temperature": task.recognizer.config.temperature,
            "utterances": hashlib.sha256(json.dumps(spans).encode()).hexdigest(),
            "audio": hash_of_all(heard, advance),  # those that cannot be read are reported later
            "noises or rooms": hash_of_all(mixed, advance),
            "changes": list(task.changes),
            "seed": task.seed,
            "version of emotone": version("emotone"),
        }


class _Answers:
    """The file of answers: a line that says of what, then one per utterance, in their order.

    Raises:
        UsageError: if the file holds the answers of another audit.
    """

    def __init__(self, path: Path, identity: dict[str, Any]) -> None:
        self.path, self.identity = path, identity
        if path.exists():
            first = path.read_bytes().partition(b"\n")[0]
            try:
                found = json.loads(first)
            except ValueError:
                found = None
            if found != identity:
                there = found if isinstance(found, dict) else identity
                others = [name for name, value in identity.items() if there.get(name) != value]
                which = f" (of other {', '.join(others)})" if others else ""
                raise UsageError(f"{path.parent} holds another audit{which}; choose an empty --out")

    def complete(self, task: Task, jobs: int, progress: Progress) -> None:
        """Make the answers that are missing."""
        try:
            missing = range(self._repair(), len(task.utterances))
            with (
                self.path.open("a", encoding="utf-8") as file,
                progress("recognising utterances", len(missing)) as advance,
            ):
                if not self.path.stat().st_size:
                    _write_line(file, json.dumps(self.identity))
                for answers in _made(task, missing, jobs):
                    for one in answers:
                        _write_line(file, ANSWER.dump_json(one).decode())
                        advance()
        except OSError as error:
            raise StorageError(
                f"cannot write {self.path}: {error.strerror}; free some space, then run the same "
                "command again: finished work is kept"
            ) from error

    def __iter__(self) -> Iterator[Answer]:
        with self.path.open(encoding="utf-8", errors="replace") as file:
            next(file)
            for number, line in enumerate(file, start=2):
                try:
                    yield ANSWER.validate_json(line)
                except ValueError as error:
                    raise UsageError(
                        f"{self.path}: line {number} is damaged; remove the file, then the same "
                        "command makes the answers again"
                    ) from error

    def _repair(self) -> int:
        """Cut off a line that was not finished; returns the number of answers."""
        if not self.path.exists():
            return 0
        whole = lines = 0
        with self.path.open("rb+") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    break
                whole, lines = whole + len(line), lines + 1
            file.truncate(whole)
        return max(lines - 1, 0)


def _write_line(file: IO[str], text: str) -> None:
    file.write(text + "\n")
    file.flush()


def _made(task: Task, numbers: Sequence[int], jobs: int) -> Iterator[list[Answer]]:
    """Answer utterances in order, in this process or in several."""
    calls = [numbers[start : start + PER_CALL] for start in range(0, len(numbers), PER_CALL)]
    if jobs == 1 or len(calls) < 2:
        for call in calls:
            yield answer(task, call)
        return
    executor = ProcessExecutor(jobs)
    try:
        for _, future in map_in_order(executor, answer, calls, executor.share(task)):
            yield future.result()
    finally:
        executor.close()


def _scored(
    recognizer: Recognizer,
    corpus: Corpus,
    table: pd.DataFrame,
    stored: _Answers,
    task: Task,
    notes: Sequence[str],
) -> Audit:
    problems = [one.problem for one in stored if one.problem]
    if len(problems) == len(table):
        raise AudioError(f"no utterance of {corpus.name} gets an answer: {problems[0]}")
    count = f"{plural(len(problems), 'utterance')} {agree(len(problems), 'get')}"
    unanswered = [f"{count} no answer: {'; '.join(problems[:LISTED])}"]
    answers = scoring.gather(table, stored, recognizer.labels, task.changes)
    speakers = answers.table.drop_duplicates("speaker")
    subject = Subject(
        model=recognizer.folder.name,
        labels=tuple(recognizer.labels),
        threshold=recognizer.threshold,
        corpus=corpus.name,
        utterances=len(answers.table),
        speakers=len(speakers),
        known_speakers=int(speakers["known"].sum()),
        synthetic="synthetic" in set(answers.table["corpus"]),
        seed=task.seed,
        notes=(*notes, *(unanswered if problems else [])),
        versions={"python": platform.python_version()} | {name: version(name) for name in VERSIONS},
    )
    return Audit(
        subject=subject,
        clean=scoring.clean(answers),
        robustness=tuple(scoring.effect(answers, name) for name in task.changes),
        fairness=scoring.fairness(answers),
        calibration=scoring.reliability(answers),
        coverage=scoring.coverage(answers),
        non_speech=scoring.sounds(answer_sounds(task)),
    )
