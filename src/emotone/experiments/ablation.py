"""Ablations: variants of an experiment over the same folds and seeds, compared in pairs."""

from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np
import yaml

from emotone import corpora, safe_yaml
from emotone.errors import UsageError
from emotone.evaluation import metrics, scoring
from emotone.evaluation.folds import make_folds
from emotone.evaluation.results import AblationResults, AblationRow, PairedDifference, Rates
from emotone.evaluation.results_folder import ABLATION, VARIANTS, ResultsFolder
from emotone.evaluation.scoring import Counts
from emotone.experiments.compatibility import differences_but_seeds, refuse_other_experiment
from emotone.experiments.config import ExperimentConfig
from emotone.experiments.crossval import merge_results, prepare, read_audio, setting, system
from emotone.experiments.execution import deadline_after, run_all
from emotone.experiments.plan import SILENT, Experiment, Observer
from emotone.experiments.variants import Ablation, folder_name
from emotone.options import nearest
from emotone.training.spectrograms import delete_cache

__all__ = ["ablate"]


def ablate(
    ablation: Ablation,
    out: Path,
    observer: Observer = SILENT,
    hours: float | None = None,
    only: Sequence[str] = (),
) -> AblationResults:
    """Run all variants, folds and seeds of an ablation that are not finished.

    The first seed of all variants comes first, so that a table can be made early. Each variant is
    a results folder of its own in ``variants``.

    Args:
        ablation: what to run.
        out: results folder; resumes if it holds the same ablation, or one with fewer variants or
            seeds.
        observer: progress callbacks.
        hours: time limit; the table is then incomplete, but valid.
        only: names of the variants to run; the audio of others is not read. Empty for all.

    Raises:
        UsageError: if ``out`` holds something else, a variant of ``only`` is unknown or ``hours``
            is no time; nothing is changed then.
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
    deadline = deadline_after(hours)
    chosen = set(only) or set(ablation.variants)
    folder = ResultsFolder(out)
    with folder.locked():
        _refuse_other_ablation(ablation, folder)
        experiments = _prepared(ablation, folder, chosen, observer)
        runs = [
            run
            for seed, variant in product(ablation.base.seeds, experiments)
            if seed in variant.config.seeds and variant.name in chosen
            for run in variant.runs_of(seed)
        ]
        try:
            run_all(runs, ablation.base.runtime, observer, deadline)
        finally:
            results = _merge_results(ablation, experiments, folder)
        if results.missing == 0:
            delete_cache(folder.spectrograms)
        return results


def _prepared(
    ablation: Ablation, folder: ResultsFolder, chosen: set[str], observer: Observer
) -> list[Experiment]:
    """Experiments of all variants; those to be run have their data."""
    corpus = corpora.read_all(ablation.base.corpus)
    folds = make_folds(corpus, ablation.base.protocol)
    observer.corpus(corpus, folds)
    folder.write_ablation(yaml.safe_dump(ablation.identity(), sort_keys=False))
    experiments = [
        prepare(variant, corpus, folds, folder.variant(place_of(name)), name)
        for name, variant in ablation.variants.items()
    ]
    beside = [variant.folder for variant in experiments]
    return [
        read_audio(variant, folder.spectrograms, observer, beside)
        if variant.name in chosen and not variant.is_finished
        else variant
        for variant in experiments
    ]


def place_of(variant: str) -> str:
    """Results folder of a variant, relative to that of the ablation."""
    return f"{VARIANTS}/{folder_name(variant)}"


def _refuse_other_ablation(ablation: Ablation, folder: ResultsFolder) -> None:
    if not folder.is_ablation:
        refuse_other_experiment(ablation.base, folder)
        if folder.is_experiment:
            raise UsageError(f"{folder} holds the results of a crossval; choose another --out")
        return
    claimed = (folder.path / VARIANTS).glob("*")
    if all(ResultsFolder(variant).started_seeds() == set() for variant in claimed):
        return  # a run that was refused has left it
    try:
        there = safe_yaml.parsed(folder.ablation(), ABLATION)
        found = {
            name: ExperimentConfig.model_validate(values).identity()
            for name, values in there.items()
        }
    except (ValueError, AttributeError, UsageError) as error:
        raise UsageError(
            f"{folder} holds no ablation of this version of emotone; choose another --out"
        ) from error
    asked = ablation.identity()
    both = [name for name in asked if name in found]  # variants may be added
    differing = [f"variant '{name}' found, not requested" for name in found if name not in asked]
    differing += [
        f"{name}.{one}" for name in both for one in differences_but_seeds(found[name], asked[name])
    ]
    if differing:
        shown = "; ".join(differing[:3]) + ("; …" if len(differing) > 3 else "")
        raise UsageError(
            f"{folder} holds another ablation ({shown}); nothing was changed. Choose another "
            "--out, or give the file and the options it was made with"
        )


def _merge_results(
    ablation: Ablation, experiments: Sequence[Experiment], folder: ResultsFolder
) -> AblationResults:
    """Write the results of all seeds that are finished, of each variant and of the ablation."""
    for variant in experiments:
        if whole := variant.whole_seeds():
            merge_results(variant, whole)
    results = table(ablation, experiments)
    folder.write_results(results)
    return results


def table(ablation: Ablation, experiments: Sequence[Experiment]) -> AblationResults:
    """Make the table of an ablation from the results folders of its variants.

    A seed counts once all its folds are finished. Differences are paired over the seeds that a
    variant and a reference both have, see :func:`emotone.evaluation.metrics.compare`. The one run
    of a deterministic model stands for all seeds. P-values are corrected with Holm's method over
    all rows that are compared with a reference.
    """
    counts = {variant.name: _counts(variant) for variant in experiments}
    paired = {
        variant.name: _for_all_seeds(variant, counts[variant.name], ablation.base.seeds)
        for variant in experiments
    }
    compared = {reference: _differences(paired, reference) for reference in ablation.references}
    return AblationResults(
        setting=setting(experiments[0], ablation.base.seeds),
        references=ablation.references,
        rows=tuple(
            _row(
                variant,
                {
                    reference: found[variant.name]
                    for reference, found in compared.items()
                    if variant.name in found
                },
            )
            for variant in experiments
        ),
    )


def _differences(paired: dict[str, Counts], reference: str) -> dict[str, PairedDifference]:
    """Difference of each variant to a reference, where they have seeds in common."""
    theirs = paired[reference]
    common = {
        variant: tuple(sorted(ours.keys() & theirs.keys()))
        for variant, ours in paired.items()
        if variant != reference
    }
    found = {
        variant: scoring.paired_difference(paired[variant], theirs)
        for variant, seeds in common.items()
        if seeds
    }
    corrected = metrics.holm([comparison.p for comparison in found.values()])
    return {
        variant: PairedDifference(**vars(comparison), seeds=common[variant], p_holm=p_holm)
        for (variant, comparison), p_holm in zip(found.items(), corrected, strict=True)
    }


def _counts(variant: Experiment) -> Counts:
    """Confusion counts of each seed that is finished."""
    seeds = variant.whole_seeds()
    if not seeds:
        return {}
    predictions = variant.folder.predictions()
    finished = predictions[predictions["seed"].isin(seeds)]
    return scoring.confusions_by_seed(finished, variant.corpus.labels)


def _for_all_seeds(variant: Experiment, counts: Counts, seeds: Sequence[int]) -> Counts:
    """Let the one run of a deterministic model stand for all seeds."""
    if variant.config.model.is_deterministic and len(counts) == 1:
        (only,) = counts.values()
        return dict.fromkeys(seeds, only)
    return counts


def _row(variant: Experiment, differences: dict[str, PairedDifference]) -> AblationRow:
    records = variant.records()
    seeds = variant.whole_seeds()
    rates, dimensions = None, {}
    if seeds:
        results = variant.folder.results()
        rates, dimensions = Rates(results.scores.uar, results.scores.war), results.dimensions
    epochs = [record.epochs for record in records if record.epochs is not None]
    return AblationRow(
        variant=variant.name,
        folder=place_of(variant.name),
        system=system(variant, records),
        is_default=_is_default(variant.config),
        seeds=tuple(seeds),
        runs=len(variant.runs()),
        finished=len(records),
        rates=rates,
        epochs=int(np.median(epochs)) if epochs else None,
        training_s=float(np.median([record.seconds for record in records])) if records else None,
        differences=differences,
        dimensions=dimensions,
    )


def _is_default(variant: ExperimentConfig) -> bool:
    plain = ExperimentConfig(corpus=variant.corpus, protocol=variant.protocol, seeds=variant.seeds)
    return plain.identity() == variant.identity()
