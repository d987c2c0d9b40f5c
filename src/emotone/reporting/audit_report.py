"""Report of an audit: an HTML page without outside links, and Markdown."""

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from emotone.evaluation.audit_results import Audit, Effect, Requirement
from emotone.evaluation.changes import GROUPS
from emotone.files import refuse_foreign, write_text
from emotone.reporting.audit_plots import AUDIT
from emotone.reporting.experiment_report import recalls, shares_of_rows
from emotone.reporting.rendering import points, template
from emotone.reporting.report import is_report

KINDS = ("html", "md")
VERDICTS = {True: "met", False: "missed", None: "–"}


def render(audit: Audit, kind: str) -> str:
    """Render an audit.

    Args:
        audit: what was found.
        kind: ``html`` or ``md``.
    """
    figures = AUDIT.sections(audit) if kind == "html" else ()
    judged = [effect.passed for effect in audit.robustness if effect.passed is not None]
    context = {
        "audit": audit,
        "subject": audit.subject,
        "groups": [
            (GROUPS[name], list(effects))
            for name, effects in groupby(audit.robustness, lambda effect: effect.group)
        ],
        "met": sum(judged),
        "judged": len(judged),
        "criterion": criterion,
        "limits": limits,
        "verdicts": VERDICTS,
        "recalls": recalls(audit.clean.recall),
        "sounds": [
            (one.title, "" if one.answered else "(no answer)", one.confident)
            for one in audit.non_speech
        ],
        "shares": shares_of_rows(audit.clean.confusion),
        "figures": {figure.beside: figure for figure in figures},
    }
    return template(f"audit.{kind}.j2").render(context)


def write(audit: Audit, out: Path) -> list[Path]:
    """Write ``audit.html`` and ``audit.md`` into a folder; returns their paths.

    Raises:
        UsageError: if emotone did not write those that exist.
        StorageError: if they cannot be written.
    """
    paths = [out / f"audit.{kind}" for kind in KINDS]
    for path in paths:
        refuse_foreign(path, is_report)
    for path, kind in zip(paths, KINDS, strict=True):
        write_text(path, render(audit, kind))
    return paths


def missed(audit: Audit) -> Iterator[str]:
    """Say which requirements are missed."""
    for one in audit.requirements:
        if not one.passed:
            found = "not measured" if one.found is None else f"{one.found:.4g}"
            yield f"{one.key} is {found}, required is {limits(one)}"


def limits(requirement: Requirement) -> str:
    """Write the limits of a requirement.

    >>> limits(Requirement("clean.uar", 0.6, None)), limits(Requirement("clean.uar", 0.6, 0.9))
    ('at least 0.6', 'at least 0.6, at most 0.9')
    """
    parts = []
    if requirement.least is not None:
        parts.append(f"at least {requirement.least:g}")
    if requirement.most is not None:
        parts.append(f"at most {requirement.most:g}")
    return ", ".join(parts)


def criterion(effect: Effect) -> str:
    """Write the criterion of a change, such as ``≥ 90 %, ≥ −3.0`` or ``confident ≤ 10 %``."""
    parts = []
    if effect.least_unchanged is not None:
        parts.append(f"≥ {100 * effect.least_unchanged:.0f} %")
    if effect.least_uar_change is not None:
        parts.append(f"≥ {points(effect.least_uar_change)}")
    if effect.most_confident is not None:
        parts.append(f"confident ≤ {100 * effect.most_confident:.0f} %")
    return ", ".join(parts) or "–"
