"""The file of an ablation: a base experiment, named ingredients, and variants made of them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, model_validator

from emotone.errors import UsageError
from emotone.experiments.config import ExperimentConfig, checked
from emotone.experiments.overrides import found, located, read_yaml, set_option, set_value
from emotone.options import Options, explained, first_error, nearest
from emotone.text import shown

__all__ = ["Ablation", "load"]

VARIED = ("features", "model", "training", "pretraining", "seeds")  # what a variant may change


class AblationFile(Options):
    """Content of the YAML file of an ablation.

    Attributes:
        extends: another such file in the same folder, or the name of one that ships; this one adds
            to its sections or replaces them. A variant that is null here is left out.
        base: an experiment, in the sections of :class:`ExperimentConfig`.
        ingredients: named changes of the base, each a mapping of options such as
            ``model.summary: mean``.
        variants: rows of the table, in order: each a list of ingredients and further changes.
        references: variants that all others are compared with.
    """

    extends: str | None = None
    base: dict[str, Any]
    ingredients: dict[str, dict[str, Any]] = Field(default_factory=dict)
    variants: dict[str, list[str | dict[str, Any]]] = Field(min_length=2)
    references: tuple[str, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_are_known(self) -> "AblationFile":
        for variant, parts in self.variants.items():
            for part in parts:
                if isinstance(part, str) and part not in self.ingredients:
                    raise ValueError(
                        f"variant '{variant}': unknown ingredient '{part}'"
                        f"{nearest(part, self.ingredients)}; known are "
                        f"{', '.join(self.ingredients) or 'none'}"
                    )
        for name in self.references:
            if name not in self.variants:
                raise ValueError(
                    f"references: unknown variant '{name}'{nearest(name, self.variants)}; "
                    f"known are {', '.join(self.variants)}"
                )
        if len(set(self.references)) < len(self.references):
            raise ValueError("references: name each variant once")
        return self


@dataclass(frozen=True)
class Ablation:
    """Variants of an experiment, checked.

    Attributes:
        base: the experiment that the variants change.
        variants: configurations by name; the rows of the table.
        references: names of the variants that the others are compared with.
    """

    base: ExperimentConfig
    variants: dict[str, ExperimentConfig]
    references: tuple[str, ...]

    def identity(self) -> dict[str, Any]:
        """What defines the ablation; see :meth:`ExperimentConfig.identity`."""
        return {name: variant.identity() for name, variant in self.variants.items()}


def load(path: str | Path, overrides: Sequence[str] = ()) -> Ablation:
    """Read an ablation's YAML file, or the shipped one of a name; apply ``key=value`` to its base.

    Raises:
        UsageError: if the file is missing or wrong, an ingredient, a variant or an option is
            unknown, or a variant changes nothing or is equal to another.
    """
    path = located(path)
    values = _extended(path, ())
    for override in overrides:
        values.setdefault("base", {})
        set_option(values["base"], override)
    names = AblationFile.model_fields.keys()
    if "variants" not in values and not any(nearest(key, names) for key in values.keys() - names):
        raise UsageError(
            f"{path}: no variants; this is not an ablation. Give one such as "
            "ablation-emodb, or use emotone crossval"
        )
    if isinstance(values.get("variants"), dict):
        kept = {name: parts for name, parts in values["variants"].items() if parts is not None}
        values["variants"] = kept
    try:
        file = AblationFile.model_validate(values)
    except ValidationError as error:
        first = first_error(error)
        place = ".".join(str(part) for part in first["loc"])
        message = explained(first, place, AblationFile.model_fields)
        raise UsageError(f"{path}: {message}") from error
    base = checked(file.base, str(path))
    variants: dict[str, ExperimentConfig] = {}
    for name, parts in file.variants.items():
        changes: dict[str, Any] = {}
        for part in parts:
            changes |= file.ingredients[part] if isinstance(part, str) else part
        variants[name] = _varied(file.base, changes, f"{path}: variant '{name}'")
        if changes and variants[name].identity() == base.identity():
            raise UsageError(f"{path}: variant '{name}' changes nothing; leave it out")
        if strangers := set(variants[name].seeds) - set(base.seeds):
            raise UsageError(
                f"{path}: variant '{name}' uses seed {min(strangers)}, which is not one of the "
                f"base's seeds {list(base.seeds)}; a variant may only leave seeds out"
            )
    _check_distinct(variants, path)
    return Ablation(base, variants, file.references)


def _check_distinct(variants: dict[str, ExperimentConfig], path: Path) -> None:
    """Raise a :class:`UsageError` if two variants are equal or would share a folder."""
    for one, other in combinations(variants, 2):
        if folder_name(one) == folder_name(other):
            raise UsageError(
                f"{path}: variants '{one}' and '{other}' would share the folder "
                f"{folder_name(one)}; rename one"
            )
        if variants[one].identity() == variants[other].identity():
            raise UsageError(f"{path}: variants '{one}' and '{other}' are equal; leave one out")


def folder_name(variant: str) -> str:
    """Name of a variant's folder: its letters and digits, the rest as single hyphens.

    >>> folder_name("all − training"), folder_name("baseline + summary")
    ('all-without-training', 'baseline-with-summary')
    """
    spoken = variant.replace("−", " without ").replace("+", " with ")
    letters = "".join(letter if letter.isalnum() else " " for letter in spoken)
    return "-".join(letters.lower().split())


def _extended(path: Path, before: tuple[Path, ...]) -> dict[str, Any]:
    """Values of a file and of the files it extends; ``before`` are the files that extend it."""
    before = (*before, path.resolve())
    values = read_yaml(path)
    extends = values.get("extends")
    if extends is None:
        return values
    is_path = isinstance(extends, str) and "\0" not in extends
    below = found(path.parent, extends) if is_path else path
    if below.resolve() in before:
        raise UsageError(
            f"{path}: extends must name another file beside it, or one that ships, got "
            f"{shown(extends)}"
        )
    return _merged(_extended(below, before), values)


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merged(merged[key], value) if both else value
    return merged


def _varied(base: dict[str, Any], changes: dict[str, Any], source: str) -> ExperimentConfig:
    values = json.loads(json.dumps(base, default=str))
    for key, value in changes.items():
        section = key.partition(".")[0]
        if section not in VARIED:
            raise UsageError(
                f"{source} changes {key}; variants share corpus, protocol and runtime, so that "
                f"they can be compared; they may change {', '.join(VARIED)}"
            )
        set_value(values, key, value, source)
    return checked(values, source)
