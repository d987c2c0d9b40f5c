"""The space of a search: options with their choices or ranges, read from YAML."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from emotone import safe_yaml
from emotone.errors import UsageError
from emotone.experiments.config import ExperimentConfig, checked
from emotone.experiments.option_list import all_options, yaml_text
from emotone.experiments.overrides import set_value
from emotone.options import Options, explained, nearest
from emotone.text import shortened, shown

SEARCHED = ("features", "model", "training", "pretraining")  # sections a space may change
ONLY_DIMENSIONS = (
    "training.dimensions_weight=1 learns no emotions, by whose UAR a search chooses; give less, "
    "such as 0.9"
)
EXAMPLE = "training.crop: [0.5, 0.75, 1.0]"
NUMBERS: dict[str, type[int] | type[float]] = {"int": int, "float": float}  # by type of an option
Suggestion = dict[str, Any]  # value of each option that is searched


class Dimension(Options):
    """What an option may be: one of ``choices``, or a number from ``low`` to ``high``.

    A list alone is its choices. Numbers are whole if the option's are, see :func:`load`.

    Attributes:
        choices: values, of any kind.
        low: least number.
        high: greatest number.
        step: distance between numbers; whole numbers have 1.
        log: whether numbers are drawn on a logarithmic scale.
        when: names of other options of the space and the values at which this one is searched; at
            others it stays as in the configuration.
    """

    choices: list[Any] | None = None
    low: int | float | None = None
    high: int | float | None = None
    step: int | float | None = Field(None, gt=0)
    log: bool = False
    when: dict[str, list[Any]] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _list_or_mapping(cls, given: Any) -> Any:
        if isinstance(given, list):
            return {"choices": given}
        if not isinstance(given, dict):
            raise ValueError(f"expected a list of choices, or low and high, got {shown(given)}")
        return given

    @model_validator(mode="after")
    def _choices_or_range(self) -> "Dimension":
        if self.choices == []:
            raise ValueError("there are no choices; give at least one")
        is_range = self.low is not None and self.high is not None
        if is_range == (self.choices is not None) or (self.low is None) != (self.high is None):
            raise ValueError("give either choices, or low and high")
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValueError(f"low must be below high, got {self.low} and {self.high}")
        if self.log and (self.step is not None or (self.low is not None and self.low <= 0)):
            raise ValueError("log needs low above 0 and no step")
        return self

    @property
    def kind(self) -> Literal["choices", "whole", "real"]:
        """Whether it is one of several values, a whole number or a real one."""
        if self.choices is not None:
            return "choices"
        numbers = (self.low, self.high, self.step or 1)
        return "whole" if all(isinstance(one, int) for one in numbers) else "real"

    @property
    def ends(self) -> Sequence[Any]:
        """All choices, or the least and the greatest number."""
        return (self.low, self.high) if self.choices is None else self.choices

    def holds(self, value: Any) -> bool:
        """Whether a value is one of the choices, or of the numbers of the range."""
        if self.low is None or self.high is None:
            return as_text(value) in map(as_text, self.choices or ())
        types = int if self.kind == "whole" else (int, float)
        if not isinstance(value, types) or isinstance(value, bool):
            return False
        steps = (value - self.low) / self.step if self.step else 0.0
        return self.low <= value <= self.high and math.isclose(steps, round(steps), abs_tol=1e-8)

    def suggested(self, name: str, trial: Any) -> Any:
        """Let a trial of Optuna choose a value."""
        if self.choices is not None:
            values = {as_text(value): value for value in self.choices}
            return values[trial.suggest_categorical(name, list(values))]
        if self.kind == "whole":
            step = int(self.step or 1)
            return trial.suggest_int(name, self.low, self.high, step=step, log=self.log)
        return trial.suggest_float(name, self.low, self.high, step=self.step, log=self.log)

    def described(self) -> str:
        """What it may be, in words."""
        if self.choices is not None:
            return f"one of {yaml_text(self.choices)}"
        step = f" in steps of {self.step}" if self.step else ""
        numbers = "a whole number" if self.kind == "whole" else "any real number"
        return f"{numbers} from {self.low} to {self.high}{step}"


FIELDS = Dimension.model_fields.keys()
DIMENSIONS = TypeAdapter(dict[str, Dimension])


@dataclass(frozen=True)
class Space:
    """The options that a search may change.

    Attributes:
        dimensions: by the full name of the option; conditions come before what depends on them.
        config: the configuration that is changed.
        source: how errors begin.
    """

    dimensions: dict[str, Dimension]
    config: ExperimentConfig
    source: str

    def identity(self) -> dict[str, Any]:
        """What defines the space."""
        return {name: one.model_dump(mode="json") for name, one in self.dimensions.items()}

    def suggest(self, trial: Any) -> Suggestion:
        """Let a trial of Optuna choose a value of each option whose condition holds."""
        chosen: Suggestion = {}
        for name, dimension in self.dimensions.items():
            if self._applies(dimension, chosen):
                chosen[name] = dimension.suggested(name, trial)
        return chosen

    def start(self) -> dict[str, Any] | None:
        """The configuration itself as parameters of Optuna, if it lies in the space."""
        chosen: Suggestion = {}
        for name, dimension in self.dimensions.items():
            if self._applies(dimension, chosen):
                value = _value(self.config.identity(), name)
                if not dimension.holds(value):
                    return None
                chosen[name] = value
        return {
            name: as_text(value) if self.dimensions[name].choices is not None else value
            for name, value in chosen.items()
        }

    def configuration(self, chosen: Suggestion) -> ExperimentConfig:
        """The configuration with the chosen values.

        Raises:
            UsageError: if one is wrong, they do not go together, or no emotions are learnt.
        """
        values = self.config.model_dump(mode="json")
        for name, value in chosen.items():
            set_value(values, name, value, self.source)
        config = checked(values, self.source)
        if config.only_dimensions:
            raise UsageError(f"{self.source}: {ONLY_DIMENSIONS}")
        return config

    def _applies(self, dimension: Dimension, chosen: Suggestion) -> bool:
        return all(
            name in chosen and as_text(chosen[name]) in map(as_text, values)
            for name, values in dimension.when.items()
        )


def load(path: Path, config: ExperimentConfig) -> Space:
    """Read a space and check that the configuration has its options, which take its values.

    A range of an option that is a whole number has whole numbers, however its ends are written;
    one of an option that is a real number has real numbers.

    Args:
        path: YAML file: for each option a list of choices, or a :class:`Dimension`.
        config: the configuration that is changed.

    Raises:
        UsageError: if the file cannot be read, names an unknown option, one that a search may not
            change, or a value that an option never takes, or no emotions are learnt.
    """
    if config.only_dimensions:
        raise UsageError(ONLY_DIMENSIONS)
    given = _read(path)
    _refuse_other_sections(given, path)
    _refuse_nested(given, path)
    try:
        read = DIMENSIONS.validate_python(given)
    except ValidationError as error:
        first = error.errors()[0]
        place = first["loc"][:2]  # then the types of a number, of which the last is the wider
        first = [one for one in error.errors() if one["loc"][:2] == place][-1]
        name = ".".join(map(str, place))
        raise UsageError(f"{path}: {explained(first, name, Dimension.model_fields)}") from error
    types = {
        option.key: option.type.removesuffix(" or null")
        for option in all_options()
        if option.only_with in ("", f"model.kind={config.model.kind}")
    }
    dimensions = {
        name: _with_numbers(one, types.get(name, ""), f"{path}: {name}")
        for name, one in read.items()
    }
    _check_conditions(dimensions, path)
    space = Space(_ordered(dimensions, path), config, str(path))
    _refuse_bad_values(space)
    return space


def _read(path: Path) -> dict[str, Any]:
    try:
        values = safe_yaml.read(path)
    except OSError as error:
        raise UsageError(
            f"{path}: cannot read this space ({error.strerror}); give a YAML file of options, "
            f"such as {EXAMPLE}"
        ) from error
    if not values:
        raise UsageError(f"{path}: no options; give one such as {EXAMPLE}")
    if not isinstance(values, dict):
        raise UsageError(f"{path}: expected options, such as {EXAMPLE}, got {shown(values)}")
    return values


def _refuse_other_sections(given: Mapping[str, Any], path: Path) -> None:
    for name in given:
        if str(name).partition(".")[0] not in SEARCHED:
            raise UsageError(
                f"{path}: {name} cannot be searched; trials share corpus, protocol, seeds and "
                "runtime, so that they can be compared; a space has options of "
                f"{', '.join(SEARCHED)}"
            )
        if name == "model.kind":
            raise UsageError(
                f"{path}: model.kind cannot be searched, as kinds have different options; search "
                "once for each kind"
            )


def _refuse_nested(given: Mapping[str, Any], path: Path) -> None:
    """Raise a :class:`UsageError` for options below their section, as a configuration has them."""
    sections = {option.section for option in all_options()}
    for name, one in given.items():
        full, value = name, one
        while full in sections and isinstance(value, dict) and value and not FIELDS & value.keys():
            option, value = next(iter(value.items()))
            full = f"{full}.{option}"
        if full != name:
            raise UsageError(
                f"{path}: {name}: a space has each option on a line with its full name; write "
                f"{full}: {shortened(yaml_text(value))}"
            )


def _with_numbers(dimension: Dimension, kind: str, place: str) -> Dimension:
    """Give the numbers of a range the type of the option."""
    number = NUMBERS.get(kind)
    if dimension.choices is not None or number is None:
        return dimension
    given = dimension.model_dump(include={"low", "high", "step"}, exclude_none=True)
    for name, value in given.items():
        if number(value) != value:
            raise UsageError(
                f"{place}.{name}: expected a whole number, as the option is, got {value}"
            )
    return dimension.model_copy(update={name: number(value) for name, value in given.items()})


def _check_conditions(dimensions: Mapping[str, Dimension], path: Path) -> None:
    """Raise a :class:`UsageError` for a condition that names no option, or never holds."""
    for name, dimension in dimensions.items():
        for other, values in dimension.when.items():
            if other not in dimensions:
                raise UsageError(
                    f"{path}: a condition (when) names '{other}', which is no option of this space"
                    f"{nearest(other, dimensions)}"
                )
            asked = dimensions[other]
            never = [value for value in values if asked.kind == "real" or not asked.holds(value)]
            if never or not values:
                raise UsageError(
                    f"{path}: {name}: the condition (when) {other}: {shown(never)} never holds; "
                    f"{other} is {asked.described()}"
                )


def _corners(space: Space) -> Iterator[tuple[str, Suggestion]]:
    """Each option with each choice, or each end of its range, and what its condition asks for."""
    for name, dimension in space.dimensions.items():
        for value in dimension.ends:
            conditions: Suggestion = {}
            asked = [name]
            while asked:
                for other, values in space.dimensions[asked.pop()].when.items():
                    conditions[other] = values[0]
                    asked.append(other)
            yield name, {**conditions, name: value}


def as_text(value: Any) -> str:
    """A value as text: what Optuna stores of a choice.

    >>> as_text([3, 5]), as_text("mean")
    ('[3, 5]', '"mean"')
    """
    return json.dumps(value)


def _ordered(dimensions: Mapping[str, Dimension], path: Path) -> dict[str, Dimension]:
    """Put conditions before what depends on them."""
    ordered: dict[str, Dimension] = {}
    while len(ordered) < len(dimensions):
        ready = {
            name: one
            for name, one in dimensions.items()
            if name not in ordered and set(one.when) <= set(ordered)
        }
        if not ready:
            circle = ", ".join(name for name in dimensions if name not in ordered)
            raise UsageError(f"{path}: the conditions (when) of {circle} depend on each other")
        ordered |= ready
    return ordered


def _refuse_bad_values(space: Space) -> None:
    """Raise a :class:`UsageError` for an unknown option, or a value that an option never takes.

    Values that do not go together with others are found in the trials.
    """
    for name, chosen in _corners(space):
        try:
            space.configuration(chosen)
        except UsageError as error:
            of_option = str(error).startswith(f"{space.source}: {name}")
            reasons = ("unknown option", "has no options of its own")
            if of_option or any(reason in str(error) for reason in reasons):
                raise


def _value(values: Mapping[str, Any], name: str) -> Any:
    """Value of the option ``name`` in a configuration; ``None`` if it has none."""
    place: Any = values
    for part in name.split("."):
        place = place.get(part) if isinstance(place, Mapping) else None
    return place
