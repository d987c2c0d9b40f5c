"""Compare variants of the default on RAVDESS, to choose without looking at EMO-DB.

Each variant is trained on three groups of eight actors (seven train, one validates) and scored on
the sixteen actors outside the group. Writes runs.csv, a row per run as it ends, and README.md;
runs that are in runs.csv already are not computed again.

    python results/choice/choose.py FOLDER_OF_RAVDESS [--variants NAME…] [--seeds 0 1 …]
"""

import argparse
import multiprocessing
import os
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
import torch
import yaml

from emotone import config, corpora, datasets, metrics, training
from emotone.training import Learner

HERE = Path(__file__).parent
RUNS = HERE / "runs.csv"
ACTORS_PER_GROUP = 8
KEPT = {"best epoch": 0.0, "within 1 standard error": 1.0, "within 2 standard errors": 2.0}
COLUMNS = ["variant", "group", "seed", *KEPT, "last epoch"]


def main() -> None:
    """Run what is missing and write the table."""
    variants = yaml.safe_load((HERE / "variants.yaml").read_text())
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("ravdess", type=Path)
    parser.add_argument("--variants", nargs="+", default=list(variants), choices=variants)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    asked = parser.parse_args()
    done = pd.read_csv(RUNS) if RUNS.exists() else pd.DataFrame(columns=COLUMNS)
    finished = set(done[["variant", "group", "seed"]].itertuples(index=False, name=None))
    jobs = [
        (asked.ravdess, name, variants[name], group, seed)
        for seed in asked.seeds
        for name in asked.variants
        for group in range(3)
        if (name, group, seed) not in finished
    ]
    with multiprocessing.get_context("spawn").Pool(os.cpu_count(), maxtasksperchild=1) as pool:
        for row in pool.imap_unordered(run, jobs):
            print(row, flush=True)
            done = pd.concat([done, pd.DataFrame([row])], ignore_index=True)
            done.sort_values(COLUMNS[:3]).to_csv(RUNS, index=False)
    write_table(done, list(variants))


def run(job: tuple[Path, str, dict[str, Any], int, int]) -> dict[str, Any]:
    """Train one variant on one group; return its UAR in % on the other actors."""
    root, name, changes, group, seed = job
    torch.set_num_threads(1)
    training.keep_memory()
    overrides = [f"{key}={yaml.safe_dump(value, default_flow_style=True).splitlines()[0]}"
                 for key, value in changes.items()]  # fmt: skip
    asked = config.load(config.SHIPPED / "ravdess.yaml", [f"corpus.root={root}", *overrides])
    corpus = corpora.read_all(asked.corpus)
    cache = Path(tempfile.gettempdir()) / "emotone-choice"
    data = datasets.spectrograms(corpus, asked.features, cache)
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
        learner.judge(loss, data.of_speakers([validates]))
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
            probabilities = training.posteriors(
                learner.average, data, others, asked.training.segment_s
            )
            names = [corpus.labels[number] for number in probabilities.argmax(axis=1)]
            scores[epoch] = round(100 * metrics.uar(truth, names), 2)
    row = {"variant": name, "group": group, "seed": seed}
    return row | {rule: scores[epoch] for rule, (epoch, _) in kept.items()}


def write_table(runs: pd.DataFrame, order: list[str]) -> None:
    """Write README.md from the runs."""
    rules = COLUMNS[3:]
    lines = [
        "# How the default was chosen",
        "",
        "UAR in % on the 16 actors of RAVDESS outside each training group of 8, mean over three",
        "groups; by the rule that chooses the epoch on one validation actor. In brackets the",
        "standard deviation over groups. Written by `choose.py`, see there; all runs: `runs.csv`.",
        "",
        "| variant | runs | " + " | ".join(rules) + " |",
        "|---|---|" + "---|" * len(rules),
    ]
    for name in order:
        part = runs[runs["variant"] == name]
        if len(part):
            cells = [f"{part[rule].mean():.1f} ({part[rule].std():.1f})" for rule in rules]
            lines.append(f"| {name} | {len(part)} | " + " | ".join(cells) + " |")
    means = [f"{runs[rule].mean():.1f}" for rule in rules]
    lines.append(f"| **all** | {len(runs)} | " + " | ".join(means) + " |")
    (HERE / "README.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
