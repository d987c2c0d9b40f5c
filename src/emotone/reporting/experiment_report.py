"""Report of an experiment: an HTML page without outside links, Markdown, and a LaTeX table."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from emotone.evaluation.results import Results
from emotone.reporting.dimension_plots import scatter
from emotone.reporting.plots import EXPERIMENT
from emotone.reporting.rendering import protocol_name, template


def render(
    results: Results,
    configuration: str,
    kind: str,
    *,
    changed: Mapping[str, Any] | None = None,
    predictions: pd.DataFrame | None = None,
) -> str:
    """Render the results of an experiment.

    Args:
        results: of the experiment.
        configuration: of the experiment, as YAML.
        kind: ``html``, ``md`` or ``tex``.
        changed: its options that differ from the defaults, which come first on the page.
        predictions: of the experiment; needed for ``html`` if it has dimensions.
    """
    scores = results.scores
    chance = 1 / len(results.setting.labels)
    context = {
        "results": results,
        "setting": results.setting,
        "scores": scores,
        "configuration": configuration,
        "changed": changed or {},
        "recalls": recalls(scores.recall),
        "speakers": [
            (name, f"({one.utterances})", one.uar) for name, one in scores.by_speaker.items()
        ],
        "protocol": protocol_name(results.setting.protocol),
        "shares": shares_of_rows(scores.confusion),
        "rates": [
            ("UAR", "balanced accuracy, UA", scores.uar),
            ("WAR", "accuracy, WA", scores.war),
        ],
        "chance": chance,
        "no_better_than_chance": scores.uar.interval_95[0] <= chance
        and not results.only_dimensions,
        "figures": list(EXPERIMENT.sections(results)) if kind == "html" else [],
        "scatter": None
        if predictions is None or kind != "html"
        else scatter(predictions, list(results.dimensions)),
    }
    return template(f"report.{kind}.j2").render(context)


def shares_of_rows(counts: Sequence[Sequence[int]]) -> list[list[float]]:
    """Divide counts by the sums of their rows; rows of zeros stay.

    >>> shares_of_rows([[3, 1], [0, 0]])
    [[0.75, 0.25], [0.0, 0.0]]
    """
    return [[count / max(sum(row), 1) for count in row] for row in counts]


def recalls(found: Mapping[str, float | None]) -> list[tuple[str, str, float | None]]:
    """Rows of the bars of the recall per emotion: name, note and share."""
    return [(label, "", recall) for label, recall in found.items()]
