"""Train one network on all speakers of a corpus and write it as a model folder."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save

from emotone import bundle, corpora, experiment, files
from emotone.audio import Waveform, read
from emotone.config import ExperimentConfig
from emotone.corpora import Corpus
from emotone.datasets import Spectrograms
from emotone.errors import UsageError
from emotone.experiment import SPECTROGRAMS, WEIGHTS, Experiment, Observer
from emotone.export import to_onnx
from emotone.folds import Fold, training_fold
from emotone.functionals import OpensmileSvmOptions
from emotone.model import Network

WORK = "training"  # folder, until the model is written
CHECKED = 8  # recordings on which the exported model is compared
SECONDS_PER_HOUR = 3600


def train(config: ExperimentConfig, out: Path, observer: Observer) -> Path:
    """Train a network on all speakers but those that validate, and write a model folder.

    Args:
        config: corpus, features, model and training; of the protocol only the number of
            validation speakers counts; one seed.
        out: model folder; one in which the same training was begun is continued.
        observer: is told of progress.

    Returns:
        ``out``.

    Raises:
        UsageError: if ``out`` holds something else, there are several seeds, or the model is no
            network.
        CorpusError, FoldError: if the corpus cannot be used.
        ModelError: if the network cannot be exported.
        StorageError: if the folder cannot be written.
        InterruptedRunError: after Ctrl-C.
    """
    if isinstance(config.model, OpensmileSvmOptions):
        raise UsageError("model.kind=opensmile-svm cannot be shipped; train a network")
    if len(config.seeds) > 1:
        raise UsageError(f"one model has one seed, got {list(config.seeds)}; give seeds=[0]")
    with experiment.locked(out):
        if (out / bundle.CONFIG).is_file():
            raise UsageError(f"{out} holds a finished model; choose another --out")
        strangers = [path.name for path in out.iterdir() if path.name not in (".lock", WORK)]
        leftovers = (bundle.ONNX, bundle.WEIGHTS, bundle.CARD)
        strangers = [name for name in strangers if name not in leftovers]
        if any(not name.endswith(files.TEMPORARY) for name in strangers):
            raise UsageError(f"{out} holds other files ({strangers[0]}, …); choose an empty --out")
        corpus = corpora.read_all(config.corpus)
        fold = training_fold(
            corpus, "all", config.protocol.validation_speakers, config.protocol.seed
        )
        observer.corpus(corpus, [fold])
        work = out / WORK
        begun = experiment.prepare(config, corpus, [fold], work, work / SPECTROGRAMS, observer)
        (run,) = begun.runs()
        experiment.run_all(begun.steps(run.seed), experiment.jobs_of(config), observer)
        network = Network(config.features, config.model, corpus.labels)
        network.load_state_dict(load_file(run.folder / WEIGHTS))
        onnx = to_onnx(network, _examples(corpus))
        bundle.write(
            out,
            {
                "labels": corpus.labels,
                "features": config.features.model_dump(mode="json"),
                "model": config.model.model_dump(mode="json"),
                "training": _made_from(begun, fold),
                "versions": experiment.versions(),
            },
            onnx,
            save(network.state_dict()),
            _card(begun, fold),
        )
        shutil.rmtree(work, ignore_errors=True)
    return out


def _examples(corpus: Corpus) -> list[Waveform]:
    """Recordings of different lengths, the shortest and the longest among them."""
    rows = corpus.table[["file", "start", "end"]]
    waveforms = []
    for number in np.linspace(0, len(rows) - 1, min(4 * CHECKED, len(rows))).round().astype(int):
        file, start, end = rows.iloc[number]
        waveforms.append(read(file, start, None if np.isnan(end) else end))
    waveforms.sort(key=len)
    chosen = np.linspace(0, len(waveforms) - 1, min(CHECKED, len(waveforms))).round().astype(int)
    return [waveforms[number] for number in chosen]


def _made_from(begun: Experiment, fold: Fold) -> dict[str, Any]:
    """What the network learnt from, and how, for ``config.json``."""
    identity = begun.config.identity()
    kept = ("corpus", "training", "pretraining", "seeds")
    return {key: identity[key] for key in kept} | {
        "speakers": {role: list(names) for role, names in fold.speakers.items() if names},
        "utterances": len(fold.training),
        "pretrained_on": begun.pretraining.corpus.name if begun.pretraining else None,
    }


def _card(begun: Experiment, fold: Fold) -> str:
    corpus = begun.corpus
    table = corpus.table.iloc[list(fold.training)]
    assert isinstance(begun.data, Spectrograms)
    hours = begun.data.seconds() / SECONDS_PER_HOUR
    counts = table["emotion"].value_counts().sort_index()
    languages = sorted(set(table["language"]) - {""})
    lines = [
        f"# Speech emotion recognition: {', '.join(corpus.labels)}",
        "",
        "A CNN + BLSTM network on log-mel spectrograms, trained with `emotone train`.",
        "",
        "| | |",
        "|---|---|",
        f"| corpora | {', '.join(sorted(set(table['corpus'])))} |",
        f"| languages | {', '.join(languages) or 'not known'} |",
        f"| speakers learnt | {len(fold.speakers['training'])} |",
        f"| utterances learnt | {len(table)} ({hours:.2f} hours in the whole corpus) |",
        *(f"| {label} | {count} utterances |" for label, count in counts.items()),
        f"| PyTorch | {torch.__version__} |",
        "",
        "No figure stands here, because all speakers are learnt or validate. To estimate how it",
        "does on new speakers, cross-validate the same configuration with `emotone crossval`.",
        "The licence of the weights follows from those of the corpora.",
        "",
        "Not for decisions about people: emotion shown in acted speech is not emotion felt.",
    ]
    return "\n".join(lines) + "\n"
