"""Compare the accuracy of fast training with that of a plain implementation, over the same folds.

    python benchmarks/equal.py EMODB [--results FOLDER] [--out FOLDER]

Trains the plain implementation of ``training.py``, in float32, on the folds of leave-one-speaker-
out results on EMO-DB, those of the default with half its epochs, with their first seed and the same
number of epochs, and compares the predictions. Each network uses one core. Folds in ``--out`` are
not trained again.
"""

import argparse
import multiprocessing
import os
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from pathlib import Path

import pandas as pd
import torch
from training import EMOTONE, PLAIN, PlainLearner

from emotone import corpora
from emotone.evaluation import metrics, scoring
from emotone.evaluation.folds import make_folds
from emotone.experiments.config import ExperimentConfig, load
from emotone.files import replacing
from emotone.models.crnn import CrnnOptions
from emotone.training.hardware import keep_memory
from emotone.training.posteriors import posteriors
from emotone.training.spectrograms import load_or_compute

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results/ablation-emodb/variants/all-four-without-multi-kernel"


def main() -> None:
    """Train and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("emodb", type=Path, help="the folder of EMO-DB")
    parser.add_argument("--results", type=Path, default=RESULTS, help="results to compare with")
    parser.add_argument(
        "--out", type=Path, default=ROOT / "out/equal", help="folder for predictions"
    )
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    config = load(arguments.results / "config.yaml", [f"corpus.root={arguments.emodb}"])
    corpus = corpora.read_all(config.corpus)
    names = [fold.name for fold in make_folds(corpus, config.protocol)]
    paths = {name: arguments.out / f"{name}.csv" for name in names}
    missing = [name for name in names if not paths[name].is_file()]
    with tempfile.TemporaryDirectory() as folder:
        load_or_compute(corpus, config.model.front_end(config.features), Path(folder))
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(os.cpu_count(), context) as pool:
            work = partial(train_plain, config, Path(folder))
            works = [pool.submit(work, name, paths[name]) for name in missing]
            for number, done in enumerate(as_completed(works), 1):
                done.result()
                print(f"{number} of {len(works)} networks trained", file=sys.stderr)
    text = {"utterance": str, "fold": str, "speaker": str}
    ours = pd.read_csv(arguments.results / "predictions.csv", dtype=text)
    theirs = pd.concat([pd.read_csv(path, dtype=text) for path in paths.values()])
    seed = config.seeds[0]
    confusions = {
        name: scoring.confusions_by_speaker(table[table["seed"] == seed], corpus.labels)
        for name, table in ((EMOTONE, ours), (PLAIN, theirs))
    }
    found = metrics.compare(confusions[EMOTONE][None], confusions[PLAIN][None])
    low, high = found.interval_95
    print("\n## Equal training, `python benchmarks/equal.py EMODB`\n")
    print(
        f"EMO-DB, seven emotions, leave-one-speaker-out, {config.training.epochs} epochs, "
        f"seed {seed}.\n"
    )
    print("| trained by | precision | UAR, % |")
    print("|---|---|---|")
    for name, precision in ((EMOTONE, config.training.precision), (PLAIN, "32-true")):
        uar = 100 * metrics.uar_of(confusions[name].sum(axis=0))
        print(f"| {name} | {precision} | {uar:.1f} |")
    print(
        f"\nDifference, emotone minus the plain implementation: {100 * found.difference:+.1f} "
        f"points [{100 * low:+.1f}, {100 * high:+.1f}], p = {found.p:.3f}; 95 % bootstrap "
        "over speakers."
    )


def train_plain(config: ExperimentConfig, cache: Path, name: str, path: Path) -> None:
    """Train and test on a fold; write the predictions."""
    torch.set_num_threads(1)
    keep_memory()
    corpus = corpora.read_all(config.corpus)
    data = load_or_compute(corpus, config.model.front_end(config.features), cache)
    (fold,) = (each for each in make_folds(corpus, config.protocol) if each.name == name)
    options, seed = config.training.model_copy(update={"precision": "32-true"}), config.seeds[0]
    assert isinstance(config.model, CrnnOptions)
    learner = PlainLearner(
        data, fold.training, features=config.features, model=config.model, options=options,
        seed=seed, device="cpu",
    )  # fmt: skip
    while not learner.history.is_over(options):
        loss, _ = learner.train_epoch()
        learner.end_epoch(loss, fold.validation, since=0.0)
    probabilities = posteriors(learner.average, data, fold.test)
    table = scoring.predictions_table(corpus, fold.test, name, seed, probabilities)
    with replacing(path) as temporary:
        table.to_csv(temporary, index=False)


if __name__ == "__main__":
    main()
