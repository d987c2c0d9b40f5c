"""An experiment's configuration: a YAML file, changed by ``key=value``, checked in full."""

import os
import re
import types
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from emotone.corpora import READERS, AnyCorpusOptions
from emotone.errors import ModelError, UsageError
from emotone.evaluation.protocol import ProtocolOptions
from emotone.experiments.overrides import read_yaml, set_option
from emotone.features import FeatureOptions
from emotone.inference import model_folder
from emotone.models.crnn import CrnnOptions
from emotone.models.registry import MODEL_KINDS, AnyModelOptions
from emotone.options import Options, Seed, explained, first_error, nearest
from emotone.safe_yaml import parsed
from emotone.text import shown
from emotone.training.options import TrainingOptions
from emotone.training.pretraining import FineTuningOptions

__all__ = ["ExperimentConfig", "PretrainingOptions", "RuntimeOptions", "checked", "load"]

CORPUS_NAME = re.compile(r"corpus(\.\d+)?\.name")


def _listed(value: Any) -> Any:
    """One corpus or a list of them."""
    return [value] if isinstance(value, dict | Options) else value


class RuntimeOptions(Options):
    """Where and how an experiment runs; not part of its identity.

    Attributes:
        device: ``cpu``, ``cuda``, ``mps`` or ``auto``.
        jobs: number of runs at once, each a process; ``None`` for one per core.
        threads: threads of each run. Results are repeatable for one number of threads.
        cluster: ``auto`` or the address of a Ray cluster; ``None`` for this machine.
        gpu_share: share of a GPU reserved for each run on a cluster, with ``device: cuda``.
        log: where training curves go while runs last: ``tensorboard``, ``mlflow``, ``csv``, which
            is written in any case; see :mod:`emotone.experiments.logs`.
        log_folder: folder of these logs; ``None`` for the results folder.
    """

    device: Literal["auto", "cpu", "cuda", "mps"] = "cpu"
    jobs: int | None = Field(None, ge=1)
    threads: int = Field(1, ge=1)
    cluster: str | None = Field(None, min_length=1)
    gpu_share: float = Field(0.25, gt=0, le=1)
    log: tuple[Literal["tensorboard", "csv", "mlflow"], ...] = ()
    log_folder: Path | None = None

    @property
    def processes(self) -> int:
        """Runs at once on this machine."""
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        return self.jobs or max((cores or 1) // self.threads, 1)


SomeCorpora = Annotated[tuple[AnyCorpusOptions, ...], BeforeValidator(_listed), Field(min_length=1)]


class PretrainingOptions(FineTuningOptions):
    """What a network starts from before it is trained on the training speakers of a fold.

    Number of epochs and learning rate are those of ``training``.

    Attributes:
        model: a trained model, see :func:`emotone.inference.model_folder.locate`; all folds and
            seeds start from it.
        model_sha256: hash of its weights; filled in automatically.
        allow_overlap: test also on utterances that are known to be in this earlier training.
        allow_other_labels: start also from a model that knows none of the labels.
    """

    model: str | None = None
    model_sha256: str | None = None
    allow_overlap: bool = False
    allow_other_labels: bool = False

    @model_validator(mode="after")
    def _source_is_there(self) -> "PretrainingOptions":
        if self.model is not None:
            try:
                found = model_folder.read(model_folder.locate(self.model)).sha256.get(
                    model_folder.WEIGHTS, ""
                )
            except ModelError as error:
                raise ValueError(str(error)) from error
            object.__setattr__(self, "model_sha256", found)
        if self.model_sha256 is None:
            raise ValueError(
                "give the model to start from, pretraining.model=FOLDER; emotone train makes one"
            )
        return self


class ExperimentConfig(Options):
    """Everything that defines an experiment, and how to run it.

    Attributes:
        corpus: what is read: one corpus, or a list of corpora, which are one experiment.
        protocol: how the corpus is divided.
        features: options of the features.
        model: the kind of model, and its sizes.
        training: how a network is trained.
        pretraining: what a network starts from; ``None`` for random weights.
        seeds: one network is trained for each seed and fold; in ``train``, those of several seeds
            are one model that answers with the mean of their probabilities.
        runtime: where and how it runs.
    """

    corpus: SomeCorpora
    protocol: ProtocolOptions = ProtocolOptions()
    features: FeatureOptions = FeatureOptions()
    model: AnyModelOptions = CrnnOptions()
    training: TrainingOptions = TrainingOptions()
    pretraining: PretrainingOptions | None = None
    seeds: tuple[Seed, ...] = (0,)
    runtime: RuntimeOptions = RuntimeOptions()

    @field_validator("seeds")
    @classmethod
    def _seeds_differ(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if not seeds or len(set(seeds)) < len(seeds):
            raise ValueError("give at least one seed, each once")
        return seeds

    @model_validator(mode="after")
    def _model_fits(self) -> "ExperimentConfig":
        self.check_model()
        return self

    def check_model(self) -> None:
        """Raise a :class:`ValueError` if other options do not fit the kind of model."""
        kind = f"model.kind={self.model.kind}"
        if self.model.is_network:
            self.model.check(self.features)
            augmentations = self.training.augment.of_log_mel
            if augmentations and not self.model.reads_log_mel:
                raise ValueError(
                    f"training.augment: {', '.join(augmentations)} change log-mel spectrograms, "
                    f"which {kind} does not read; set them to 0"
                )
        elif self.pretraining is not None:
            raise ValueError(f"pretraining: {kind} cannot be pre-trained")
        elif self.training.teacher is not None:
            raise ValueError(f"training.teacher: {kind} cannot be taught")

    @model_validator(mode="after")
    def _dimensions_fit(self) -> "ExperimentConfig":
        default = TrainingOptions.model_fields["dimensions_weight"].default
        if any(corpus.dimensions for corpus in self.corpus):
            if not self.model.is_network:
                raise ValueError(
                    f"corpus.dimensions: model.kind={self.model.kind} learns classes alone; leave "
                    "the dimensions out, or use a network such as crnn"
                )
        elif self.training.dimensions_weight != default:
            raise ValueError(
                "training.dimensions_weight: there are no dimensions; set "
                "corpus.dimensions=[arousal,valence] with it"
            )
        return self

    @property
    def only_dimensions(self) -> bool:
        """Whether dimensions are learnt instead of classes."""
        has_some = any(corpus.dimensions for corpus in self.corpus)
        return has_some and self.training.dimensions_weight == 1

    def identity(self) -> dict[str, Any]:
        """What defines the experiment: everything except runtime and file locations."""
        values = self._portable()
        del values["runtime"]
        return values

    def as_yaml(self) -> str:
        """The resolved configuration, without the location of the corpus."""
        return yaml.safe_dump(self._portable(), sort_keys=False, default_flow_style=None)

    def _portable(self) -> dict[str, Any]:
        where: dict[str, Any] = {
            "corpus": {"__all__": {"root", "audio"}},
            "training": {"disturb": {"noise_folder", "room_folder"}, "teacher": {"results"}},
            "pretraining": {"model"},
        }
        values = self.model_dump(mode="json", exclude=where)
        if len(self.corpus) == 1:
            (values["corpus"],) = values["corpus"]
        return values


def load(path: Path, overrides: Sequence[str] = ()) -> ExperimentConfig:
    """Read a configuration file and apply ``key=value`` overrides.

    Values are YAML: ``training.epochs=20``, ``model.kernel_widths=[3,5]``.

    Raises:
        UsageError: if the file is missing or not YAML, or an option is unknown or has a bad value.
    """
    values = read_yaml(path)
    if values.keys() & {"base", "variants", "extends"}:
        raise UsageError(f"{path}: this is an ablation; give it to emotone ablate")
    for override in overrides:
        set_option(values, override)
    return checked(values, str(path))


def changed(configuration: str) -> dict[str, Any]:
    """Find the options of a resolved configuration that differ from the defaults.

    Args:
        configuration: as :meth:`ExperimentConfig.as_yaml` writes it.

    Returns:
        Values by key, such as ``training.epochs``, with the corpus and the kind of model in any
        case; empty if this version does not know an option.

    >>> changed("{corpus: {name: emodb}, training: {epochs: 5, batch: 16}}")
    {'corpus.name': 'emodb', 'model.kind': 'crnn', 'training.epochs': 5}
    """
    try:
        found = ExperimentConfig.model_validate(parsed(configuration, "is not YAML"))
    except (ValidationError, UsageError):
        return {}
    plain = ExperimentConfig(
        corpus=tuple(type(corpus).model_validate({}) for corpus in found.corpus)
    ).model_copy(  # unchecked: other defaults may not suit this kind
        update={"model": type(found.model).model_validate({})}
    )
    return dict(_differing(found._portable(), plain._portable()))


def _differing(found: Any, plain: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the values that differ, by key, and what each corpus and kind of model is."""
    if isinstance(found, list) and all(isinstance(one, dict) for one in found):
        found, plain = (dict(enumerate(one)) if one else {} for one in (found, plain))
    if isinstance(found, dict):
        others = plain if isinstance(plain, dict) else {}
        for name, value in found.items():
            yield from _differing(value, others.get(name), f"{key}.{name}".removeprefix("."))
    elif found != plain or key == "model.kind" or CORPUS_NAME.fullmatch(key):
        yield key, found


def checked(values: dict[str, Any], source: str) -> ExperimentConfig:
    """Check a configuration.

    Raises:
        UsageError: names the first bad option, what was expected, and the nearest valid name.
    """
    try:
        return ExperimentConfig.model_validate(values)
    except ValidationError as error:
        raise UsageError(f"{source}: {_explain(error)}") from error


def _explain(error: ValidationError) -> str:
    first = first_error(error)
    location = [str(part) for part in first["loc"]]
    corpus_class: type[BaseModel] = Options
    model_class: type[BaseModel] = CrnnOptions
    if location[:1] == ["model"] and len(location) > 1 and location[1] in MODEL_KINDS:
        model_class = MODEL_KINDS[location.pop(1)]
    name = ".".join(location)
    place = 1 if location[:1] == ["corpus"] else len(location)
    if len(location) > place:
        number = location.pop(place)
        if len(location) > place and location[place] in READERS:
            corpus_class = READERS[location.pop(place)].options
        which = [number] if number != "0" else []
        name = ".".join([*location[:place], *which, *location[place:]])
    if first["type"].startswith("union_tag"):
        is_model = location == ["model"]
        key, kinds = ("model.kind", MODEL_KINDS) if is_model else ("corpus.name", READERS)
        return _explain_kind(key, list(kinds), first.get("input"))
    classes = {"corpus": corpus_class, "model": model_class}
    known = _names(location[:-1], classes)
    if first["type"] == "extra_forbidden" and location:  # such as epochs for training.epochs
        option = location[-1]
        homes = [one for one in ExperimentConfig.model_fields if option in _names([one], classes)]
        known = [f"{home}.{option}" for home in homes] or known
    return explained(first, name, known)


def _explain_kind(key: str, kinds: Sequence[str], given: Any) -> str:
    """Say what is wrong with the option that says which options its section has."""
    option, known = key.partition(".")[2], ", ".join(kinds)
    if isinstance(given, dict) and option not in given:
        near = next((one for one in given if nearest(str(one), [option])), None)
        hint = f"; did you mean '{option}' by '{near}'?" if near else ""
        return f"{key} is missing; expected one of {known}{hint}"
    asked = given[option] if isinstance(given, dict) else given
    hint = nearest(str(asked), kinds) if asked else ""
    return f"{key} must be one of {known}, got {shown(asked)}{hint}"


def _names(sections: Iterable[str], classes: dict[str, type[BaseModel]]) -> list[str]:
    """Names of the options in a section; ``classes`` says which one a union stands for."""
    model: type[BaseModel] = ExperimentConfig
    for section in sections:
        if section in classes:
            model = classes[section]
        elif section in model.model_fields:
            model = options_in(model.model_fields[section].annotation) or model
    return list(model.model_fields)


def options_in(annotation: Any) -> type[BaseModel] | None:
    """Return the class of options in a type such as ``Options | None``, if there is one."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (Union, types.UnionType):
        return next((found for part in get_args(annotation) if (found := options_in(part))), None)
    return None
