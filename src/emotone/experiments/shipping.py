"""Train one network on all speakers of a corpus and write it as a model folder."""

import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from safetensors.torch import save

from emotone import corpora
from emotone.audio import Waveform, read
from emotone.corpora import Corpus, synthetic
from emotone.corpora.fingerprints import Fingerprints, fingerprints_in
from emotone.errors import UsageError
from emotone.evaluation import calibration
from emotone.evaluation.calibration import Calibration
from emotone.evaluation.folds import Fold, training_fold
from emotone.evaluation.label_selection import results_among
from emotone.evaluation.results_folder import ResultsFolder
from emotone.experiments.compatibility import refuse_other_network
from emotone.experiments.config import ExperimentConfig
from emotone.experiments.crossval import prepare, read_audio, versions
from emotone.experiments.execution import run_all
from emotone.experiments.plan import SILENT, Experiment, Observer, Run
from emotone.files import MARK, refuse_foreign, replacing, write_text
from emotone.inference import model_folder
from emotone.inference.model_folder import MOST_MEMBERS
from emotone.models import weights
from emotone.models.export import to_onnx
from emotone.models.network import Network, together, with_labels
from emotone.options import SECONDS_PER_HOUR
from emotone.publishing.precision import with_precision
from emotone.reporting import card
from emotone.training.spectrograms import Spectrograms

__all__ = ["export", "train"]

WORK = "training"  # folder, until the model is written
COMPARISON = "comparison"  # folder of results, see emotone.experiments.adaptation
WRITING = "writing"  # empty file in WORK once parts of the model may be there
FILE_SUFFIX = re.compile(r"\.[A-Za-z]\w*")  # of files, rather than of versions such as model-v1.2
CHECKED = 8  # recordings on which the exported model is compared


def train(
    config: ExperimentConfig,
    out: Path,
    observer: Observer = SILENT,
    calibrate: Path | None = None,
) -> Path:
    """Train a network on all speakers except validation speakers, and write a model folder.

    With several seeds it is an ensemble: a network of each, which answer together.

    A network whose answers padding changes cannot recognise: its folder has no ONNX model. Like any
    other, it can be started from (``pretraining.model``).

    Args:
        config: corpus, features, model, training and seeds; of the protocol, only the number of
            validation speakers, what is drawn for training and its seed apply.
        out: model folder; resumes if the same training was started in it.
        observer: progress callbacks.
        calibrate: results folder of a cross-validation of the same network, used to fit
            temperature and confidence threshold; for an ensemble, with as many seeds.

    Returns:
        ``out``.

    Raises:
        UsageError: if ``out`` holds something else, there are too many seeds, the model is not a
            network, or ``calibrate`` holds results of another network.
        CorpusError, FoldError: if the corpus cannot be used.
        ModelError: if the network cannot be exported.
        StorageError: if the folder cannot be written.
        InterruptedRunError: after Ctrl-C.
    """
    if not config.model.is_network:
        raise UsageError(
            f"model.kind={config.model.kind} cannot be shipped: it is not a network; use crnn"
        )
    if config.only_dimensions:
        raise UsageError(
            "training.dimensions_weight=1 learns no emotions, which a model must answer; give "
            "less, such as 0.9"
        )
    if len(config.seeds) > MOST_MEMBERS:
        raise UsageError(
            f"a model has at most {MOST_MEMBERS} networks, got {len(config.seeds)} seeds; give "
            "fewer, such as seeds=[0,1,2]"
        )
    folder = ResultsFolder(out)
    with folder.locked():
        refuse_other_model(out)
        corpus = corpora.read_all(config.corpus)
        fold = training_fold(corpus, "all", config.protocol)
        found = None if calibrate is None else _calibration(calibrate, config, corpus)
        observer.corpus(corpus, [fold])
        work = ResultsFolder(out / WORK)
        experiment = prepare(config, corpus, [fold], work)
        experiment = read_audio(experiment, work.spectrograms, observer)
        run_all(experiment.runs(), config.runtime, observer)
        network = together([_trained(experiment, run) for run in experiment.runs()])
        values = _config(experiment, fold, network, found)
        files = {
            model_folder.WEIGHTS: save(network.state_dict()),
            model_folder.FINGERPRINTS: _trained_on(experiment, fold).tobytes(),
        }
        recognises = config.model.masks_padding
        if recognises:
            files[model_folder.ONNX] = to_onnx(network, _examples(corpus))
        rows = _evaluated(calibrate, len(config.seeds))
        text = card.render(out.name, values, rows, recognises=recognises)
        refuse_other_model(out)  # training takes long
        write_text(out / WORK / WRITING, "")
        model_folder.write(out, values, text, files)
        shutil.rmtree(work.path, ignore_errors=True)
    return out


def _trained(experiment: Experiment, run: Run) -> Network:
    """The network of a finished run."""
    config, corpus, place = experiment.config, experiment.corpus, run.folder.weights
    assert config.model.is_network
    network = Network(config.features, config.model, corpus.labels, corpus.dimensions)
    network.load_state_dict(weights.read(place.read_bytes(), place))
    return network


def refuse_other_model(out: Path) -> None:
    """Raise a :class:`UsageError` if a model folder holds a finished model or other files."""
    if (out / model_folder.CONFIG).is_file():
        raise UsageError(f"{out} holds a finished model; choose another --out")
    parts = (model_folder.ONNX, model_folder.WEIGHTS, model_folder.CARD, model_folder.FINGERPRINTS)
    known = parts if (out / WORK / WRITING).is_file() else ()  # a kill leaves parts
    ResultsFolder(out).refuse_other_files(WORK, COMPARISON, *known)


def _evaluated(calibrate: Path | None, members: int) -> list[card.EvaluationRow]:
    """Rows of the model card."""
    if calibrate is None:
        return []
    return card.evaluation_rows(ResultsFolder(calibrate).results(), members)


def _calibration(results: Path, config: ExperimentConfig, corpus: Corpus) -> Calibration:
    folder = ResultsFolder(results)
    refuse_other_network(config, folder)
    return calibration.calibrate(folder, corpus.labels, len(config.seeds))


def export(
    folder: Path,
    out: Path,
    labels: Sequence[str] | None = None,
    calibrate: Path | None = None,
    *,
    precision: str = "float32",
    force: bool = False,
) -> Path:
    """Export the network of a model folder again, compared with PyTorch on speech.

    Args:
        folder: model folder.
        out: ONNX file to write; or, if the name does not end in ``.onnx``, a new model folder with
            the same network as this version of emotone exports it.
        labels: the labels that remain possible; ``None`` for all.
        calibrate: see :func:`train`; needed in a new model folder with fewer labels.
        precision: of the weights in the graph after the comparison, see
            :func:`emotone.publishing.precision.with_precision`.
        force: overwrite an ONNX file that emotone did not make.

    Returns:
        ``out``.

    Raises:
        ModelError: if the folder is not a model, or the network cannot be exported.
        UsageError: if the new model folder exists, emotone did not make the ONNX file that exists,
            ``out`` ends in another suffix, a label or the precision is unknown, or fewer labels are
            not calibrated.
        StorageError: if it cannot be written.
    """
    is_file = out.suffix.lower() == ".onnx"
    if is_file:
        refuse_foreign(out, force=force)
    elif out.exists() or FILE_SUFFIX.fullmatch(out.suffix):
        problem = "exists" if out.exists() else f"ends in {out.suffix}"
        raise UsageError(f"{out} {problem}; give --out a new folder, or a name that ends in .onnx")
    network = weights.rebuilt(folder)
    if labels is not None:
        network = with_labels(network, labels)
        if not is_file and calibrate is None:
            raise UsageError("fewer labels have other probabilities; give --calibrate as to train")
    emotions = synthetic.EMOTIONS
    spoken = [synthetic.utterance(n, emotions[n % len(emotions)], 0) for n in range(CHECKED)]
    lengths = np.linspace(0.03, 1, CHECKED)
    cut = [one[: int(share * len(one))] for one, share in zip(spoken, lengths, strict=True)]
    model = with_precision(to_onnx(network, cut), precision)
    if is_file:
        with replacing(out) as temporary:
            temporary.write_bytes(_marked(model))
        return out
    values = model_folder.read(folder).model_dump(mode="json") | {"labels": network.labels}
    text = model_folder.card(folder) or f"# {out.name}\n"
    if calibrate is not None:
        results = ResultsFolder(calibrate)
        members = len(network.backbone.each)
        found = calibration.calibrate(results, network.labels, members)
        values |= found.applied
        values["training"] |= {"calibration": found.as_dict()}
        rows = card.evaluation_rows(results_among(results, network.labels), members)
        text = card.render(out.name, values, rows)
    files = {model_folder.ONNX: model, model_folder.WEIGHTS: save(network.state_dict())}
    if model_folder.FINGERPRINTS in values["sha256"]:
        name = model_folder.FINGERPRINTS
        files[name] = model_folder.content(folder, name, model_folder.read(folder))
    model_folder.write(out, values, text, files)
    return out


def _marked(model: bytes) -> bytes:
    """Return an ONNX model that says that emotone wrote it."""
    loaded = onnx.load_model_from_string(model)
    loaded.doc_string = MARK
    return bytes(loaded.SerializeToString())


def _trained_on(experiment: Experiment, fold: Fold) -> Fingerprints:
    """Fingerprints of all training and validation utterances of a network, each once, sorted."""
    prints = experiment.fingerprints
    assert prints is not None
    found: list[Fingerprints | None] = [prints[[*fold.training, *fold.validation]]]
    if experiment.initial_model is not None:
        found.append(fingerprints_in(experiment.initial_model))
    return np.unique(np.concatenate([prints for prints in found if prints is not None]), axis=0)


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


def _config(
    experiment: Experiment, fold: Fold, network: Network, found: Calibration | None
) -> dict[str, Any]:
    """Contents of ``config.json``, hashes left out."""
    config = experiment.config
    values: dict[str, Any] = {
        "labels": experiment.corpus.labels,
        "dimensions": experiment.corpus.dimensions,
        "features": config.features.model_dump(mode="json"),
        "model": config.model.model_dump(mode="json"),
        "members": len(network.backbone.each),
        "training": _provenance(experiment, fold, network, found),
        "versions": versions(),
    }
    if found is not None:
        values |= found.applied
    return values


def _provenance(
    experiment: Experiment, fold: Fold, network: Network, found: Calibration | None
) -> dict[str, Any]:
    """What the network was trained on, and how."""
    identity = experiment.config.identity()
    kept = ("corpus", "training", "pretraining", "seeds")
    table = experiment.corpus.table.iloc[list(fold.training)]
    return {key: identity[key] for key in kept} | {
        "corpora": sorted(set(table["corpus"])),
        "languages": sorted(set(table["language"]) - {""}),
        "speakers": {role: list(names) for role, names in fold.speakers.items() if names},
        "utterances": len(table),
        "hours": _hours(experiment, fold.training),
        "emotions": {
            label: int(count) for label, count in table["emotion"].value_counts(sort=False).items()
        },
        "pretrained_on": experiment.pretrained_on,
        "parameters": network.size,
        "calibration": found.as_dict() if found else None,
    }


def _hours(experiment: Experiment, utterances: Sequence[int]) -> float:
    data = experiment.data
    assert isinstance(data, Spectrograms)
    frames = float(data.frames[list(utterances)].sum())
    return round(frames * data.hop_s / SECONDS_PER_HOUR, 3)
