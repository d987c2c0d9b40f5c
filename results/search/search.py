"""Compare variants of the default on RAVDESS, so that no choice depends on EMO-DB.

Each variant is trained on three groups of eight actors (seven for training, one for validation) and
scored on the sixteen actors outside the group. Writes runs.csv, a row per run as it ends, and
docs/search.md; runs that are in runs.csv already are not computed again.

    python results/search/search.py FOLDER_OF_RAVDESS [--variants NAME…] [--groups 0 1] [--seeds 0]
"""

import argparse
import math
import multiprocessing
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch
import yaml

from emotone import corpora
from emotone.evaluation import metrics
from emotone.evaluation.results import AblationRow
from emotone.evaluation.results_folder import ResultsFolder
from emotone.experiments import config
from emotone.experiments.overrides import PRESETS
from emotone.features import Features
from emotone.models.kinds import NetworkKind
from emotone.reporting.rendering import percent
from emotone.training.hardware import keep_memory
from emotone.training.loop import Learner
from emotone.training.posteriors import posteriors
from emotone.training.spectrograms import load_or_compute

HERE = Path(__file__).parent
RUNS = HERE / "runs.csv"
RUNS_UNKNOWN = HERE / "unknown.csv"
PAGE = HERE.parents[1] / "docs" / "search.md"
ACTORS_PER_GROUP = 8
AGAIN = "the default, run again"
BASE = "emotone-base"  # of unknown.py
THEN = {"training.epochs": 60, "training.patience": 60}  # of the default before 120 were tried
INTRODUCTION = """# What was tried

Every choice behind the default was made on RAVDESS, and all except its 120 epochs before it was run
on EMO-DB. Each variant is trained on groups of 8 actors (7 for training, 1 for validation) and
scored on the 16 actors outside the group.
UAR in %, mean over runs (standard deviation over runs in brackets), by the rule that chooses the
epoch on the validation actor. The UAR of a run varies by about 3 points with its seed, which also
chooses the validation actor, so only large differences are meaningful. The last epoch is as good as
any rule based on the validation actor; therefore no validation set is used in the shipped
experiments on EMO-DB and RAVDESS. The code of variants without settings was not kept.

This is a record, which is not made again with `emotone search`: many of the variants were code that
is gone, not options, and a default chosen anew on RAVDESS would be chosen by those who know its
test results. Later choices are made on corpora that are not reported (`make choices`), and what a
search finds from a bad start is measured in `benchmarks/RESULTS-searching.md`.

Written by `python results/search/search.py FOLDER_OF_RAVDESS`; all runs are in
`results/search/runs.csv`, the settings in `results/search/variants.yaml`."""
LATER = """## Later

After the default had been run on EMO-DB: larger networks, longer training, and other ways to reduce
the variance of one network. The default of that time was run again with them; it has 60 epochs, as
all variants above unless they say otherwise. The difference is that of the last epochs, over common
groups and seeds, with its standard error over these runs."""
PRETRAINED = """## The pre-trained default

Size and fine-tuning of the pre-trained default are chosen on AESDD, EMOVO (leave-one-speaker-out)
and ASED (five groups of speakers), after pre-training on the six other corpora; EMO-DB, RAVDESS,
nEMO and SAVEE are tested with what was chosen. The row "pre-trained" is fine-tuned for 8 epochs at
a rate of 0.001. Chosen so far: 40 epochs at 0.002, as many as from scratch. UAR in %, mean over
seeds [95 % interval over speakers]; the last column is the mean over the corpora of the difference
to the row "pre-trained", over common seeds. Made by `make choices`."""
UNKNOWN = """## For unknown recordings

Variants of emotone-base, each tested on EMO-DB, RAVDESS, nEMO and EMOVO after training on the other
six corpora, for 12 epochs with at most 20 utterances of each speaker. This costs a fraction of a
whole training, and UARs are lower; what is kept is then measured
[on each left-out corpus](explanation/results.md#unseen-corpora). UAR in %, mean over seeds; NLL is
the mean over the corpora of the negative log-likelihood, less is better; the last column is the
mean over corpora and common seeds of the difference to emotone-base, with its standard error over
corpora. With 12 epochs, variants that only learn more slowly look worse than they are.

Made by `python results/search/unknown.py FOLDER_OF_CORPORA`; all runs are in
`results/search/unknown.csv`, the settings in `results/search/unknown.yaml`."""
CHOICES = {"aesdd": "AESDD", "emovo": "EMOVO", "ased": "ASED"}
KEPT = {"best epoch": 0.0, "within 1 standard error": 1.0, "within 2 standard errors": 2.0}
COLUMNS = ["variant", "group", "seed", *KEPT, "last epoch"]


def main() -> None:
    """Run what is missing and write the table."""
    variants = yaml.safe_load((HERE / "variants.yaml").read_text())
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("ravdess", type=Path, nargs="?")
    runnable = [name for name, variant in variants.items() if "changes" in variant]
    parser.add_argument("--variants", nargs="*", default=runnable, choices=runnable)
    parser.add_argument("--groups", nargs="+", type=int, default=[0, 1, 2], choices=range(3))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--page", action="store_true", help="only write docs/search.md")
    asked = parser.parse_args()
    if asked.page:
        write_page()
        return
    finished = finished_runs(RUNS)
    jobs = [
        (asked.ravdess, name, variants[name]["changes"], group, seed)
        for seed in asked.seeds
        for name in asked.variants
        for group in asked.groups
        if (name, group, seed) not in finished
    ]
    run_all(run, jobs, RUNS)
    write_page()


def finished_runs(path: Path) -> set[tuple[Any, ...]]:
    """Return what the first three columns of a file of runs say of each; none without a file."""
    if not path.exists():
        return set()
    return set(pd.read_csv(path).iloc[:, :3].itertuples(index=False, name=None))


def run_all(
    run: Callable[[Any], list[dict[str, Any]]], jobs: Sequence[Any], path: Path,
    processes: int | None = None,
) -> None:  # fmt: skip
    """Make runs, each in a process of its own; add the rows of each to a file as it ends."""
    with multiprocessing.get_context("spawn").Pool(processes, maxtasksperchild=1) as pool:
        for rows in pool.imap_unordered(run, jobs):
            print(*rows, sep="\n", flush=True)
            found = pd.DataFrame(rows)
            if path.exists():
                found = pd.concat([pd.read_csv(path), found], ignore_index=True)
            found.sort_values(list(found.columns[:3])).to_csv(path, index=False)


def as_overrides(changes: dict[str, Any]) -> list[str]:
    """Write the changes of a variant as on the command line, ``KEY=VALUE``."""
    return [f"{key}={yaml.safe_dump(value, default_flow_style=True).splitlines()[0]}"
            for key, value in changes.items()]  # fmt: skip


def write_page() -> None:
    """Write docs/search.md from all runs so far."""
    variants = yaml.safe_load((HERE / "variants.yaml").read_text(encoding="utf-8"))
    PAGE.write_text(page(pd.read_csv(RUNS), variants), encoding="utf-8")


def run(job: tuple[Path, str, dict[str, Any], int, int]) -> list[dict[str, Any]]:
    """Train one variant on one group; return a row with its UAR in % on the other actors."""
    root, name, changes, group, seed = job
    torch.set_num_threads(1)
    keep_memory()
    overrides = [f"corpus.root={root}", *as_overrides(THEN | changes)]
    asked = config.load(PRESETS / "ravdess.yaml", overrides)
    assert isinstance(asked.model, NetworkKind)
    corpus = corpora.read_all(asked.corpus)
    cache = Path(tempfile.gettempdir()) / "emotone-choice"
    data = load_or_compute(corpus, Features(asked.features), cache)
    first = ACTORS_PER_GROUP * group
    actors = corpus.speakers[first : first + ACTORS_PER_GROUP]
    validates = actors[-1 - seed % ACTORS_PER_GROUP]
    learner = Learner(
        data, data.of_speakers([a for a in actors if a != validates]), features=asked.features,
        model=asked.model, options=asked.training, seed=seed, device="cpu",
    )  # fmt: skip
    others = data.of_speakers([actor for actor in corpus.speakers if actor not in actors])
    truth = corpus.table["emotion"].iloc[others].tolist()
    kept: dict[str, tuple[int, dict[str, torch.Tensor]]] = {}
    for epoch in range(asked.training.epochs):
        loss, _ = learner.train_epoch()
        learner.end_epoch(loss, data.of_speakers([validates]), time.perf_counter())
        weights = {key: value.clone() for key, value in learner.average.state_dict().items()}
        for rule, tolerance in KEPT.items():
            history = learner.history
            number = history.kept_epoch(tolerance) if tolerance else history.best_epoch()
            if number == epoch:
                kept[rule] = (epoch, weights)
        kept["last epoch"] = (epoch, weights)
    scores: dict[int, float] = {}
    for epoch, weights in kept.values():
        if epoch not in scores:
            learner.average.load_state_dict(weights)
            probabilities = posteriors(learner.average, data, others, asked.training)
            names = [corpus.labels[number] for number in probabilities.argmax(axis=1)]
            scores[epoch] = round(100 * metrics.uar(truth, names), 2)
    row = {"variant": name, "group": group, "seed": seed}
    return [row | {rule: scores[epoch] for rule, (epoch, _) in kept.items()}]


def page(runs: pd.DataFrame, variants: dict[str, dict[str, Any]]) -> str:
    """Return docs/search.md, made from the runs."""
    runs = runs.assign(later=runs["variant"].map(lambda name: variants[name].get("later", False)))
    before, later = runs[~runs["later"]], runs[runs["later"]]
    rules = COLUMNS[3:]
    means = [f"{before[rule].mean():.1f}" for rule in rules]
    lines = [*_table(before, variants), f"| **all** | {len(before)} | {' | '.join(means)} | |"]
    again = later[later["variant"] == AGAIN]
    text = [INTRODUCTION, "\n".join(lines), LATER, "\n".join(_table(later, variants, again))]
    if RUNS_UNKNOWN.exists():
        text += [UNKNOWN, unknown(pd.read_csv(RUNS_UNKNOWN))]
    if chosen := choices(HERE.parent / "choices"):
        text += [PRETRAINED, chosen]
    return "\n\n".join(text) + "\n"


def unknown(runs: pd.DataFrame) -> str:
    """Table of the variants of emotone-base, from the runs of unknown.py."""
    tested = list(dict.fromkeys(runs["corpus"]))
    titles = ["variant", "seeds", *tested, "mean", "NLL", f"minus {BASE}"]
    lines = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    base = runs[runs["variant"] == BASE]
    for variant in sorted(dict.fromkeys(runs["variant"]), key=lambda name: name != BASE):
        part = runs[runs["variant"] == variant]
        means = part.groupby("corpus")[["uar", "nll"]].mean()
        uars = means["uar"].reindex(tested)
        cells = ["–" if math.isnan(uar) else f"{uar:.1f}" for uar in uars]
        if uars.notna().all():
            cells += [f"{uars.mean():.1f}", f"{means['nll'].mean():.2f}"]
            cells.append("–" if variant == BASE else _more(part, base))
        else:
            cells += ["–"] * 3
        lines.append(f"| {variant} | {part['seed'].nunique()} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _more(part: pd.DataFrame, base: pd.DataFrame) -> str:
    """Write the difference of UARs over common corpora and seeds, with its standard error."""
    pairs = part.merge(base, on=["seed", "corpus"], suffixes=("", " base"))
    found = (pairs["uar"] - pairs["uar base"]).groupby(pairs["corpus"]).mean()
    error = found.std(ddof=1) / len(found) ** 0.5
    return f"{found.mean():+.1f} ± {error:.1f}".replace("-", "−")


def choices(place: Path) -> str:
    """Table of the choices behind the pre-trained default, as far as they have been made.

    Args:
        place: folder with the results of an ablation on each corpus.
    """
    found = {
        title: {row.variant: row for row in folder.ablation_results().rows if row.rates is not None}
        for name, title in CHOICES.items()
        if (folder := ResultsFolder(place / name)).is_ablation
    }
    lines = []
    for variant in dict.fromkeys(name for rows in found.values() for name in rows):
        of_corpora = [rows.get(variant) for rows in found.values()]
        differences = [row.differences.get("pre-trained") for row in of_corpora if row is not None]
        known = [100 * each.difference for each in differences if each is not None]
        mean = f"{sum(known) / len(known):+.1f}".replace("-", "−") if known else "–"
        seeds = max(len(row.seeds) for row in of_corpora if row is not None)
        cells = [_uar(row) for row in of_corpora]
        lines.append(f"| {variant} | {seeds} | {' | '.join(cells)} | {mean} |")
    if not lines:
        return ""
    titles = ["variant", "seeds", *found, "minus pre-trained"]
    return "\n".join([f"| {' | '.join(titles)} |", "|---" * len(titles) + "|", *lines])


def _uar(row: AblationRow | None) -> str:
    if row is None or row.rates is None:
        return "–"
    low, high = map(percent, row.rates.uar.interval_95)
    return f"{percent(row.rates.uar.mean)} [{low}, {high}]"


def _table(
    runs: pd.DataFrame, variants: dict[str, dict[str, Any]], beside: pd.DataFrame | None = None
) -> list[str]:
    """A row per variant, and how it differs from the runs ``beside`` if there are any."""
    rules = COLUMNS[3:]
    titles = ["variant", "runs", *rules, *([] if beside is None else ["minus the default"]), "kept"]
    lines = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    for name, variant in variants.items():
        part = runs[runs["variant"] == name]
        if part.empty:
            continue
        cells = [
            f"{part[rule].mean():.1f} ({part[rule].std(ddof=0):.1f})" if part[rule].any() else "–"
            for rule in rules
        ]
        if beside is not None:
            cells.append("–" if name == AGAIN else _difference(part, beside))
        lines.append(f"| {name} | {len(part)} | {' | '.join(cells)} | {variant['kept']} |")
    return lines


def _difference(part: pd.DataFrame, beside: pd.DataFrame) -> str:
    found = differences(part, beside).to_numpy(dtype=float)
    text = f"{found.mean():+.1f}".replace("-", "−")
    error = found.std(ddof=1) / len(found) ** 0.5 if len(found) > 1 else None
    return text if error is None else f"{text} ± {error:.1f}"


def differences(part: pd.DataFrame, beside: pd.DataFrame) -> "pd.Series[float]":
    """Differences of the last epochs of the same groups and seeds."""
    pairs = part.merge(beside, on=["group", "seed"], suffixes=("", " beside"))
    return pairs["last epoch"] - pairs["last epoch beside"]


if __name__ == "__main__":
    main()
