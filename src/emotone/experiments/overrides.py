"""Configuration files and ``key=value`` as plain values, before validation."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml

from emotone.errors import UsageError

PRESETS = Path(__file__).parent / "presets"


def located(source: str | Path) -> Path:
    """Return the path of a configuration file, or of the one that ships under this name.

    >>> [located(name).name for name in ("emodb", "emodb.yaml", "experiments/emodb.yaml")]
    ['emodb.yaml', 'emodb.yaml', 'emodb.yaml']
    """
    path = Path(source)
    shipped = PRESETS / f"{path.stem}.yaml"
    names = (Path(path.stem), Path(shipped.name), Path("experiments") / shipped.name)
    return shipped if not path.is_file() and path in names and shipped.is_file() else path


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file that holds a mapping.

    Raises:
        UsageError: if it cannot be read or holds something else.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not valid YAML: {error}; save it again, in UTF-8") from error
    except OSError as error:
        shipped = ", ".join(sorted(file.stem for file in PRESETS.glob("*.yaml")))
        raise UsageError(
            f"{path}: cannot read this configuration ({error.strerror}); "
            f"give the path of a YAML file, or the name of one that ships: {shipped}"
        ) from error
    values = _parsed(text, f"{path}: not valid YAML")
    if not isinstance(values, dict):
        raise UsageError(
            f"{path}: expected sections such as 'corpus:', got {type(values).__name__}"
        )
    return values


class _Loader(yaml.SafeLoader):
    """YAML without dates, which no option is, and in which a key is given once."""

    yaml_implicit_resolvers = {  # noqa: RUF012  (as the base class has it)
        first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def compose_mapping_node(self, anchor: Any) -> Any:
        node = super().compose_mapping_node(anchor)
        keys: set[Any] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and (key.tag, key.value) in keys:
                problem = f"'{key.value}' is given twice"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=key.start_mark)
            keys.add((key.tag, str(key.value)))
        return node


def _parsed(text: str, refusal: str) -> Any:
    """Read YAML; an error begins with ``refusal``."""
    try:
        return yaml.load(text, _Loader)
    except (yaml.YAMLError, ValueError, LookupError, RecursionError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UsageError(f"{refusal}: {reason}") from error


def set_option(values: dict[str, Any], override: str) -> None:
    """Apply ``key=value`` to the values of a configuration.

    Raises:
        UsageError: if it is not of that form, or leads into something that has no options.
    """
    key, equals, text = override.partition("=")
    if not equals or not key or any(not part for part in key.split(".")):
        raise UsageError(f"'{override}' is not of the form key=value, such as training.epochs=20")
    value = _parsed(text, f"'{override}': the value is not valid YAML")
    set_value(values, key, value, f"'{override}'")


def set_value(values: dict[str, Any], key: str, value: Any, source: str) -> None:
    """Set the option ``key``, such as ``training.epochs``, in the values of a configuration.

    Raises:
        UsageError: begins with ``source``; if the key leads into something that has no options.
    """
    *sections, last = key.split(".")
    place: Any = values
    for section in sections:
        if isinstance(place, list):
            place = place[_number(section, place, source)]
        elif isinstance(place, dict):
            place = place.setdefault(section, {})
        if not isinstance(place, dict | list):
            raise UsageError(f"{source}: {section} has no options of its own")
    value = deepcopy(value)  # later changes within it then stay in these values
    if isinstance(place, list):
        place[_number(last, place, source)] = value
    else:
        place[last] = value


def _number(section: str, place: list[Any], source: str) -> int:
    if not section.isdigit() or int(section) >= len(place):
        raise UsageError(
            f"{source}: there are {len(place)} corpora; say which, such as corpus.0.root=…"
        )
    return int(section)
