"""Ablations: variants of an experiment over the same folds and seeds, compared in pairs."""

import json
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from numpy.typing import NDArray
from pydantic import Field, ValidationError, model_validator

from emotone import corpora
from emotone.errors import UsageError
from emotone.evaluation import metrics
from emotone.evaluation import summary as evaluation
from emotone.evaluation.folds import make_folds
from emotone.experiments import config
from emotone.experiments import crossval as experiment
from emotone.experiments.config import ExperimentConfig
from emotone.experiments.crossval import RESULTS, SPECTROGRAMS
from emotone.experiments.runs import PREDICTIONS, RUN, Experiment, Observer, Run, jobs_of, run_all
from emotone.files import write_text
from emotone.models.opensmile_svm import OpensmileSvmOptions
from emotone.options import Options, nearest
from emotone.training.spectrograms import delete_cache

ABLATION, VARIANTS = "ablation.yaml", "variants"
VARIED = ("features", "model", "training", "pretraining", "seeds")  # what a variant may change
SECONDS_PER_HOUR = 3600


class AblationFile(Options):
    """What an ablation's YAML file says.

    Attributes:
        extends: another such file beside it, whose sections this one's add to or replace.
        base: an experiment, in the sections of :class:`ExperimentConfig`.
        ingredients: named changes of the base, each a mapping of options such as
            ``model.summary: mean``.
        variants: rows of the table, in order: each a list of ingredients and further changes.
        references: variants that all others are compared with.
    """

    extends: str | None = None
    base: dict[str, Any]
    ingredients: dict[str, dict[str, Any]] = Field(default_factory=dict)
    variants: dict[str, list[str | dict[str, Any]]] = Field(min_length=2)
    references: tuple[str, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_are_known(self) -> "AblationFile":
        for variant, parts in self.variants.items():
            for part in parts:
                if isinstance(part, str) and part not in self.ingredients:
                    raise ValueError(
                        f"variant '{variant}': unknown ingredient '{part}'"
                        f"{nearest(part, self.ingredients)}; known are "
                        f"{', '.join(self.ingredients) or 'none'}"
                    )
        for name in self.references:
            if name not in self.variants:
                raise ValueError(
                    f"references: unknown variant '{name}'{nearest(name, self.variants)}; "
                    f"known are {', '.join(self.variants)}"
                )
        if len(set(self.references)) < len(self.references):
            raise ValueError("references: name each variant once")
        return self


@dataclass(frozen=True)
class Ablation:
    """Variants of an experiment, checked.

    Attributes:
        base: the experiment that all are variants of.
        variants: the rows of the table.
        references: names of the variants that the others are compared with.
    """

    base: ExperimentConfig
    variants: dict[str, ExperimentConfig]
    references: tuple[str, ...]

    def identity(self) -> dict[str, Any]:
        """What makes two ablations the same; see :meth:`ExperimentConfig.identity`."""
        return {name: variant.identity() for name, variant in self.variants.items()}


def load(path: Path, overrides: Sequence[str] = ()) -> Ablation:
    """Read an ablation's YAML file and apply ``key=value`` to its base.

    Raises:
        UsageError: if the file is missing or wrong, an ingredient, a variant or an option is
            unknown, or a variant changes nothing or is equal to another.
    """
    values = _extended(path, ())
    for override in overrides:
        values.setdefault("base", {})
        config.set_option(values["base"], override)
    if "variants" not in values:
        raise UsageError(
            f"{path}: no variants; this is not an ablation. Give one such as "
            "experiments/ablation-emodb.yaml, or use emotone crossval"
        )
    try:
        file = AblationFile.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        raise UsageError(f"{path}: {place + ': ' if place else ''}{message}") from error
    base = config.checked(file.base, str(path))
    variants: dict[str, ExperimentConfig] = {}
    for name, parts in file.variants.items():
        changes: dict[str, Any] = {}
        for part in parts:
            changes |= file.ingredients[part] if isinstance(part, str) else part
        variants[name] = _varied(file.base, changes, f"{path}: variant '{name}'")
        if changes and variants[name].identity() == base.identity():
            raise UsageError(f"{path}: variant '{name}' changes nothing; leave it out")
        for other, settings in variants.items():
            if other == name:
                continue
            if folder_name(other) == folder_name(name):
                raise UsageError(
                    f"{path}: variants '{other}' and '{name}' would share the folder "
                    f"{folder_name(name)}; rename one"
                )
            if settings.identity() == variants[name].identity():
                raise UsageError(
                    f"{path}: variants '{other}' and '{name}' are equal; leave one out"
                )
        if strangers := set(variants[name].seeds) - set(base.seeds):
            raise UsageError(
                f"{path}: variant '{name}' asks for seed {min(strangers)}, which the base has not; "
                f"a variant may have fewer seeds, of {list(base.seeds)}"
            )
    return Ablation(base, variants, file.references)


def ablate(
    ablation: Ablation,
    out: Path,
    observer: Observer,
    hours: float | None = None,
    only: Sequence[str] = (),
) -> dict[str, Any]:
    """Run all variants, folds and seeds of an ablation, or what is left of it.

    The first seed of all variants comes first, so that a table can be made early. Each variant is
    a results folder of its own in ``variants``.

    Args:
        ablation: what to run.
        out: results folder; one that holds the same ablation, or some variants less, is continued.
        observer: is told of progress.
        hours: when to stop, unfinished; what is there then is a valid part of the table.
        only: names of the variants to run; the audio of others is not read. Empty for all.

    Returns:
        The contents of ``results.json``, see :func:`table`.

    Raises:
        UsageError: if ``out`` holds something else or a variant of ``only`` is unknown; nothing is
            changed then.
        CorpusError, FoldError: if the corpus cannot be used.
        StorageError: if results cannot be written.
        InterruptedRunError: after Ctrl-C.
    """
    for name in only:
        if name not in ablation.variants:
            raise UsageError(
                f"--only: unknown variant '{name}'{nearest(name, ablation.variants)}; "
                f"known are {', '.join(ablation.variants)}"
            )
    chosen = set(only) or set(ablation.variants)
    deadline = time.monotonic() + (math.inf if hours is None else hours * SECONDS_PER_HOUR)
    with experiment.locked(out):
        _refuse_other_ablation(ablation, out)
        corpus = corpora.read_all(ablation.base.corpus)
        folds = make_folds(corpus, ablation.base.protocol)
        observer.corpus(corpus, folds)
        write_text(out / ABLATION, yaml.safe_dump(ablation.identity(), sort_keys=False))
        cache = out / SPECTROGRAMS
        experiments = [
            experiment.prepare(variant, corpus, folds, out / VARIANTS / folder_name(name), name)
            for name, variant in ablation.variants.items()
        ]
        experiments = [
            experiment.read_audio(variant, cache, observer)
            if variant.name in chosen and not variant.is_finished
            else variant
            for variant in experiments
        ]
        runs = [
            run
            for seed, variant in product(ablation.base.seeds, experiments)
            if seed in variant.config.seeds and variant.name in chosen
            for run in variant.steps(seed)
        ]
        jobs = jobs_of(ablation.base)
        try:
            run_all(runs, jobs, observer, deadline)
        finally:
            results = _merge(ablation, experiments, out)
        if results["missing"] == 0:
            delete_cache(cache)
        return results


def folder_name(variant: str) -> str:
    """Name of a variant's folder: its letters and digits, the rest as single hyphens.

    >>> folder_name("all − training"), folder_name("baseline + summary")
    ('all-without-training', 'baseline-with-summary')
    """
    spoken = variant.replace("−", " without ").replace("+", " with ")
    letters = "".join(letter if letter.isalnum() else " " for letter in spoken)
    return "-".join(letters.lower().split())


def _extended(path: Path, before: tuple[Path, ...]) -> dict[str, Any]:
    """Values of a file, with those of the files that it extends; ``before`` are extending it."""
    before = (*before, path.resolve())
    values = config.read_yaml(path)
    extends = values.get("extends")
    if extends is None:
        return values
    if not isinstance(extends, str) or (path.parent / extends).resolve() in before:
        raise UsageError(f"{path}: extends must name another file beside it, got {extends!r}")
    return _merged(_extended(path.parent / extends, before), values)


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merged(merged[key], value) if both else value
    return merged


def _varied(base: dict[str, Any], changes: dict[str, Any], source: str) -> ExperimentConfig:
    values = json.loads(json.dumps(base, default=str))
    for key, value in changes.items():
        section = key.partition(".")[0]
        if section not in VARIED:
            raise UsageError(
                f"{source} changes {key}; variants share corpus, protocol and runtime, so that "
                f"they can be compared, and may change {', '.join(VARIED)}"
            )
        config.set_value(values, key, value, source)
    return config.checked(values, source)


def _refuse_other_ablation(ablation: Ablation, out: Path) -> None:
    path = out / ABLATION
    if not path.is_file():
        experiment.refuse_other_experiment(ablation.base, out)
        if (out / experiment.CONFIG).is_file():
            raise UsageError(f"{out} holds the results of a crossval; choose another --out")
        return
    try:
        there = yaml.safe_load(path.read_text(encoding="utf-8"))
        found = {
            name: ExperimentConfig.model_validate(values).identity()
            for name, values in there.items()
        }
    except (ValueError, AttributeError, yaml.YAMLError, OSError) as error:
        raise UsageError(
            f"{path} is not an ablation of this version of emotone; choose another --out"
        ) from error
    asked = ablation.identity()
    both = [name for name in asked if name in found]  # further variants may come
    differing = [f"variant '{name}' there, not asked" for name in found if name not in asked]
    differing += experiment.differences(
        {name: found[name] for name in both}, {name: asked[name] for name in both}
    )
    if differing:
        shown = "; ".join(differing[:3]) + ("; …" if len(differing) > 3 else "")
        raise UsageError(
            f"{out} holds another ablation ({shown}); nothing was changed. Choose another --out, "
            "or give the file and the options it was made with"
        )


def _merge(ablation: Ablation, experiments: Sequence[Experiment], out: Path) -> dict[str, Any]:
    """Put together what is finished."""
    for variant in experiments:
        whole = _whole_seeds(variant)
        if whole:
            runs = [run for run in variant.runs() if run.seed in whole]
            experiment.merge(variant, runs)
    results = table(ablation, experiments)
    write_text(out / RESULTS, json.dumps(results, indent=1, ensure_ascii=False))
    return results


def _whole_seeds(variant: Experiment) -> list[int]:
    """Seeds all of whose folds are finished; only they can be scored over the whole corpus."""
    return [
        seed
        for seed in variant.config.seeds
        if all(Run(variant, fold, seed).is_finished for fold in variant.folds)
    ]


def table(ablation: Ablation, experiments: Sequence[Experiment]) -> dict[str, Any]:
    """Make the table of an ablation from the results folders of its variants.

    A seed counts once all its folds are finished. Each row has the UAR and WAR pooled over folds,
    as mean and standard deviation over seeds, and for each reference the paired difference of the
    UAR over the seeds that both have, see :func:`emotone.evaluation.metrics.compare`. The one run
    of an SVM, in which nothing is random, stands for all seeds. P-values are corrected with Holm's
    method over all rows that are compared with a reference.
    """
    counts = {variant.name: _counts(variant) for variant in experiments}
    rows = [_row(variant, counts[variant.name]) for variant in experiments]
    paired = {
        variant.name: _for_all_seeds(variant, counts[variant.name], ablation.base.seeds)
        for variant in experiments
    }
    for reference in ablation.references:
        pairs = {}
        for row in rows:
            ours, theirs = paired[row["variant"]], paired[reference]
            seeds = sorted(ours.keys() & theirs.keys())
            if seeds and row["variant"] != reference:
                pairs[row["variant"]] = (
                    seeds,
                    metrics.compare(
                        np.stack([ours[seed] for seed in seeds]),
                        np.stack([theirs[seed] for seed in seeds]),
                    ),
                )
        corrected = metrics.holm([comparison.p for _, comparison in pairs.values()])
        for (variant, (seeds, comparison)), p_holm in zip(pairs.items(), corrected, strict=True):
            (row,) = [row for row in rows if row["variant"] == variant]
            row["differences"][reference] = {
                "seeds": seeds,
                "UAR": comparison.difference,
                "interval_95": [comparison.low, comparison.high],
                "p": comparison.p,
                "p_holm": p_holm,
            }
    first = experiments[0]
    return {
        "corpus": first.corpus.name,
        "synthetic": any(options.name == "synthetic" for options in ablation.base.corpus),
        "speaker_dependent": ablation.base.protocol.speaker_dependent,
        "labels": first.corpus.labels,
        "utterances": len(first.corpus.table),
        "speakers": len(first.corpus.speakers),
        "protocol": ablation.base.protocol.model_dump(mode="json"),
        "folds": len(first.folds),
        "seeds": list(ablation.base.seeds),
        "references": list(ablation.references),
        "missing": sum(row["runs"] - row["finished"] for row in rows),
        "rows": rows,
        "versions": experiment.versions(),
    }


def _counts(variant: Experiment) -> dict[int, NDArray[np.int64]]:
    """Confusion counts of each whole seed, shape ``(speakers, labels, labels)``."""
    seeds = _whole_seeds(variant)
    if not seeds:
        return {}
    text = {"utterance": str, "fold": str, "speaker": str}
    predictions = pd.read_csv(variant.out / PREDICTIONS, dtype=text)
    finished = predictions[predictions["seed"].isin(seeds)]
    return evaluation.confusions_by_seed(finished, variant.corpus.labels)


def _for_all_seeds(
    variant: Experiment, counts: dict[int, NDArray[np.int64]], seeds: Sequence[int]
) -> dict[int, NDArray[np.int64]]:
    """Let the one run of a model in which nothing is random stand for all seeds."""
    if isinstance(variant.config.model, OpensmileSvmOptions) and len(counts) == 1:
        (only,) = counts.values()
        return dict.fromkeys(seeds, only)
    return counts


def _row(variant: Experiment, counts: dict[int, NDArray[np.int64]]) -> dict[str, Any]:
    runs = variant.runs()
    finished = [run for run in runs if run.is_finished]
    details = [json.loads((run.folder / RUN).read_text("utf-8")) for run in finished]
    epochs = [run["epochs"] for run in details if "epochs" in run]
    row: dict[str, Any] = {
        "variant": variant.name,
        "folder": f"{VARIANTS}/{folder_name(variant.name)}",
        "kind": variant.config.model.kind,
        "is_default": _is_default(variant.config),
        "pretrained_on": variant.pretrained_on,
        "transductive": variant.config.features.norm == "speaker",
        "seeds": sorted(counts),
        "runs": len(runs),
        "finished": len(finished),
        "UAR": None,
        "WAR": None,
        "parameters": details[0]["parameters"] if details else None,
        "multiply_adds_per_s": details[0]["multiply_adds_per_s"] if details else None,
        "epochs": int(np.median(epochs)) if epochs else None,
        # the median, because runs that were paused or shared their core took longer
        "training_s": float(np.median([run["seconds"] for run in details])) if details else None,
        "differences": {},
    }
    if counts:
        pooled = [matrix.sum(axis=0) for matrix in counts.values()]
        everything = np.sum(list(counts.values()), axis=0)
        for name, rate_of in evaluation.RATES.items():
            rates = [float(rate_of(matrix)) for matrix in pooled]
            low, high = metrics.speaker_interval(everything, rate_of)
            row[name] = {
                "mean": float(np.mean(rates)),
                "std": float(np.std(rates, ddof=1)) if len(rates) > 1 else None,
                "of_seeds": rates,
                "interval_95": [low, high],
            }
    return row


def _is_default(variant: ExperimentConfig) -> bool:
    plain = ExperimentConfig(corpus=variant.corpus, protocol=variant.protocol, seeds=variant.seeds)
    return plain.identity() == variant.identity()
