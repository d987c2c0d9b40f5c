"""Soft labels from the predictions of another model over the same corpus (knowledge distillation).

After Hinton, Vinyals & Dean (NIPS 2014 workshop). A prediction counts only if the teacher that made
it was trained neither on the speaker who is heard nor on the test speakers of the student's fold:
through a teacher that was, the student would learn from test speakers.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field, model_validator

from emotone import safe_yaml
from emotone.corpora import Corpus, CorpusOptions
from emotone.errors import EmotoneError, FoldError, UsageError
from emotone.evaluation.folds import Fold
from emotone.evaluation.results_folder import ResultsFolder
from emotone.evaluation.run_folder import PROBABILITY
from emotone.options import Options

SECTIONS = ("training", "pretraining")  # of a configuration
NEEDED = ("utterance", "fold", "speaker", "truth")  # columns of predictions
TRAINED_ON = ("training", "validation")  # roles
LEAST = 1e-6  # the probabilities of a table are rounded to this


class TeacherOptions(Options):
    """Where soft labels come from, and how much they count.

    Attributes:
        results: results folder of a finished experiment over the same corpus.
        sha256: hash of its predictions and folds; filled in automatically.
        weight: share of the soft label in the label of an utterance; the rest is the true one.
        temperature: flattens the teacher's probabilities, to their power of ``1 / temperature``.
    """

    results: Path | None = None
    sha256: str | None = None
    weight: float = Field(0.5, gt=0, le=1)
    temperature: float = Field(1.0, gt=0)

    @model_validator(mode="before")
    @classmethod
    def _folder_alone(cls, given: Any) -> Any:
        return {"results": given} if isinstance(given, str | Path) else given

    @model_validator(mode="after")
    def _known(self) -> "TeacherOptions":
        if self.results is not None:
            try:
                folder = ResultsFolder(self.results)
                folder.results()
                found = _hash(folder)
            except EmotoneError as error:
                raise ValueError(str(error)) from error
            object.__setattr__(self, "sha256", found)
        elif self.sha256 is None:
            raise ValueError("give the results folder of the teacher")
        return self


@dataclass(frozen=True)
class Teacher:
    """The predictions of a teacher for a corpus.

    Attributes:
        name: what messages call it.
        title: name of its model, for reports.
        corpus: the student's corpus.
        predictions: rows with ``number`` (of the utterance), ``fold`` and ``p_…`` of the labels.
        heard: names of the speakers in the training of each of its folds.
        texts: the same for sentences; ``None`` for a fold that lists none.
        options: weight and temperature.
    """

    name: str
    title: str
    corpus: Corpus
    predictions: pd.DataFrame
    heard: Mapping[str, frozenset[str]]
    texts: Mapping[str, frozenset[str] | None]
    options: TeacherOptions

    def soft_labels(self, fold: Fold) -> NDArray[np.float32]:
        """Soft labels for the training utterances of a fold.

        Returns:
            Shape ``(utterances, labels)`` for the whole corpus, zero for other utterances.

        Raises:
            FoldError: if there is none for an utterance, since every teacher that predicted it
                was trained on its speaker or on test speakers of the fold.
        """
        usable = [name for name in self.heard if self._is_usable(name, fold)]
        speakers = self.corpus.table["speaker"].to_numpy()
        rows = self.predictions[self.predictions["fold"].isin(usable)]
        strange = [
            speakers[number] not in self.heard[name]
            for number, name in zip(rows["number"], rows["fold"], strict=True)
        ]
        columns = [PROBABILITY + label for label in self.corpus.labels]
        means = rows[np.array(strange, bool)].groupby("number")[columns].mean()
        missing = sorted(set(fold.training) - set(means.index))
        if missing:
            raise FoldError(self._refusal(fold, missing))
        flat = means.loc[list(fold.training)].to_numpy().clip(LEAST) ** (
            1 / self.options.temperature
        )
        labels = np.zeros((len(speakers), len(columns)), np.float32)
        labels[list(fold.training)] = flat / flat.sum(axis=1, keepdims=True)
        return labels

    def _is_usable(self, name: str, fold: Fold) -> bool:
        """Whether a fold of the teacher saw nothing that this fold tests."""
        if self.heard[name] & set(fold.speakers["test"]):
            return False
        if not fold.text_independent or fold.texts is None:
            return True
        texts = self.texts[name]
        return texts is not None and not texts & set(fold.texts["test"])

    def _refusal(self, fold: Fold, missing: Sequence[int]) -> str:
        names = self.corpus.table["utterance"]
        if unknown := sorted(set(missing) - set(self.predictions["number"])):
            return (
                f"training.teacher: fold {fold.name}: {self.name} has no prediction at all for "
                f"{len(unknown)} of {len(fold.training)} training utterances, such as "
                f"{names.iloc[unknown[0]]}; make its results on this corpus, as it is here"
            )
        utterance = names.iloc[missing[0]]
        what = "speakers or sentences" if fold.text_independent else "speakers"
        return (
            f"training.teacher: fold {fold.name}: {self.name} has no prediction that may be used "
            f"for {len(missing)} of {len(fold.training)} training utterances, such as {utterance}: "
            f"the teachers that made them were trained on its speaker or on test {what} of this "
            f"fold ({', '.join(fold.speakers['test'])}). Make the teacher's results with "
            "protocol.nested=3, or train it on other corpora (protocol.name=cross_corpus)"
        )


def read_teacher(
    options: TeacherOptions, corpus: Corpus, asked: Sequence[CorpusOptions]
) -> Teacher:
    """Read the teacher of an experiment.

    Args:
        options: where it is.
        corpus: the student's corpus.
        asked: options of the student's corpora.

    Raises:
        UsageError: if its results are of another corpus, of other speech under the same names, or
            lack a label, or it cannot be known what it was trained on.
    """
    if options.results is None:
        raise UsageError(
            "training.teacher: this configuration does not say where its teacher is; set "
            "training.teacher.results=FOLDER"
        )
    folder = ResultsFolder(options.results)
    config = _configuration(folder)
    _refuse_unknown_origin(folder, config)
    _refuse_other_speech(folder, config, asked)
    predictions, prefix = folder.predictions(), f"{corpus.name}/"
    if missing := [name for name in NEEDED if name not in predictions.columns]:
        raise UsageError(
            f"training.teacher: the predictions in {folder} are damaged: no column {missing[0]}; "
            "copy the folder again"
        )
    names = predictions["utterance"].str.removeprefix(prefix)
    numbers = pd.Series(corpus.table.index, index=corpus.table["utterance"])
    predictions = predictions.assign(number=names.map(numbers)).dropna(subset=["number"])
    predictions["number"] = predictions["number"].astype(int)
    columns = [PROBABILITY + label for label in corpus.labels]
    if difference := _difference(predictions, corpus, prefix):
        raise UsageError(
            f"training.teacher: {folder} holds predictions for another corpus than {corpus.name}: "
            f"{difference}"
        )
    if missing := [name for name in columns if name not in predictions.columns]:
        raise UsageError(
            f"training.teacher: {folder} has no probability of "
            f"{', '.join(name.removeprefix(PROBABILITY) for name in missing)}, a label of "
            f"{corpus.name}"
        )
    heard, texts = _training_of(folder, prefix)
    return Teacher(
        str(folder),
        folder.results().system.title,
        corpus,
        predictions[["number", "fold", *columns]],
        heard,
        texts,
        options,
    )


def _difference(predictions: pd.DataFrame, corpus: Corpus, prefix: str) -> str:
    """How predictions differ from those for a corpus; empty if utterances and speakers match."""
    if predictions.empty:
        return "no utterance has the same name"
    own = corpus.table.iloc[predictions["number"]]
    if (predictions["truth"].to_numpy() != own["emotion"].to_numpy()).any():
        return "labels differ"
    speakers = predictions["speaker"].str.removeprefix(prefix)
    return "speakers differ" if (speakers.to_numpy() != own["speaker"].to_numpy()).any() else ""


def _training_of(
    folder: ResultsFolder, prefix: str
) -> tuple[dict[str, frozenset[str]], dict[str, frozenset[str] | None]]:
    """Speakers and sentences in the training of each fold, see :class:`Teacher`."""
    try:
        folds = {fold["name"]: fold for fold in json.loads(folder.folds() or "{}")["folds"]}
        heard = {name: _of_training(fold, "speakers", prefix) for name, fold in folds.items()}
        texts = {
            name: _of_training(fold, "texts", "") if "texts" in fold["training"] else None
            for name, fold in folds.items()
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"training.teacher: {folder} has no readable list of folds, so it cannot be known what "
            "it was trained on; copy the whole results folder, or use another one"
        ) from error
    return heard, texts


def _of_training(fold: Mapping[str, Any], what: str, prefix: str) -> frozenset[str]:
    """Names of what a fold was trained on; those of validation speakers chose the epoch."""
    return frozenset(name.removeprefix(prefix) for role in TRAINED_ON for name in fold[role][what])


def _configuration(folder: ResultsFolder) -> dict[str, Any]:
    """The configuration of a teacher.

    Raises:
        UsageError: if it is damaged.
    """
    refusal = f"training.teacher: the configuration in {folder} is damaged"
    config = safe_yaml.parsed(folder.configuration(), refusal)
    sections = [config.get(name) or {} for name in SECTIONS] if isinstance(config, dict) else []
    if not sections or not all(isinstance(section, dict) for section in sections):
        raise UsageError(f"{refusal}: it has no sections; copy the folder again")
    return dict(config)


def _refuse_other_speech(
    folder: ResultsFolder, config: Mapping[str, Any], asked: Sequence[CorpusOptions]
) -> None:
    """Raise a :class:`UsageError` for a teacher of other speech under the same names."""
    given = config.get("corpus")
    for theirs in given if isinstance(given, list) else [given]:
        for ours in asked:
            if not isinstance(theirs, dict) or theirs.get("name") != ours.name:
                continue
            for option in ours.decides_speech:
                found, wanted = theirs.get(option), getattr(ours, option)
                if found != wanted:
                    raise UsageError(
                        f"training.teacher: {folder} is of other speakers with the same names: "
                        f"corpus.{option}={found}, here {wanted}; use a teacher of this corpus"
                    )


def _refuse_unknown_origin(folder: ResultsFolder, config: Mapping[str, Any]) -> None:
    """Raise a :class:`UsageError` for a teacher that had a teacher, or was tested on its past."""
    training, before = (config.get(name) or {} for name in SECTIONS)
    reason = ""
    if training.get("teacher"):
        reason = "it had a teacher itself, which may have heard anybody"
    elif before.get("allow_overlap"):
        reason = "it started from a model that was trained on this corpus (allow_overlap)"
    if reason:
        raise UsageError(f"training.teacher: {folder} cannot teach: {reason}; use another one")


def _hash(folder: ResultsFolder) -> str:
    """Hash of what soft labels depend on."""
    digest = hashlib.sha256((folder.folds() or "").encode())
    digest.update(folder.predictions().to_csv(index=False).encode())
    return digest.hexdigest()
