"""Report of a search: an HTML page and Markdown, with pictures of its trials."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from emotone.evaluation.search_results import SearchResults, Trial, read_search
from emotone.files import write_text
from emotone.reporting.plots import BLUE, GREY, ORANGE, Drawing, Figures
from emotone.reporting.rendering import template

KINDS = ("html", "md")
SHOWN_TRIALS = 15  # in the tables; search.json has all
ROW = 0.28  # height of a bar in inches
COLUMN = 1.35  # width of an axis in inches
LABEL = {"facecolor": "white", "edgecolor": "none", "pad": 0.8, "alpha": 0.85}

SEARCH: Figures[SearchResults] = Figures()


def write(folder: Path) -> list[Path]:
    """Write the reports of a search; return their paths, the HTML page first.

    Raises:
        UsageError: if the folder holds no search, or none of its trials is finished.
        StorageError: if they cannot be written.
    """
    results = read_search(folder)
    paths = []
    for kind in KINDS:
        paths.append(folder / f"report.{kind}")
        write_text(paths[-1], render(results, kind))
    return paths


def render(results: SearchResults, kind: str) -> str:
    """Render the results of a search, as ``html`` or ``md``."""
    context = {
        "results": results,
        "names": sorted({name for trial in results.trials for name in trial.values}),
        "shown": results.scored[:SHOWN_TRIALS],
        "start": next((t for t in results.trials if t.number == results.start), None),
        "counts": {
            state: sum(trial.state == state for trial in results.trials)
            for state in ("scored", "pruned", "impossible")
        },
        "reasons": sorted({trial.reason for trial in results.trials if trial.reason}),
        "written": written,
        "figures": list(SEARCH.sections(results)) if kind == "html" else [],
    }
    return template(f"search.{kind}.j2").render(context | {"best": results.best})


def written(value: Any) -> str:
    """Write a value of an option.

    >>> written(0.00123456), written([3, 5]), written("mean")
    ('0.00123', '[3, 5]', 'mean')
    """
    if isinstance(value, float):
        return f"{value:.3g}"
    return value if isinstance(value, str) else json.dumps(value)


@SEARCH.figure("Progress")
def progress(results: SearchResults) -> Drawing:
    """UAR of each trial, and the best one so far."""
    figure = Figure(figsize=(8.6, 2.6), layout="constrained")
    axes = figure.subplots()
    known = [trial for trial in results.trials if trial.uar is not None]
    for state, colour in (("pruned", GREY), ("scored", BLUE)):
        chosen = [trial for trial in known if trial.state == state]
        if chosen:
            axes.plot(
                [trial.number for trial in chosen], [100 * (trial.uar or 0) for trial in chosen],
                "o", color=colour, markersize=4, label=state,
            )  # fmt: skip
    scored = sorted(results.scored, key=lambda trial: trial.number)
    best = np.maximum.accumulate([100 * (trial.uar or 0) for trial in scored])
    axes.step([trial.number for trial in scored], best, where="post", color=ORANGE, label="best")
    axes.set(xlabel="trial", ylabel="validation UAR in %")
    axes.legend(frameon=False, ncols=3)
    pruned = any(trial.state == "pruned" for trial in known)
    note = "; of a pruned trial, the mean of the runs that it had." if pruned else "."
    return Drawing([figure], f"UAR on validation speakers{note}")


@SEARCH.figure("Importance of the options")
def importance(results: SearchResults) -> Drawing | None:
    """Share of each option in the variance of the UAR."""
    if not results.importance:
        return None
    names = list(results.importance)[::-1]
    figure = Figure(figsize=(8.6, 0.8 + ROW * len(names)), layout="constrained")
    axes = figure.subplots()
    axes.barh(names, [100 * results.importance[name] for name in names], color=BLUE, height=0.6)
    axes.set(xlabel="share of the variance of the UAR, %", xlim=(0, 100))
    axes.tick_params(axis="y", length=0)
    return Drawing(
        [figure],
        "Functional analysis of variance of the scored trials (Hutter et al., ICML 2014), over the "
        "options that all of them have. With few trials it is uncertain.",
    )


@SEARCH.figure("Parallel coordinates")
def parallel_coordinates(results: SearchResults) -> Drawing | None:
    """A line through the values of each scored trial, coloured by its UAR."""
    trials = results.scored[::-1]  # the best on top
    names = sorted({name for trial in trials for name in trial.values})
    if len(trials) < 2:
        return None
    figure = Figure(figsize=(1.6 + COLUMN * (len(names) + 1), 3.6), layout="constrained")
    axes = figure.subplots()
    scales = {name: _Scale(name, trials, name in results.logarithmic) for name in names}
    rates = [trial.uar or 0.0 for trial in trials]
    least, span = min(rates), max(max(rates) - min(rates), 1e-9)
    for trial, rate in zip(trials, rates, strict=True):
        heights = [
            scales[name].height(trial.values[name]) if name in trial.values else np.nan
            for name in names
        ]
        share = (rate - least) / span
        colour = colormaps["viridis"](0.95 - 0.95 * share)
        width = 2.2 if trial is trials[-1] else 1.0
        axes.plot(range(len(names) + 1), [*heights, share], color=colour, linewidth=width)
    for column, name in enumerate(names):
        axes.axvline(column, color=GREY, linewidth=0.8)
        for height, text in scales[name].ticks():
            axes.text(column, height, text, fontsize=7, va="center", ha="center", bbox=LABEL)
    axes.axvline(len(names), color=GREY, linewidth=0.8)
    for share in (0.0, 1.0):
        text = f"{100 * (least + share * span):.1f} %"
        axes.text(len(names), share, text, fontsize=7, va="center", ha="center", bbox=LABEL)
    labels = [*(name.rpartition(".")[2] for name in names), "UAR"]
    axes.set_xticks(range(len(names) + 1), labels, rotation=20, ha="right")
    axes.set(yticks=[], ylim=(-0.06, 1.06))
    axes.spines[:].set_visible(False)
    gaps = any(trial.values.keys() < set(names) for trial in trials)
    note = " A line has a gap at an option whose condition did not hold." if gaps else ""
    return Drawing([figure], f"A line for each scored trial, the darker the better.{note}")


class _Scale:
    """Heights from 0 to 1 of the values of an option."""

    def __init__(self, name: str, trials: list[Trial], is_logarithmic: bool) -> None:
        values = [trial.values[name] for trial in trials if name in trial.values]
        self.is_logarithmic = is_logarithmic
        self.is_numeric = all(
            isinstance(value, int | float) and not isinstance(value, bool) for value in values
        )
        self.values = sorted(set(values)) if self.is_numeric else sorted(set(map(written, values)))

    def height(self, value: Any) -> float:
        """Height of a value."""
        if len(self.values) == 1:
            return 0.5
        if not self.is_numeric:
            return self.values.index(written(value)) / (len(self.values) - 1)
        low, high, here = map(self._scaled, map(float, (self.values[0], self.values[-1], value)))
        return (here - low) / (high - low)

    def ticks(self) -> list[tuple[float, str]]:
        """Heights and texts: the ends of numbers, all other values."""
        shown = self.values if not self.is_numeric else sorted({self.values[0], self.values[-1]})
        return [(self.height(value), written(value)) for value in shown]

    def _scaled(self, value: float) -> float:
        return float(np.log(value)) if self.is_logarithmic else float(value)
