"""Write the reports of a results folder: of an experiment, or of an ablation and its variants."""

from collections.abc import Callable
from pathlib import Path

from emotone.evaluation.results_folder import ResultsFolder
from emotone.files import write_text
from emotone.reporting import ablation_report, experiment_report
from emotone.reporting.rendering import KINDS

TABLE = "table.csv"  # of an ablation


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


def write(folder: Path, advance: Callable[[], None] = lambda: None) -> list[Path]:
    """Write the reports of a finished experiment, or of an ablation and its variants.

    Args:
        folder: results folder; each report is written into the folder whose results it shows.
        advance: called after each folder of :func:`covered`.

    Returns:
        Paths of the reports of ``folder`` itself, the HTML page first.

    Raises:
        UsageError: if ``folder`` or a variant's folder holds no results.
        StorageError: if they cannot be written.
    """
    written = []
    for each in map(ResultsFolder, covered(folder)):
        written.append(_write_ablation(each) if each.is_ablation else _write_experiment(each))
        advance()
    return written[0]


def _write_experiment(folder: ResultsFolder) -> list[Path]:
    results, configuration = folder.results(), folder.configuration()
    return [
        _write(folder, f"report.{kind}", experiment_report.render(results, configuration, kind))
        for kind in KINDS
    ]


def _write_ablation(folder: ResultsFolder) -> list[Path]:
    results = folder.ablation_results()
    paths = [
        _write(folder, f"report.{kind}", ablation_report.render(results, kind)) for kind in KINDS
    ]
    table = ablation_report.table(results).to_csv(index=False)
    return [*paths, _write(folder, TABLE, table)]


def _write(folder: ResultsFolder, name: str, text: str) -> Path:
    path = folder.path / name
    write_text(path, text)
    return path
