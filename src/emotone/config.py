"""An experiment's configuration: a YAML file, changed by ``key=value``, checked in full."""

import math
import types
from collections.abc import Iterable, Sequence
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
from emotone.errors import UsageError
from emotone.features import FeatureOptions
from emotone.folds import ProtocolOptions
from emotone.model import ModelOptions
from emotone.options import Options, nearest
from emotone.training import TrainingOptions

SHIPPED = Path(__file__).parent / "experiments"


def _listed(value: Any) -> Any:
    """One corpus or a list of them."""
    return [value] if isinstance(value, dict | Options) else value


class RuntimeOptions(Options):
    """Where and how an experiment runs; none of it is part of what the experiment is.

    Attributes:
        device: ``cpu``, ``cuda``, ``mps`` or ``auto``.
        jobs: runs at once, each a process; ``None`` for one per core.
        threads: threads of each run. Results are repeatable for one number of threads.
    """

    device: Literal["auto", "cpu", "cuda", "mps"] = "cpu"
    jobs: int | None = Field(None, ge=1)
    threads: int = Field(1, ge=1)


class ExperimentConfig(Options):
    """All that defines an experiment, and how to run it."""

    corpus: Annotated[tuple[AnyCorpusOptions, ...], BeforeValidator(_listed), Field(min_length=1)]
    protocol: ProtocolOptions = ProtocolOptions()
    features: FeatureOptions = FeatureOptions()
    model: ModelOptions = ModelOptions()
    training: TrainingOptions = TrainingOptions()
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = (0,)
    runtime: RuntimeOptions = RuntimeOptions()

    @field_validator("seeds")
    @classmethod
    def _seeds_differ(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if not seeds or len(set(seeds)) < len(seeds):
            raise ValueError("give at least one seed, each once")
        return seeds

    @model_validator(mode="after")
    def _mels_last(self) -> "ExperimentConfig":
        pooled = math.prod(self.model.mel_pools)
        if pooled > self.features.mels:
            raise ValueError(
                f"model.mel_pools leave no mel band: {self.features.mels} bands, pooled {pooled} "
                "times; pool less or use more features.mels"
            )
        return self

    def identity(self) -> dict[str, Any]:
        """What makes two experiments the same: all but runtime and where files lie."""
        return self._portable() | {"runtime": None}

    def as_yaml(self) -> str:
        """The resolved configuration; the folder of the corpus is left out, it is the machine's."""
        return yaml.safe_dump(self._portable(), sort_keys=False, default_flow_style=None)

    def _portable(self) -> dict[str, Any]:
        values = self.model_dump(mode="json", exclude={"corpus": {"__all__": {"root", "audio"}}})
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
    for override in overrides:
        _set(values, override)
    return checked(values, str(path))


def corpus_options(name: str, root: Path | None, overrides: Sequence[str]) -> AnyCorpusOptions:
    """Options of one corpus, from its name, root and ``key=value``.

    Raises:
        UsageError: if the name or an option is unknown or has a bad value.
    """
    corpus: dict[str, Any] = {"name": name, "root": root}
    for override in overrides:
        _set(corpus, override)
    return checked({"corpus": corpus}, "corpus").corpus[0]


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file that holds a mapping.

    Raises:
        UsageError: if it cannot be read or holds something else.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        shipped = ", ".join(sorted(file.name for file in SHIPPED.glob("*.yaml")))
        raise UsageError(
            f"{path}: cannot read this configuration ({error.strerror}); "
            f"give the path of a YAML file such as one of experiments/: {shipped}"
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise UsageError(f"{path}: not valid YAML: {reason}") from error
    if not isinstance(values, dict):
        raise UsageError(
            f"{path}: expected sections such as 'corpus:', got {type(values).__name__}"
        )
    return values


def checked(values: dict[str, Any], source: str) -> ExperimentConfig:
    """Check a configuration.

    Raises:
        UsageError: names the first bad option, what was expected, and the nearest valid name.
    """
    try:
        return ExperimentConfig.model_validate(values)
    except ValidationError as error:
        raise UsageError(f"{source}: {_explain(error)}") from error


def _set(values: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key or any(not part for part in key.split(".")):
        raise UsageError(f"'{override}' is not of the form key=value, such as training.epochs=20")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UsageError(f"'{override}': the value is not valid YAML") from error
    *sections, last = key.split(".")
    place: Any = values
    for section in sections:
        if isinstance(place, list):
            place = place[_number(section, place, override)]
        elif isinstance(place, dict):
            place = place.setdefault(section, {})
        if not isinstance(place, dict | list):
            raise UsageError(f"'{override}': {section} has no options of its own")
    if isinstance(place, list):
        place[_number(last, place, override)] = value
    else:
        place[last] = value


def _number(section: str, place: list[Any], override: str) -> int:
    if not section.isdigit() or int(section) >= len(place):
        raise UsageError(
            f"'{override}': there are {len(place)} corpora; say which, such as corpus.0.root=…"
        )
    return int(section)


def _explain(error: ValidationError) -> str:
    first = error.errors()[0]
    location = [str(part) for part in first["loc"]]
    corpus_class: type[BaseModel] = Options
    if location[:1] == ["corpus"] and len(location) > 1:
        number = location.pop(1)
        if len(location) > 1 and location[1] in READERS:
            corpus_class = READERS[location.pop(1)][0]
        name = ".".join(["corpus", *([number] if number != "0" else []), *location[1:]])
    else:
        name = ".".join(location)
    if first["type"] == "extra_forbidden":
        names = _names(location[:-1], corpus_class)
        hint = nearest(location[-1], names) or f"; known are {', '.join(names)}"
        return f"unknown option '{name}'{hint}"
    if first["type"].startswith("union_tag"):
        given = first.get("input")
        asked = given.get("name") if isinstance(given, dict) else given
        hint = nearest(str(asked), READERS) if asked else ""
        return f"corpus.name must be one of {', '.join(READERS)}, got {asked!r}{hint}"
    message = first["msg"].removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    given = "" if first["type"] in ("missing", "value_error") else f", got {first['input']!r}"
    return f"{name or 'configuration'}: {message}{given}"


def _names(sections: Iterable[str], corpus_class: type[BaseModel]) -> list[str]:
    """Names of the options in a section."""
    model: type[BaseModel] = ExperimentConfig
    for section in sections:
        if section == "corpus":
            model = corpus_class
        elif section in model.model_fields:
            model = _model_in(model.model_fields[section].annotation) or model
    return list(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (Union, types.UnionType):
        return next((found for part in get_args(annotation) if (found := _model_in(part))), None)
    return None
