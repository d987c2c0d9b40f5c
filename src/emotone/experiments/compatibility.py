"""Checks whether a results folder or a model fits an experiment; errors name the differences."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from emotone import safe_yaml
from emotone.corpora import Corpus
from emotone.errors import UsageError
from emotone.evaluation.results_folder import CONFIG, ResultsFolder
from emotone.experiments.audit_selection import had_role
from emotone.experiments.config import ExperimentConfig
from emotone.inference import model_folder
from emotone.inference.model_folder import ModelConfig
from emotone.models.registry import options_of
from emotone.models.weights import weights_of
from emotone.options import differences
from emotone.text import plural

SHOWN = 3  # differences named
OF_A_NETWORK = ("corpus", "features", "model", "training", "pretraining")


def configuration_of(folder: ResultsFolder) -> ExperimentConfig:
    """Configuration of the experiment in a results folder.

    Raises:
        UsageError: if there is none of this version of emotone.
    """
    if not folder.path.exists():
        raise UsageError(f"{folder} does not exist; give the --out folder of emotone crossval")
    try:
        return ExperimentConfig.model_validate(safe_yaml.parsed(folder.configuration(), CONFIG))
    except (ValueError, UsageError) as error:
        raise UsageError(
            f"{folder} holds no results of this version of emotone; give another folder"
        ) from error


def refuse_other_experiment(config: ExperimentConfig, folder: ResultsFolder) -> None:
    """Raise a :class:`UsageError` if a folder holds anything but this experiment.

    Seeds may be added. A folder in which no run has begun holds nothing yet.
    """
    if not folder.is_experiment:
        folder.refuse_other_files()
        return
    started = folder.started_seeds()
    if started is not None and not started:
        return  # a run that was refused has left it
    found = configuration_of(folder).identity()
    if started is not None and started <= set(config.seeds):  # nothing of the others has run
        found["seeds"] = sorted(started)
    if differing := differences_but_seeds(found, config.identity()):
        raise UsageError(
            f"{folder} holds another experiment ({', '.join(differing)}); nothing was changed. "
            "Choose another --out, or give the options it was made with"
        )


def differences_but_seeds(found: Mapping[str, Any], asked: Mapping[str, Any]) -> list[str]:
    """Say where two experiments differ, other than by seeds that are added."""
    if set(found["seeds"]) <= set(asked["seeds"]):
        found = {**found, "seeds": asked["seeds"]}
    return differences(found, asked)


def refuse_other_network(config: ExperimentConfig, folder: ResultsFolder) -> None:
    """Raise a :class:`UsageError` if a results folder is not of the network of ``config``."""
    ours, theirs = config.identity(), configuration_of(folder).identity()
    if differing := differences(
        {key: theirs[key] for key in OF_A_NETWORK}, {key: ours[key] for key in OF_A_NETWORK}
    ):
        raise UsageError(
            f"{folder} holds results of another network: {'; '.join(differing[:SHOWN])}"
        )


def refuse_unfit_model(config: ExperimentConfig, corpus: Corpus) -> None:
    """Raise unless networks of ``config`` can start from ``pretraining.model``.

    Args:
        config: configuration of the experiment.
        corpus: corpus that is tested.

    Raises:
        UsageError: if the model is another network; if it knows none of the labels, which
            ``pretraining.allow_other_labels`` allows; or if it was trained on speakers of the
            corpus, which ``pretraining.allow_overlap`` allows.
        ModelError: if it is damaged.
    """
    asked = config.pretraining
    assert asked is not None
    folder = model_folder.locate(asked.model)
    model = model_folder.read(folder)
    weights_of(folder, model)
    names = ("features", "model")
    there, here = (
        {name: part.model_dump(mode="json") for name, part in zip(names, both, strict=True)}
        for both in (options_of(model), (config.features, config.model))
    )
    if differing := differences(there, here):
        raise UsageError(
            f"pretraining.model: {folder.name} has another network "
            f"({'; '.join(differing[:SHOWN])}); give its options, or pre-train with these"
        )
    if not asked.allow_other_labels and not set(model.labels) & set(corpus.labels):
        raise UsageError(
            f"pretraining.model: {folder.name} knows {', '.join(model.labels)}, none of the labels "
            f"of {corpus.name} ({', '.join(corpus.labels)}); pre-train on corpora that have some, "
            "or set pretraining.allow_other_labels=true"
        )
    shared = sorted(corpus.table.loc[_heard(corpus, model), "speaker"].unique())
    if shared and not asked.allow_overlap:
        shown = f"{', '.join(shared[:SHOWN])}{', …' * (len(shared) > SHOWN)}"
        raise UsageError(
            f"pretraining.model: {folder.name} was trained on {plural(len(shared), 'speaker')} of "
            f"{corpus.name} ({shown}); leave them out (corpus.exclude), or set "
            "pretraining.allow_overlap=true (with adapt, it is adapt --allow-overlap)"
        )


def _heard(corpus: Corpus, model: ModelConfig) -> pd.Series:
    """Whether a model was trained on the speaker of each row, or chosen on them."""
    if "speakers" not in model.training:  # so any speaker of its corpora may be one
        return corpus.table["corpus"].isin(model.training["corpora"])
    training, validation = (
        had_role(corpus.table, model, role) for role in ("training", "validation")
    )
    return training | validation
