"""The base of all option classes: immutable, and strict about names."""

import difflib
from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict


class Options(BaseModel):
    """Options of one module. Unknown names are refused; instances cannot be changed."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def nearest(name: str, names: Iterable[str]) -> str:
    """Return a hint such as ``; did you mean 'hop_ms'?``, or an empty string if nothing is near."""
    matches = difflib.get_close_matches(name, list(names), n=1, cutoff=0.5)
    return f"; did you mean '{matches[0]}'?" if matches else ""
