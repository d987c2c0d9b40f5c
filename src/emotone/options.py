"""The base of all option classes: immutable, and strict about names."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

Seed = Annotated[int, Field(ge=0, lt=2**32)]  # what every generator of random numbers takes


class Options(BaseModel):
    """Options of one module. Unknown names are refused; instances cannot be changed."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def nearest(name: str, names: Iterable[str]) -> str:
    """Return a hint such as ``; did you mean 'hop_ms'?``, or an empty string if nothing is near."""
    matches = difflib.get_close_matches(name, list(names), n=1, cutoff=0.5)
    return f"; did you mean '{matches[0]}'?" if matches else ""


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
        return f"unknown option '{name}'{hint}"
    message = error["msg"].removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    given = "" if error["type"] in ("missing", "value_error") else f", got {error['input']!r}"
    return f"{name or 'configuration'}: {message}{given}"
