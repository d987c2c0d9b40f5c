"""Lists every option of a configuration, from the option classes and their docstrings.

``emotone config``, its template and the reference page of the documentation are made of this list.
"""

import inspect
import re
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from emotone.corpora import READERS
from emotone.corpora.base import CorpusOptions
from emotone.errors import UsageError
from emotone.experiments.config import ExperimentConfig, options_in
from emotone.models.registry import MODEL_KINDS
from emotone.options import nearest

NAMES = {str: "text", Path: "path", bool: "true or false", int: "int", float: "float"}
SIGNS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}  # of limits in the metadata of a field
ATTRIBUTE = re.compile(r"^    (\w+): (.+(?:\n {8,}.+)*)", re.MULTILINE)
ROLE = re.compile(r":\w+:`~?([^`]+)`")
REQUIRED = "required"


@dataclass(frozen=True)
class Option:
    """One option.

    Attributes:
        key: full name, such as ``training.epochs``.
        type: of the value, such as ``int`` or ``all | corpus``.
        default: as YAML; ``required`` if there is none.
        range: limits of the value, such as ``≥ 1``; may be empty.
        meaning: from the docstring of its class, with names in backquotes.
        only_with: the option that must be set for this one to exist, such as ``model.kind=crnn``;
            may be empty.
    """

    key: str
    type: str
    default: str
    range: str
    meaning: str
    only_with: str = ""

    @property
    def section(self) -> str:
        """What is before the last dot of the key; empty for ``seeds``."""
        return self.key.rpartition(".")[0]


def all_options() -> list[Option]:
    """All options of an experiment, in the order of its configuration.

    >>> [option.key for option in all_options() if option.section == "protocol"][:2]
    ['protocol.name', 'protocol.folds']
    """
    described = meanings(ExperimentConfig)
    found: list[Option] = []
    for name, field in ExperimentConfig.model_fields.items():
        if name == "corpus":
            found += _of_corpora()
        elif name == "model":
            found += _of_models()
        else:
            found += _of_field(name, field, described)
    return found


def matching(key: str) -> list[Option]:
    """The options of a section or of this name, such as ``training`` or ``training.epochs``.

    Raises:
        UsageError: if there are none; names the nearest.
    """
    options = all_options()
    found = [one for one in options if one.key == key or one.key.startswith(f"{key}.")]
    found = found or [one for one in options if one.key.rpartition(".")[2] == key]
    if not found:
        names = {one.key for one in options} | {one.section for one in options if one.section}
        last = {name.rpartition(".")[2]: name for name in sorted(names)}
        hint = nearest(key, names) or nearest(key, last) or "; emotone config lists all of them"
        raise UsageError(f"unknown option '{key}'{hint}")
    return found


def summary(model: type[BaseModel]) -> str:
    """First sentence of the docstring of an option class."""
    return _plain(inspect.cleandoc(model.__doc__ or "").partition("\n\n")[0])


def meanings(model: type[BaseModel]) -> dict[str, str]:
    """Meaning of each option of a class, from its docstring and those of its bases."""
    found: dict[str, str] = {}
    for base in reversed(model.__mro__):
        if issubclass(base, BaseModel):
            text = inspect.cleandoc(base.__doc__ or "")
            found |= {name: _plain(meaning) for name, meaning in ATTRIBUTE.findall(text)}
    return found


def _of_corpora() -> Iterator[Option]:
    """Options that all readers have, then those of each reader."""
    common = list(_of_class(CorpusOptions, "corpus"))
    yield replace(common[0], type=" | ".join(READERS))
    yield from common[1:]
    for name, reader in READERS.items():
        for option in _of_class(reader.options, "corpus"):
            if option.key not in {one.key for one in common}:
                yield replace(option, only_with=f"corpus.name={name}")


def _of_models() -> Iterator[Option]:
    """The kind of model, then the options of each kind."""
    default = ExperimentConfig.model_fields["model"].default.kind
    for number, (kind, options) in enumerate(MODEL_KINDS.items()):
        for option in _of_class(options, "model"):
            if option.key != "model.kind":
                yield replace(option, only_with=f"model.kind={kind}")
            elif number == 0:
                yield replace(option, type=" | ".join(MODEL_KINDS), default=default)


def _of_class(model: type[BaseModel], section: str) -> Iterator[Option]:
    described = meanings(model)
    for name, field in model.model_fields.items():
        yield from _of_field(f"{section}.{name}", field, described)


def _of_field(key: str, field: FieldInfo, described: Mapping[str, str]) -> Iterator[Option]:
    """The option of a field, or those of the class that is its type."""
    kind = field.annotation
    meaning = described.get(key.rpartition(".")[2], "")
    if section := options_in(kind):
        yield from _of_class(section, key)
    else:
        default = field.get_default(call_default_factory=True)
        limits = _limits(field.metadata) or _limits_of_items(kind)
        text = REQUIRED if field.is_required() else yaml_text(default)
        yield Option(key, _type(kind), text, limits, meaning)


def _type(annotation: Any) -> str:
    """Name a type as someone who writes YAML would.

    >>> _type(tuple[int, ...]), _type(float | None), _type(Literal["a", "b"])
    ('list of int', 'float or null', 'a | b')
    """
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type(parts[0])
    if origin is Literal:
        return " | ".join(map(str, parts))
    if origin in (Union, types.UnionType):
        return " or ".join("null" if part is type(None) else _type(part) for part in parts)
    if origin is tuple:
        return f"list of {_type(parts[0])}"
    if origin is dict:
        return f"mapping of {_type(parts[0])} to {_type(parts[1])}"
    return NAMES[annotation]


def _limits(metadata: list[Any]) -> str:
    """Write limits such as ``≥ 0, < 1``."""
    found = [
        f"{sign} {getattr(limit, name):g}"
        for limit in metadata
        for name, sign in SIGNS.items()
        if hasattr(limit, name)
    ]
    return ", ".join(found)


def _limits_of_items(annotation: Any) -> str:
    items = get_args(annotation)[:1] if get_origin(annotation) is tuple else ()
    found = [_limits(_metadata(part)) for part in items]
    return f"each {found[0]}" if any(found) else ""


def _metadata(annotation: Any) -> list[Any]:
    listed: list[Any] = []
    for one in get_args(annotation)[1:] if get_origin(annotation) is Annotated else ():
        listed += one.metadata if isinstance(one, FieldInfo) else [one]
    return listed


def _plain(text: str) -> str:
    """Turn reStructuredText into one line with names in backquotes, as YAML has them."""
    line = ROLE.sub(r"`\1`", " ".join(text.split())).replace("``", "`")
    return line.replace("`None`", "`null`").removesuffix(".")


def yaml_text(value: Any) -> str:
    """Write a value as YAML on one line.

    >>> yaml_text((3, 5)), yaml_text(None), yaml_text(0.002), yaml_text({})
    ('[3, 5]', 'null', '0.002', '{}')
    """
    if isinstance(value, tuple):
        value = list(value)
    text = yaml.safe_dump(
        str(value) if isinstance(value, Path) else value, default_flow_style=True, width=1 << 20
    )
    return text.removesuffix("\n").removesuffix("\n...")
