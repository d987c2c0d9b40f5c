"""Train one network on all speakers of a corpus and write it as a model folder."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.torch import load, load_file, save

from emotone import corpora, files
from emotone.audio import Waveform, read
from emotone.corpora import Corpus, synthetic
from emotone.errors import UsageError
from emotone.evaluation import calibration
from emotone.evaluation.calibration import Calibration
from emotone.evaluation.folds import Fold, training_fold
from emotone.experiments import crossval as experiment
from emotone.experiments.config import ExperimentConfig, options_of
from emotone.experiments.crossval import SPECTROGRAMS
from emotone.experiments.runs import WEIGHTS, Experiment, Observer, jobs_of, run_all
from emotone.files import replacing
from emotone.inference import model_folder
from emotone.models.export import to_onnx
from emotone.models.network import Network
from emotone.models.opensmile_svm import OpensmileSvmOptions
from emotone.reporting import card
from emotone.training.spectrograms import Spectrograms

WORK = "training"  # folder, until the model is written
COMPARISON = "comparison"  # folder of results, see emotone.experiments.adaptation
CHECKED = 8  # recordings on which the exported model is compared
SECONDS_PER_HOUR = 3600


def train(
    config: ExperimentConfig, out: Path, observer: Observer, calibrate: Path | None = None
) -> Path:
    """Train a network on all speakers but those that validate, and write a model folder.

    Args:
        config: corpus, features, model and training; of the protocol only the number of
            validation speakers counts; one seed.
        out: model folder; one in which the same training was begun is continued.
        observer: is told of progress.
        calibrate: results folder of a cross-validation of the same network, which says how sure
            its answers are and how often they are right.

    Returns:
        ``out``.

    Raises:
        UsageError: if ``out`` holds something else, there are several seeds, the model is no
            network, or ``calibrate`` is of another one.
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
        if (out / model_folder.CONFIG).is_file():
            raise UsageError(f"{out} holds a finished model; choose another --out")
        ours = (".lock", WORK, COMPARISON)
        strangers = [path.name for path in out.iterdir() if path.name not in ours]
        leftovers = (model_folder.ONNX, model_folder.WEIGHTS, model_folder.CARD)
        strangers = [name for name in strangers if name not in leftovers]
        if any(not name.endswith(files.TEMPORARY) for name in strangers):
            raise UsageError(f"{out} holds other files ({strangers[0]}, …); choose an empty --out")
        corpus = corpora.read_all(config.corpus)
        fold = training_fold(
            corpus, "all", config.protocol.validation_speakers, config.protocol.seed
        )
        found = calibration.calibrate(calibrate, config, corpus.labels) if calibrate else None
        observer.corpus(corpus, [fold])
        work = out / WORK
        begun = experiment.prepare(config, corpus, [fold], work)
        begun = experiment.read_audio(begun, work / SPECTROGRAMS, observer)
        (run,) = begun.runs()
        run_all(begun.steps(run.seed), jobs_of(config), observer)
        network = Network(config.features, config.model, corpus.labels)
        network.load_state_dict(load_file(run.folder / WEIGHTS))
        values: dict[str, Any] = {
            "labels": corpus.labels,
            "features": config.features.model_dump(mode="json"),
            "model": config.model.model_dump(mode="json"),
            "training": _made_from(begun, fold, network, found),
            "versions": experiment.versions(),
        }
        if found is not None:
            values |= {"temperature": found.temperature, "confident_from": found.confident_from}
        results = card.rows_of(calibrate) if calibrate else []
        model_folder.write(
            out,
            values,
            to_onnx(network, _examples(corpus)),
            save(network.state_dict()),
            card.render(out.name, values, results),
        )
        shutil.rmtree(work, ignore_errors=True)
    return out


def rebuilt(folder: Path) -> Network:
    """Rebuild the network of a model folder, in evaluation mode.

    Raises:
        ModelError: if the folder is not a model, or was changed.
    """
    config = model_folder.read(folder)
    network = Network(*options_of(config), config.labels)
    network.load_state_dict(load(model_folder.content(folder, model_folder.WEIGHTS, config)))
    return network.eval()


def export(folder: Path, out: Path) -> Path:
    """Write the network of a model folder as one ONNX file, compared with PyTorch on speech.

    Args:
        folder: model folder.
        out: file to write.

    Returns:
        ``out``.

    Raises:
        ModelError: if the folder is not a model, or the network cannot be exported.
        StorageError: if the file cannot be written.
    """
    emotions = synthetic.EMOTIONS
    spoken = [synthetic.utterance(n, emotions[n % len(emotions)], 0) for n in range(CHECKED)]
    lengths = np.linspace(0.03, 1, CHECKED)
    cut = [one[: int(share * len(one))] for one, share in zip(spoken, lengths, strict=True)]
    model = to_onnx(rebuilt(folder), cut)
    with replacing(out) as temporary:
        temporary.write_bytes(model)
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


def _made_from(
    begun: Experiment, fold: Fold, network: Network, found: Calibration | None
) -> dict[str, Any]:
    """What the network learnt from, and how, for ``config.json``."""
    identity = begun.config.identity()
    kept = ("corpus", "training", "pretraining", "seeds")
    table = begun.corpus.table.iloc[list(fold.training)]
    assert isinstance(begun.data, Spectrograms)
    frames = begun.data.frames[list(fold.training)].sum()
    return {key: identity[key] for key in kept} | {
        "corpora": sorted(set(table["corpus"])),
        "languages": sorted(set(table["language"]) - {""}),
        "speakers": {role: list(names) for role, names in fold.speakers.items() if names},
        "utterances": len(table),
        "hours": round(float(frames) * begun.data.hop_s / SECONDS_PER_HOUR, 3),
        "emotions": {
            label: int(count) for label, count in table["emotion"].value_counts(sort=False).items()
        },
        "pretrained_on": begun.pretrained_on,
        "parameters": sum(weights.numel() for weights in network.parameters()),
        "calibration": found.as_dict() if found else None,
    }
