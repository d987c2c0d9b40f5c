"""The choice of validation speakers among those that are not tested."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from emotone.errors import FoldError
from emotone.evaluation.protocol import ProtocolOptions


def validation_speakers(
    rest: pd.DataFrame, test: pd.DataFrame, options: ProtocolOptions, rng: np.random.Generator
) -> Sequence[str]:
    """Choose validation speakers among those that are not tested."""
    if options.validation == "partner":
        sessions = set(test["session"])
        partners = unique(rest.loc[rest["session"].isin(sessions), "speaker"])
        if not partners or sessions == {""}:
            raise FoldError(
                f"protocol.validation=partner: no speaker shares a session with "
                f"{', '.join(unique(test['speaker']))}; use protocol.validation=speakers"
            )
        return partners
    if options.validation in ("session", "session_speakers"):
        sessions_left = [name for name in unique(rest["session"]) if name]
        if not sessions_left:
            raise FoldError(
                f"protocol.validation={options.validation}: the corpus has no sessions; use "
                "protocol.validation=speakers"
            )
        rest = rest[rest["session"] == rng.choice(sessions_left)]
        if options.validation == "session":
            return unique(rest["speaker"])
    first = rest.drop_duplicates("speaker").sort_values("speaker")
    sexes = dict(zip(first["speaker"], first["sex"], strict=True))
    return _draw(sexes, options.validation_speakers, rng)


def _draw(sexes: dict[str, str], count: int, rng: np.random.Generator) -> list[str]:
    """Draw speakers, alternating between the sexes."""
    seen: dict[str, int] = {}
    turns = []
    for speaker in rng.permutation(list(sexes)):
        sex = sexes[speaker]
        turns.append((seen.get(sex, 0), str(speaker)))
        seen[sex] = seen.get(sex, 0) + 1
    return sorted(speaker for _, speaker in sorted(turns, key=lambda turn: turn[0])[:count])


def unique(values: Iterable[Any]) -> tuple[str, ...]:
    """The different values, sorted."""
    return tuple(sorted({str(value) for value in values}))
