"""The base of all option classes: immutable, and strict about names."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from emotone.text import shortened, shown

SECONDS_PER_HOUR = 3600
Seed = Annotated[int, Field(ge=0, lt=2**32)]  # what every generator of random numbers takes


class Options(BaseModel):
    """Options of one module. Unknown names, infinity and NaN are refused; nothing changes later."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def nearest(name: str, names: Iterable[str]) -> str:
    """Return a hint such as ``; did you mean 'hop_ms'?``, or an empty string if nothing is near.

    >>> nearest("ANGER", ["fear", "anger"])
    "; did you mean 'anger'?"
    """
    known = {each.casefold(): each for each in names}
    matches = difflib.get_close_matches(name.casefold(), known, n=1, cutoff=0.5)
    return f"; did you mean '{known[matches[0]]}'?" if matches else ""


def differences(found: Mapping[str, Any], asked: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Say where two settings differ, option by option."""
    result = []
    for key in sorted(found.keys() | asked.keys()):
        there, here = found.get(key), asked.get(key)
        if isinstance(there, Mapping) and isinstance(here, Mapping):
            result += differences(there, here, f"{prefix}{key}.")
        elif there != here:
            result.append(f"{prefix}{key}: {there} found, {here} requested")
    return result


def first_error(error: ValidationError) -> Mapping[str, Any]:
    """Return what to report: an unknown name, for which another one may be missing, or the first.

    >>> class Example(Options):
    ...     rate: int
    >>> try:
    ...     Example.model_validate({"rat": 3})
    ... except ValidationError as error:
    ...     first_error(error)["loc"]
    ('rat',)
    """
    errors: list[Any] = error.errors()
    return next((one for one in errors if one["type"] == "extra_forbidden"), errors[0])


def explained(error: Mapping[str, Any], name: str, known: Iterable[str]) -> str:
    """Say what is wrong with an option.

    Args:
        error: the first error of a validation.
        name: full name of the option.
        known: names of the options in its place.
    """
    if error["type"] == "extra_forbidden":
        names = list(known)
        hint = nearest(name.rpartition(".")[2], names) or f"; known are {', '.join(names)}"
        return f"unknown option '{shortened(name)}'{hint}"
    if error["type"] == "tuple_type":
        given = shown(error["input"])
        one = error["input"] if isinstance(error["input"], str | int | float) else "…"
        return f"{shortened(name)}: expected a list, such as [{shortened(str(one))}], got {given}"
    message: str = error["msg"].removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    if error["type"] == "value_error" and not name:  # of several options; it names them
        return message
    given = "" if error["type"] in ("missing", "value_error") else f", got {shown(error['input'])}"
    return f"{shortened(name) or 'configuration'}: {message}{given}"
