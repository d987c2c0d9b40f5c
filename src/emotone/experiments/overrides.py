"""Configuration files and ``key=value`` as plain values, before validation."""

from copy import deepcopy
from pathlib import Path
from typing import Any

from emotone import safe_yaml
from emotone.errors import UsageError
from emotone.files import exists
from emotone.text import shortened

PRESETS = Path(__file__).parent / "presets"
ALONE = {"training.teacher": "results"}  # sections for which one of their options may stand


def located(source: str | Path) -> Path:
    """Return the path of a configuration file, or of the one that ships under this name.

    >>> [located(name).name for name in ("emodb", "emodb.yaml", "experiments/emodb.yaml")]
    ['emodb.yaml', 'emodb.yaml', 'emodb.yaml']
    """
    return found(Path(), source)


def found(folder: Path, source: str | Path) -> Path:
    """Return the path of a configuration file in a folder, or of the one that ships."""
    path, name = folder / source, Path(source)
    shipped = PRESETS / f"{name.stem}.yaml"
    names = (Path(name.stem), Path(shipped.name), Path("experiments") / shipped.name)
    return shipped if name in names and exists(shipped) and not path.is_file() else path


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file that holds a mapping.

    Raises:
        UsageError: if it cannot be read or holds something else.
    """
    try:
        values = safe_yaml.read(path)
    except OSError as error:
        shipped = ", ".join(sorted(file.stem for file in PRESETS.glob("*.yaml")))
        raise UsageError(
            f"{path}: cannot read this configuration ({error.strerror}); "
            f"give the path of a YAML file, or the name of one that ships: {shipped}"
        ) from error
    if not isinstance(values, dict):
        raise UsageError(
            f"{path}: expected sections such as 'corpus:', got {type(values).__name__}"
        )
    return values


def set_option(values: dict[str, Any], override: str) -> None:
    """Apply ``key=value`` to the values of a configuration.

    Raises:
        UsageError: if it is not of that form, or leads into something that has no options.
    """
    key, equals, text = override.partition("=")
    if not equals or not key or any(not part for part in key.split(".")):
        raise UsageError(
            f"'{shortened(override)}' is not of the form key=value, such as training.epochs=20"
        )
    source = f"'{shortened(override)}'"
    value = safe_yaml.parsed(text, f"{source}: the value is not valid YAML")
    set_value(values, key, value, source)


def set_value(values: dict[str, Any], key: str, value: Any, source: str) -> None:
    """Set the option ``key``, such as ``training.epochs``, in the values of a configuration.

    Raises:
        UsageError: begins with ``source``; if the key leads into something that has no options.
    """
    if key in ALONE and isinstance(value, str):
        key = f"{key}.{ALONE[key]}"
    *sections, last = key.split(".")
    place: Any = values
    for depth, section in enumerate(sections, start=1):
        if isinstance(place, list):
            place = place[_number(section, place, source)]
        elif isinstance(place, dict):
            option = ALONE.get(".".join(sections[:depth]))
            if option and isinstance(place.get(section), str):
                place[section] = {option: place[section]}
            place = place.setdefault(section, {})
        if not isinstance(place, dict | list):
            raise UsageError(f"{source}: {shortened(section)} has no options of its own")
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
