"""Contradictions within a corpus: one file or one name that stands for two things."""

import os
from pathlib import Path
from typing import Any

import pandas as pd

from emotone.corpora.base import Corpus
from emotone.corpora.labels import canonical
from emotone.errors import FoldError


def spelling_problems(table: pd.DataFrame) -> list[str]:
    """Name speakers and labels that differ in capital letters only, and labels of one emotion."""
    problems = []
    for column, what in (("speaker", "one person"), ("emotion", "one label")):
        names: dict[str, list[str]] = {}
        for name in sorted(table[column].unique()):
            names.setdefault(name.casefold(), []).append(f"'{name}'")
        problems += [
            f"the {column}s {', '.join(same)} differ in capital letters only; are they {what}?"
            for same in names.values()
            if len(same) > 1
        ]
    for label in sorted(table["emotion"].unique()):
        known = canonical(label)
        if known is not None and known != label and (table["emotion"] == known).any():
            problems.append(
                f"the labels '{label}', '{known}' name one emotion; are they one label?"
            )
    return problems


def conflicts(table: pd.DataFrame) -> list[str]:
    """Name files that occur more than once with different labels or speakers.

    A row of a whole file conflicts with any other row of it; rows of segments conflict if they
    begin and end alike.
    """
    places = {file: os.path.realpath(file) for file in table["file"].unique()}
    columns = ("file", "start", "end", "emotion", "speaker")
    rows: dict[str, list[tuple[tuple[float, float], str, str]]] = {}
    for file, start, end, emotion, speaker in zip(*(table[name] for name in columns), strict=True):
        extent = (float(start), float("inf") if pd.isna(end) else float(end))
        rows.setdefault(places[file], []).append((extent, emotion, speaker))
    found = []
    for file, several in rows.items():
        whole = any(extent == (0.0, float("inf")) for extent, _, _ in several)
        groups: dict[Any, list[tuple[str, str]]] = {}
        for extent, emotion, speaker in several:
            groups.setdefault(None if whole else extent, []).append((emotion, speaker))
        for group in groups.values():
            for what, values in zip(("labels", "speakers"), zip(*group, strict=True), strict=True):
                if len(set(values)) > 1:
                    names = ", ".join(sorted(set(values)))
                    found.append(f"{Path(file).name} is listed with several {what} ({names})")
    return found


def refuse_conflicts(corpus: Corpus) -> None:
    """Raise a :class:`FoldError` for a file that could be trained and tested on."""
    if found := conflicts(corpus.table):
        raise FoldError(
            f"{corpus.name}: {found[0]}{f' and {len(found) - 1} more' * (len(found) > 1)}; list "
            "each file once, or give start and end of each utterance (emotone corpus shows them)"
        )
