"""The model folder: a trained network with everything needed to use and to rebuild it.

``config.json`` holds the configuration, ``model.onnx`` the network for recognition without PyTorch,
``model.safetensors`` the weights, ``MODEL_CARD.md`` the description, ``fingerprints.bin``
fingerprints of the training utterances. Nothing in it is executed.
"""

import hashlib
import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from emotone.audio import SAMPLE_RATE
from emotone.errors import ModelError
from emotone.files import read_regular, replacing, write_text
from emotone.options import Options, explained

FORMAT = 1
MODELS = Path(__file__).parents[1] / "pretrained"  # the models that ship with emotone
DEFAULT = "emotone-base"
HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
CONFIG, ONNX, WEIGHTS, CARD = "config.json", "model.onnx", "model.safetensors", "MODEL_CARD.md"
FINGERPRINTS = "fingerprints.bin"
MOST_TEXT = 16_000_000  # bytes of a text file
MOST_BYTES = 2_147_483_647  # bytes of any other file; ONNX holds no more
MOST_LABELS = 1000
MOST_MEMBERS = 16  # networks of an ensemble

Label = Annotated[str, Field(min_length=1, max_length=100)]
Logit = Annotated[float, Field(ge=-100, le=100)]


class ModelConfig(Options):
    """The content of ``config.json``.

    Attributes:
        format: version of this file's format.
        labels: emotions in the order of the network's outputs.
        dimensions: dimensions in the order of the network's further outputs, such as arousal.
        sample_rate: sampling rate in Hz.
        features: options of the front end.
        model: options of the network, its kind included.
        members: number of networks that answer together.
        training: what the network was trained on, and how.
        temperature: divides the logits before the softmax.
        confident_from: probability from which a prediction counts as confident.
        neutral: what neutral speech is answered on average, see
            :mod:`emotone.inference.neutral`; ``None`` if it is not known.
        sha256: hashes of the files that are not text.
        versions: versions of the software that wrote the folder.
    """

    format: int = Field(FORMAT, ge=1)
    labels: tuple[Label, ...] = Field(min_length=2, max_length=MOST_LABELS)
    dimensions: tuple[Label, ...] = Field((), max_length=MOST_LABELS)
    sample_rate: int = SAMPLE_RATE
    features: dict[str, Any]
    model: dict[str, Any]
    members: int = Field(1, ge=1, le=MOST_MEMBERS)
    training: dict[str, Any]
    temperature: float = Field(1.0, ge=0.01, le=100)
    confident_from: float = Field(0.5, ge=0, le=1)
    neutral: tuple[Logit, ...] | None = None
    sha256: dict[str, str]
    versions: dict[str, str]

    @field_validator("labels", "dimensions")
    @classmethod
    def _differ_and_can_be_printed(cls, labels: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(labels)) < len(labels) or not all(map(str.isprintable, labels)):
            raise ValueError("must differ and be printable")
        return labels

    @model_validator(mode="after")
    def _neutral_is_of_the_labels(self) -> Self:
        if self.neutral is not None and len(self.neutral) != len(self.labels):
            raise ValueError("neutral must have a number for each label")
        return self

    @field_validator("sample_rate")
    @classmethod
    def _is_ours(cls, rate: int) -> int:
        if rate != SAMPLE_RATE:
            raise ValueError(f"{rate} Hz, but this emotone recognises at {SAMPLE_RATE} Hz")
        return rate

    @field_validator("features")
    @classmethod
    def _can_be_heard(cls, features: dict[str, Any]) -> dict[str, Any]:
        """Check what recognition uses; the whole is checked where PyTorch is there."""
        if features.get("frames", "all") not in ("all", "speech"):
            raise ValueError("frames must be 'all' or 'speech'")
        prior = features.get("enrol_prior")
        if not isinstance(prior, int | float) or not 0 < prior < math.inf:
            raise ValueError("enrol_prior must be a positive number")
        return features

    @field_validator("training")
    @classmethod
    def _has_names(cls, training: dict[str, Any]) -> dict[str, Any]:
        speakers = training.get("speakers", {})
        named = isinstance(speakers, dict) and all(map(_are_names, speakers.values()))
        if not named or not _are_names(training.get("corpora")):
            raise ValueError("corpora and speakers must be lists of names")
        if not _are_names(training.get("languages", ())):
            raise ValueError("languages must be a list of names")
        return training


def _are_names(value: object) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(name, str) for name in value)


def locate(model: str | Path | None = None) -> Path:
    """Find a model folder.

    Args:
        model: a folder, which needs no internet access; the name of a model that ships with
            emotone (``emotone-base``, the default, or ``emotone-8``); or the id of a model of
            the Hugging Face Hub such as ``organisation/name``, which is downloaded once.

    Raises:
        ModelError: if there is no such model.
    """
    if model is None:
        return MODELS / DEFAULT
    folder = Path(model)
    if folder.exists() or isinstance(model, Path):
        return folder
    if (MODELS / model / CONFIG).is_file():
        return MODELS / model
    if HUB_ID.fullmatch(model):
        return _from_hub(model)
    raise ModelError(
        f"{model}: no such folder, nor a model that ships with emotone "
        f"({', '.join(sorted(path.name for path in MODELS.iterdir()))})"
    )


def _from_hub(model: str) -> Path:
    try:
        import huggingface_hub
    except ModuleNotFoundError as error:
        raise ModelError(
            f"{model}: no such folder here. To load models of the Hugging Face Hub: "
            "pip install 'emotone[hub]'"
        ) from error
    try:
        names = [CONFIG, ONNX, WEIGHTS, CARD, FINGERPRINTS]
        return Path(huggingface_hub.snapshot_download(model, allow_patterns=names))
    except Exception as error:  # of many kinds, from many libraries
        reason = str(error).strip().splitlines()
        raise ModelError(
            f"{model}: no such folder here, and not available from the Hugging Face Hub "
            f"({reason[0] if reason else type(error).__name__}); check the name and the connection"
        ) from error


def read(folder: Path) -> ModelConfig:
    """Read the configuration of a model folder.

    Raises:
        ModelError: if it is not a model folder, or one of a newer format.
    """
    path = folder / CONFIG
    try:
        text = read_regular(path, MOST_TEXT).decode()
        values = json.loads(text, parse_constant=_no_number, parse_float=_finite)
    except OSError as error:
        raise ModelError(
            f"{folder} is not a model folder: no readable {CONFIG} ({error.strerror}); give the "
            "--out folder of emotone train"
        ) from error
    except (ValueError, RecursionError) as error:
        raise ModelError(
            f"{path} is not JSON; the model folder is damaged, copy it again"
        ) from error
    found = values.get("format") if isinstance(values, dict) else None
    if not isinstance(found, int):
        raise ModelError(f"{path} is not the configuration of an emotone model: it has no 'format'")
    if found > FORMAT:
        raise ModelError(
            f"{folder} is a model of format {found}, this emotone reads up to {FORMAT}; "
            "upgrade emotone"
        )
    try:
        return ModelConfig.model_validate(values)
    except ValidationError as error:
        raise damaged(error, ModelConfig, f"{path}: ") from error


def damaged(error: ValidationError, options: type[Options], path: str = "") -> ModelError:
    """Return the error for a configuration with a value that cannot be, such as NaN.

    Args:
        error: of the validation.
        options: what was validated.
        path: how the error begins.
    """
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    message = explained(first, place, options.model_fields)
    return ModelError(f"{path}{message}; the model folder is damaged")


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _finite(digits: str) -> float:
    if not math.isfinite(value := float(digits)):
        raise ValueError("a number that is too large")
    return value


def content(folder: Path, name: str, config: ModelConfig) -> bytes:
    """Read a file of a model folder that has a hash, and check it.

    Raises:
        ModelError: if it is missing or not the file that ``config.json`` describes.
    """
    path = folder / name
    if name not in config.sha256:
        raise ModelError(f"{folder} has no {name}; it can only be started from (pretraining.model)")
    try:
        data = read_regular(path, MOST_BYTES)
    except OSError as error:
        raise ModelError(
            f"{path}: cannot read it ({error.strerror}); the folder is incomplete, copy it again"
        ) from error
    if hashlib.sha256(data).hexdigest() != config.sha256.get(name):
        raise ModelError(
            f"{path} is not the file that {CONFIG} describes (SHA-256 differs); it was changed or "
            "damaged, copy the model folder again"
        )
    return data


def card(folder: Path) -> str | None:
    """Return the description of a model; ``None`` if there is none that can be read."""
    try:
        return read_regular(folder / CARD, MOST_TEXT).decode(errors="replace")
    except OSError:
        return None


def write(folder: Path, config: dict[str, Any], card: str, files: Mapping[str, bytes]) -> None:
    """Write a model folder; ``config.json``, with the hashes, comes last.

    Args:
        folder: model folder.
        config: content of ``config.json``, hashes left out.
        card: description.
        files: contents of all other files by name.

    Raises:
        StorageError: if it cannot be written.
    """
    hashes = {}
    for name, data in files.items():
        with replacing(folder / name) as temporary:
            temporary.write_bytes(data)
        hashes[name] = hashlib.sha256(data).hexdigest()
    write_text(folder / CARD, card)
    whole = ModelConfig.model_validate(config | {"sha256": hashes})
    values = whole.model_dump(mode="json")
    for name in ("dimensions", "neutral"):
        if not values[name]:  # so that older versions can read it
            del values[name]
    write_text(folder / CONFIG, json.dumps(values, indent=1) + "\n")
