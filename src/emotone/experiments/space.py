"""The space of a search: options with their choices or ranges, read from YAML."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from emotone.errors import UsageError
from emotone.experiments.config import ExperimentConfig, checked
from emotone.experiments.overrides import read_yaml, set_value
from emotone.options import Options, explained, nearest

SEARCHED = ("features", "model", "training", "pretraining")  # sections a space may change
Suggestion = dict[str, Any]  # value of each option that is searched


class Dimension(Options):
    """What an option may be: one of ``choices``, or a number from ``low`` to ``high``.

    Attributes:
        choices: values, of any kind.
        low: least number.
        high: greatest number.
        step: distance between numbers; whole numbers have 1.
        log: whether numbers are drawn on a logarithmic scale.
        when: names of other options of the space and the values at which this one is searched; at
            others it stays as in the configuration.
    """

    choices: tuple[Any, ...] | None = Field(None, min_length=1)
    low: int | float | None = None
    high: int | float | None = None
    step: int | float | None = Field(None, gt=0)
    log: bool = False
    when: dict[str, tuple[Any, ...]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _choices_or_range(self) -> "Dimension":
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
    def ends(self) -> tuple[Any, ...]:
        """All choices, or the least and the greatest number."""
        return (self.low, self.high) if self.choices is None else self.choices

    def holds(self, value: Any) -> bool:
        """Whether a value is one of the choices or in the range."""
        if self.choices is not None:
            return as_text(value) in map(as_text, self.choices)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return is_number and self.low <= value <= self.high

    def suggested(self, name: str, trial: Any) -> Any:
        """Let a trial of Optuna choose a value."""
        if self.choices is not None:
            values = {as_text(value): value for value in self.choices}
            return values[trial.suggest_categorical(name, list(values))]
        if self.kind == "whole":
            step = int(self.step or 1)
            return trial.suggest_int(name, self.low, self.high, step=step, log=self.log)
        return trial.suggest_float(name, self.low, self.high, step=self.step, log=self.log)


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
            UsageError: if they do not go together.
        """
        values = self.config.model_dump(mode="json")
        for name, value in chosen.items():
            set_value(values, name, value, self.source)
        return checked(values, self.source)

    def _applies(self, dimension: Dimension, chosen: Suggestion) -> bool:
        return all(
            name in chosen and as_text(chosen[name]) in map(as_text, values)
            for name, values in dimension.when.items()
        )


def load(path: Path, config: ExperimentConfig) -> Space:
    """Read a space and check that the configuration has its options.

    Args:
        path: YAML file: for each option a list of choices, or a :class:`Dimension`.
        config: the configuration that is changed.

    Raises:
        UsageError: if the file cannot be read, names an unknown option, or one that a search may
            not change.
    """
    given = {
        name: {"choices": one} if isinstance(one, list) else one
        for name, one in read_yaml(path).items()
    }
    for name in given:
        if str(name).partition(".")[0] not in SEARCHED:
            raise UsageError(
                f"{path}: {name} cannot be searched; trials share corpus, protocol, seeds and "
                "runtime, so that they can be compared; a space has options of "
                f"{', '.join(SEARCHED)}"
            )
    try:
        dimensions = DIMENSIONS.validate_python(given)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"{path}: {explained(first, name, Dimension.model_fields)}") from error
    if not dimensions:
        raise UsageError(f"{path}: no options; give one such as training.crop: [0.5, 0.75, 1.0]")
    space = Space(_ordered(dimensions, path), config, str(path))
    for chosen in _corners(space):
        _refuse_unknown(space, chosen)
    return space


def _corners(space: Space) -> Iterator[Suggestion]:
    """Each choice, and each end of a range, with what its condition asks for."""
    for name, dimension in space.dimensions.items():
        for value in dimension.ends:
            conditions: Suggestion = {}
            asked = [name]
            while asked:
                for other, values in space.dimensions[asked.pop()].when.items():
                    conditions[other] = values[0]
                    asked.append(other)
            yield {**conditions, name: value}


def as_text(value: Any) -> str:
    """A value as text: what Optuna stores of a choice.

    >>> as_text([3, 5]), as_text("mean")
    ('[3, 5]', '"mean"')
    """
    return json.dumps(value)


def _ordered(dimensions: Mapping[str, Dimension], path: Path) -> dict[str, Dimension]:
    """Put conditions before what depends on them."""
    ordered: dict[str, Dimension] = {}
    for name in chain.from_iterable(one.when for one in dimensions.values()):
        if name not in dimensions:
            raise UsageError(
                f"{path}: a condition (when) names '{name}', which is no option of this space"
                f"{nearest(name, dimensions)}"
            )
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


def _refuse_unknown(space: Space, chosen: Suggestion) -> None:
    """Raise a :class:`UsageError` for a name that is no option; what goes together comes later."""
    try:
        space.configuration(chosen)
    except UsageError as error:
        if "unknown option" in str(error) or "has no options of its own" in str(error):
            raise


def _value(values: Mapping[str, Any], name: str) -> Any:
    """Value of the option ``name`` in a configuration; ``None`` if it has none."""
    place: Any = values
    for part in name.split("."):
        place = place.get(part) if isinstance(place, Mapping) else None
    return place
