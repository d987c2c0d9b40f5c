"""Report of an ablation: an HTML page, Markdown, a LaTeX table, and the table as CSV."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from emotone.evaluation.results import (
    AblationResults,
    AblationRow,
    DimensionScore,
    PairedDifference,
    Rate,
)
from emotone.reporting.plots import ABLATION
from emotone.reporting.rendering import protocol_name, template


def render(results: AblationResults, kind: str) -> str:
    """Render the results of an ablation.

    Args:
        results: of the ablation.
        kind: ``html``, ``md`` or ``tex``.
    """
    context = {
        "results": results,
        "setting": results.setting,
        "protocol": protocol_name(results.setting.protocol),
        "dimensions": dimensions_of(results),
        "unfinished": [row for row in results.rows if row.finished < row.runs],
        "figures": list(ABLATION.sections(results)) if kind == "html" else [],
    }
    return template(f"ablation.{kind}.j2").render(context)


def table(results: AblationResults) -> pd.DataFrame:
    """Return the rows of an ablation as a table; rates in 0 … 1, times in seconds."""
    names = dimensions_of(results)
    rows = [_cells(row, results.references, names) for row in results.rows]
    return pd.DataFrame(rows).convert_dtypes()


def dimensions_of(results: AblationResults) -> list[str]:
    """Dimensions that any variant predicts, each once."""
    return list(dict.fromkeys(name for row in results.rows for name in row.dimensions))


def _cells(
    row: AblationRow, references: tuple[str, ...], dimensions: Sequence[str]
) -> dict[str, Any]:
    cells: dict[str, Any] = {"variant": row.variant, "seeds": " ".join(map(str, row.seeds))}
    cells |= _of_rate("UAR", row.rates.uar if row.rates else None)
    cells |= _of_rate("WAR", row.rates.war if row.rates else None)
    for name in dimensions:
        cells |= _of_dimension(name, row.dimensions.get(name))
    for reference in references:
        cells |= _of_difference(reference, row.differences.get(reference))
    return cells | {
        "parameters": row.system.parameters,
        "multiply_adds_per_s": row.system.multiply_adds_per_s,
        "epochs": row.epochs,
        "training_s": row.training_s,
        "finished": row.finished,
        "runs": row.runs,
    }


def _of_rate(name: str, rate: Rate | None) -> dict[str, float | None]:
    low, high = rate.interval_95 if rate else (None, None)
    return {
        f"{name}_mean": rate.mean if rate else None,
        f"{name}_std": rate.std if rate else None,
        f"{name}_low": low,
        f"{name}_high": high,
    }


def _of_dimension(name: str, score: DimensionScore | None) -> dict[str, float | None]:
    low, high = score.interval_95 if score and score.interval_95 else (None, None)
    return {
        f"CCC of {name}": score.ccc if score else None,
        f"CCC of {name}, low": low,
        f"CCC of {name}, high": high,
    }


def _of_difference(reference: str, found: PairedDifference | None) -> dict[str, float | None]:
    low, high = found.interval_95 if found else (None, None)
    return {
        f"UAR minus {reference}": found.difference if found else None,
        f"UAR minus {reference}, low": low,
        f"UAR minus {reference}, high": high,
        f"p against {reference}": found.p if found else None,
        f"p against {reference}, Holm": found.p_holm if found else None,
    }
