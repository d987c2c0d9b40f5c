"""Compare variants of emotone-base on corpora that they were not trained on.

Four of the seven corpora are left out in turn; each variant is trained on the other six, for 12
epochs with at most 20 utterances of each speaker.
Writes unknown.csv, a row per tested corpus as a run ends, and docs/search.md; runs that are in
unknown.csv already are not computed again.

    python results/search/unknown.py FOLDER_OF_CORPORA [--variants NAME…] [--seeds 0 1]
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from search import as_overrides, finished_runs, run_all, write_page

from emotone import corpora
from emotone.evaluation import metrics
from emotone.experiments.config import ExperimentConfig
from emotone.experiments.learners import read_data
from emotone.experiments.sources import configuration
from emotone.training.hardware import keep_memory
from emotone.training.loop import fit
from emotone.training.posteriors import posteriors
from emotone.training.spectrograms import Spectrograms

HERE = Path(__file__).parent
RUNS = HERE / "unknown.csv"
CORPORA = ("emodb", "ravdess", "nemo", "savee", "emovo", "aesdd", "ased")  # as in emotone-base.yaml
LEFT_OUT = ("emodb", "ravdess", "nemo", "emovo")  # four languages, few speakers and many
SHORTER = ("training.epochs=12", "training.patience=12", "training.most_per_speaker=20")


def main() -> None:
    """Run what is missing and write the table."""
    variants = yaml.safe_load((HERE / "unknown.yaml").read_text(encoding="utf-8"))
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--variants", nargs="*", default=list(variants), choices=list(variants))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--jobs", type=int, help="by default one per core")
    asked = parser.parse_args()
    finished = finished_runs(RUNS)
    jobs = [
        (asked.data, name, variants[name]["changes"], corpus, seed)
        for seed in asked.seeds
        for name in asked.variants
        for corpus in LEFT_OUT
        if (name, seed, corpus) not in finished
    ]
    for name in {name for _, name, *_ in jobs}:  # once, so that all processes find it
        read(configured(asked.data, as_overrides(variants[name]["changes"])))
    run_all(run, jobs, RUNS, asked.jobs)
    write_page()


def configured(data: Path, changes: list[str]) -> ExperimentConfig:
    """Return emotone-base with the corpora in a folder, shorter, and with changes."""
    roots = [f"corpus.{number}.root={data / name}" for number, name in enumerate(CORPORA)]
    sounds = [f"training.disturb.{kind}_folder={data / name}"
              for kind, name in (("noise", "noise"), ("room", "rir"))]  # fmt: skip
    return configuration("emotone-base", [*roots, *sounds, *SHORTER, *changes])


def read(asked: ExperimentConfig) -> Spectrograms:
    """Compute the spectrograms of all corpora, once."""
    cache = Path(tempfile.gettempdir()) / "emotone-unknown"
    found = read_data(asked, corpora.read_all(asked.corpus), cache, lambda: None)
    assert isinstance(found, Spectrograms)
    return found


def run(job: tuple[Path, str, dict[str, Any], str, int]) -> list[dict[str, Any]]:
    """Train one variant without a corpus; return its UAR in % and its mean NLL there."""
    root, name, changes, corpus, seed = job
    torch.set_num_threads(1)
    keep_memory()
    asked = configured(root, as_overrides(changes))
    assert asked.model.is_network
    data = read(asked)
    network, _ = fit(
        data, np.flatnonzero(data.corpora != corpus).tolist(), [], features=asked.features,
        model=asked.model, options=asked.training, seed=seed,
    )  # fmt: skip
    tested = np.flatnonzero(data.corpora == corpus)
    found = posteriors(network, data, tested.tolist(), asked.training)
    found = found * data.possible[tested[0]]  # emotions that the corpus has
    found /= found.sum(axis=1, keepdims=True)
    truth = data.targets[tested]
    uar = metrics.uar(*([data.labels[n] for n in each] for each in (truth, found.argmax(1))))
    nll = -np.log(np.maximum(found[range(len(truth)), truth], 1e-9)).mean()
    row = {"variant": name, "seed": seed, "corpus": corpus}
    return [row | {"uar": round(100 * uar, 2), "nll": round(float(nll), 3)}]


if __name__ == "__main__":
    main()
