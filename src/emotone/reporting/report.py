"""Write the reports of a results folder: of an experiment, a search, or an ablation's variants."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from emotone.evaluation.results_folder import VARIANTS, ResultsFolder
from emotone.evaluation.search_results import is_search
from emotone.files import refuse_foreign, write_text
from emotone.reporting import ablation_report, experiment_report, search_report
from emotone.reporting.rendering import KINDS

NAMES = tuple(f"report.{kind}" for kind in KINDS)
TABLE = "table.csv"  # of an ablation
SIGNS = (  # of the files that emotone writes, near their beginning
    "<title>emotone: ", ": speech emotion recognition\n", ": ablation\n", ": search\n",
    "Needs booktabs.", "# Audit of ", "variant,", '"subject": {',
)  # fmt: skip
SIGNED = 1000  # characters


def refuse_foreign_reports(folder: Path, *, force: bool | None = None) -> None:
    """Raise a :class:`UsageError` if files of the user have the names of reports.

    Args:
        folder: results folder, which need not exist yet.
        force: see :func:`emotone.files.refuse_foreign`.
    """
    folders = [folder, *folder.glob(f"{VARIANTS}/*")]
    for path in (each / name for each in folders for name in (*NAMES, TABLE)):
        refuse_foreign(path, is_report, force=force)


def is_report(path: Path) -> bool:
    """Whether emotone wrote a report."""
    with path.open(encoding="utf-8", errors="replace") as file:
        head = file.read(SIGNED)
    return any(sign in head for sign in SIGNS)


def covered(folder: Path) -> list[Path]:
    """Return the folder itself and, of an ablation, those of its variants that have results.

    Args:
        folder: results folder.

    Raises:
        UsageError: if an ablation's folder holds no results.
    """
    results = ResultsFolder(folder)
    if not results.is_ablation:
        return [folder]
    rows = results.ablation_results().rows
    return [folder, *(results.variant(row.folder).path for row in rows if row.rates is not None)]


def write(
    folder: Path,
    advance: Callable[[], None] = lambda: None,
    *,
    changed: Callable[[str], Mapping[str, Any]] = lambda _: {},
    force: bool | None = None,
) -> list[Path]:
    """Write the reports of a finished experiment, a search, or an ablation and its variants.

    Args:
        folder: results folder; each report is written into the folder whose results it shows.
        advance: called after each folder of :func:`covered`.
        changed: finds the options of a configuration, as YAML, that differ from the defaults.
        force: whether to overwrite reports that emotone did not write.

    Returns:
        Paths of the reports of ``folder`` itself, the HTML page first.

    Raises:
        UsageError: if ``folder`` or a variant's folder holds no results, or a report that emotone
            did not write; nothing is changed then.
        StorageError: if they cannot be written.
    """
    refuse_foreign_reports(folder, force=force)
    written = []
    for each in map(ResultsFolder, covered(folder)):
        if is_search(each.path):
            written.append(search_report.write(each.path))
        elif each.is_ablation:
            written.append(_write_ablation(each))
        else:
            written.append(_write_experiment(each, changed))
        advance()
    return written[0]


def _write_experiment(
    folder: ResultsFolder, changed: Callable[[str], Mapping[str, Any]]
) -> list[Path]:
    results, configuration = folder.results(), folder.configuration()
    predictions = folder.predictions() if results.dimensions else None
    options = changed(configuration)
    return [
        _write(
            folder,
            name,
            experiment_report.render(
                results, configuration, kind, changed=options, predictions=predictions
            ),
        )
        for name, kind in zip(NAMES, KINDS, strict=True)
    ]


def _write_ablation(folder: ResultsFolder) -> list[Path]:
    results = folder.ablation_results()
    paths = [
        _write(folder, name, ablation_report.render(results, kind))
        for name, kind in zip(NAMES, KINDS, strict=True)
    ]
    table = ablation_report.table(results).to_csv(index=False)
    return [*paths, _write(folder, TABLE, table)]


def _write(folder: ResultsFolder, name: str, text: str) -> Path:
    path = folder.path / name
    write_text(path, text)
    return path
