"""Scatter plots of dimensions: predicted over true values."""

from collections.abc import Sequence

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from emotone.evaluation.run_folder import TRUE, VALUE
from emotone.reporting.plots import BLUE, GREY, ORANGE, STYLE, Section, to_svg

MOST_POINTS = 1000  # drawn as shapes; more become a picture, which is smaller
MARGIN = 0.03


def scatter(predictions: pd.DataFrame, dimensions: Sequence[str]) -> Section:
    """Draw the predicted over the true value of each test utterance, a picture per dimension.

    Args:
        predictions: rows of :func:`emotone.evaluation.scoring.predictions_table` of all runs.
        dimensions: names of the dimensions.
    """
    pictures = []
    with matplotlib.rc_context(STYLE):
        for name in dimensions:
            rows = predictions[[TRUE + name, VALUE + name]].dropna().to_numpy()
            figure = Figure(figsize=(3.6, 3.4), layout="constrained")
            axes = figure.subplots()
            ends = (-MARGIN, 1 + MARGIN)
            axes.plot((0, 1), (0, 1), color=GREY, linewidth=0.8)
            axes.plot(*rows.T, ".", color=BLUE, alpha=0.35, rasterized=len(rows) > MOST_POINTS)
            if len(np.unique(rows[:, 0])) > 1:
                slope, intercept = np.polyfit(rows[:, 0], rows[:, 1], 1)
                line = np.array([rows[:, 0].min(), rows[:, 0].max()])
                axes.plot(line, intercept + slope * line, color=ORANGE, linewidth=1.5)
            axes.set(
                xlabel=f"true {name}", ylabel=f"predicted {name}", xlim=ends, ylim=ends,
                aspect="equal",
            )  # fmt: skip
            pictures.append(to_svg(figure))
    return Section(
        "Dimensions: predicted and true values",
        tuple(pictures),
        "A dot is a test utterance with a seed. Grey: perfect agreement; orange: regression line.",
        "dimensions",
    )
