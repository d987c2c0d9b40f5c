"""Thresholds for the figures of an audit: a YAML file such as

    robustness.noise.unchanged: {min: 0.9}
    robustness.room.rt60_0_6.uar_change: {min: -0.06}
    fairness.sex.uar_gap: {max: 0.1}
    calibration.error: {max: 0.08}
    coverage.accuracy: {min: 0.8}
    non_speech.confident: {max: 0}

A figure of a group of changes is that of its worst change; of ``non_speech``, of the worst kind.
"""  # noqa: D415

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from emotone import safe_yaml
from emotone.errors import UsageError
from emotone.evaluation.audit_results import Audit, Effect, Requirement
from emotone.evaluation.audit_scoring import COLUMNS
from emotone.evaluation.changes import CHANGES, GROUPS
from emotone.evaluation.non_speech import TITLES
from emotone.options import nearest
from emotone.text import shortened, shown

CLEAN = ("uar", "war", "lowest_recall")
ROBUSTNESS = ("unchanged", "uar", "uar_change", "confident", "answered")
FAIRNESS = ("uar_gap", "lowest_uar", "share_shift")
CALIBRATION = ("error", "negative_log_likelihood")
COVERAGE = ("confident", "accuracy", "area")
SOUNDS = ("answered", "confident")
LIMITS = {"min", "max"}


def known_keys() -> list[str]:
    """All figures that can be required."""
    changes = [f"{change.group}.{name}" for name, change in CHANGES.items()]
    sections = {
        "clean": CLEAN,
        **{f"robustness.{name}": ROBUSTNESS for name in [*GROUPS, *changes]},
        **{f"fairness.{column}": FAIRNESS for column in COLUMNS},
        "calibration": CALIBRATION,
        "coverage": COVERAGE,
        "non_speech": SOUNDS,
        **{f"non_speech.{kind}": SOUNDS for kind in TITLES},
    }
    return [f"{section}.{name}" for section, names in sections.items() for name in names]


def read(path: Path) -> tuple[Requirement, ...]:
    """Read a file of thresholds. Keys may be nested instead of joined by dots.

    Raises:
        UsageError: if it cannot be read, or a key or a limit is unknown.
    """
    try:
        values = safe_yaml.read(path)
    except OSError as error:
        raise UsageError(f"--require: cannot read {path} ({error.strerror})") from error
    if not isinstance(values, dict) or not values:
        raise UsageError(
            f"{path}: expected thresholds such as 'clean.uar: {{min: 0.6}}', got {shown(values)}"
        )
    known = known_keys()
    return tuple(_requirement(key, limits, known, path) for key, limits in _flat(values))


def _flat(values: dict[Any, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        key = f"{prefix}{name}"
        if isinstance(value, dict) and value and not value.keys() & LIMITS:
            yield from _flat(value, f"{key}.")
        else:
            yield key, value


def _requirement(key: str, limits: Any, known: Iterable[str], path: Path) -> Requirement:
    if key not in known:
        raise UsageError(f"{path}: unknown figure '{shortened(key)}'{nearest(key, known)}")
    numbers = limits.values() if isinstance(limits, dict) else []
    right = numbers and all(_is_finite(number) for number in numbers)
    if not right or limits.keys() - LIMITS:
        raise UsageError(
            f"{path}: {shortened(key)}: expected numbers as {{min: …}}, {{max: …}} or both, got "
            f"{shown(limits)}"
        )
    return Requirement(key, limits.get("min"), limits.get("max"))


def _is_finite(number: Any) -> bool:
    return type(number) in (int, float) and math.isfinite(number)


def checked(audit: Audit, requirements: Iterable[Requirement]) -> tuple[Requirement, ...]:
    """Fill in what the audit found for each requirement."""
    found = dict(figures(audit))
    return tuple(replace(one, found=found.get(one.key)) for one in requirements)


def figures(audit: Audit) -> Iterator[tuple[str, float | None]]:
    """All figures of an audit that can be required, by key."""
    recalls = [recall for recall in audit.clean.recall.values() if recall is not None]
    yield "clean.uar", audit.clean.uar
    yield "clean.war", audit.clean.war
    yield "clean.lowest_recall", min(recalls)
    for group in GROUPS:
        effects = [effect for effect in audit.robustness if effect.group == group]
        yield from _robustness(group, effects)
        for effect in effects:
            yield from _robustness(f"{group}.{effect.change}", [effect])
    for part in audit.fairness:
        for name in FAIRNESS:
            yield f"fairness.{part.column}.{name}", getattr(part, name)
    for name in CALIBRATION:
        yield f"calibration.{name}", getattr(audit.calibration, name)
    for name in COVERAGE:
        yield f"coverage.{name}", getattr(audit.coverage, name)
    for name in SOUNDS:
        yield f"non_speech.{name}", max(getattr(kind, name) for kind in audit.non_speech)
        for kind in audit.non_speech:
            yield f"non_speech.{kind.kind}.{name}", getattr(kind, name)


def _robustness(key: str, effects: Iterable[Effect]) -> Iterator[tuple[str, float | None]]:
    for name in ROBUSTNESS:
        values = [getattr(effect, name) for effect in effects]
        few_are_better = name == "confident" and any(e.most_confident is not None for e in effects)
        worst = max if few_are_better else min
        yield f"robustness.{key}.{name}", worst(values, default=None)
