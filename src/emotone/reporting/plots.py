"""Figures of the reports, as inline SVG.

A figure is one function here: the decorator ``@EXPERIMENT.figure("Title")`` or
``@ABLATION.figure("Title")`` adds it to the report, in a section with its title and caption.
"""

import io
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from emotone.evaluation.audit_results import Audit
from emotone.evaluation.results import AblationResults, AblationRow, Results, RunRecord
from emotone.evaluation.search_results import SearchResults
from emotone.reporting.rendering import percent
from emotone.text import plural

BLUE, ORANGE, GREY, LIGHT_GREY = "#1f5f99", "#b4541a", "#8a94a3", "#dde2e9"
INK = "#26303d"
STYLE: dict[Any, Any] = {
    "text.parse_math": False,  # names of speakers and labels are no formulas
    "font.size": 9,
    "font.family": "sans-serif",
    "svg.fonttype": "none",
    "svg.hashsalt": "emotone",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "text.color": INK,
    "axes.labelcolor": INK,
    "xtick.color": "#4d5866",
    "ytick.color": "#4d5866",
}
SECONDS_PER_MINUTE = 60

Source = TypeVar("Source", Results, AblationResults, Audit, SearchResults)


@dataclass(frozen=True)
class Drawing:
    """What the function of a figure returns: pictures side by side, and a caption."""

    pictures: Sequence[Figure]
    caption: str


@dataclass(frozen=True)
class Section:
    """A figure as the template puts it into the page.

    Attributes:
        title: heading.
        svgs: inline SVG pictures.
        caption: caption of the figure.
        beside: part of the page in which to place the figure; empty for a section of its own.
    """

    title: str
    svgs: tuple[str, ...]
    caption: str
    beside: str


class Figures(Generic[Source]):
    """The figures of one kind of report, in the order of the page."""

    def __init__(self) -> None:
        self._known: list[tuple[str, str, Callable[[Source], Drawing | None]]] = []

    def figure(
        self, title: str, *, beside: str = ""
    ) -> Callable[[Callable[[Source], Drawing | None]], Callable[[Source], Drawing | None]]:
        """Register a function that draws; it returns ``None`` if there is nothing to draw.

        Args:
            title: heading of the section.
            beside: see :class:`Section`.
        """

        def register(
            draw: Callable[[Source], Drawing | None],
        ) -> Callable[[Source], Drawing | None]:
            self._known.append((title, beside, draw))
            return draw

        return register

    def sections(self, results: Source) -> Iterator[Section]:
        """Draw each figure that has something to show."""
        for title, beside, draw in self._known:
            with matplotlib.rc_context(STYLE):
                drawing = draw(results)
                if drawing is not None:
                    svgs = tuple(to_svg(picture) for picture in drawing.pictures)
                    yield Section(title, svgs, drawing.caption, beside)


EXPERIMENT: Figures[Results] = Figures()
ABLATION: Figures[AblationResults] = Figures()


@EXPERIMENT.figure("Speaker enrolment", beside="enrolment")
def enrolment_curve(results: Results) -> Drawing | None:
    """UAR over the number of enrolment utterances, with the interval of the gain."""
    curve = results.enrolment
    if not curve:
        return None
    figure = Figure(figsize=(4.4, 2.6), layout="constrained")
    axes = figure.subplots()
    known = [point.enrolled for point in curve]
    bounds = np.array([curve[0].uar + np.array(point.gain.interval_95) for point in curve])
    axes.fill_between(known, *(100 * bounds.T), color=BLUE, alpha=0.15)
    axes.plot(known, [100 * point.uar for point in curve], "o-", color=BLUE)
    axes.set(xlabel="enrolment utterances of the speaker", ylabel="UAR in %", xticks=known)
    return Drawing(
        [figure],
        "Features are normalised with a few unlabelled utterances of the test speaker. These are "
        "not scored; the same utterances are scored for every number of enrolment utterances. "
        "They are drawn at random, several times. The band is the 95 % interval of Δ UAR.",
    )


@EXPERIMENT.figure("Learning curves")
def learning_curves(results: Results) -> Drawing | None:
    """Losses of all runs over epochs, and validation UAR if there are validation speakers."""
    runs = [run for run in results.runs if run.history]
    if not runs:
        return None
    losses, unit = {"training_loss": ORANGE}, "" if results.dimensions else " in nats"
    if any(epoch.validation_loss is None for run in runs for epoch in run.history):
        pictures = [_curves(runs, losses, ylabel=f"training loss{unit}")]
    else:
        losses["validation_loss"] = BLUE
        uar = {"validation_uar": BLUE}
        pictures = [
            _curves(runs, losses, ylabel="loss" if results.dimensions else "cross-entropy in nats"),
            _curves(runs, uar, ylabel="validation UAR in %", scale=100, ylim=(0, 100)),
        ]
    if all(epoch.validation_ccc is not None for run in runs for epoch in run.history):
        ccc = {"validation_ccc": BLUE}
        pictures.append(_curves(runs, ccc, ylabel="validation CCC", ylim=(-0.2, 1)))
    return Drawing(pictures, _learning_caption(results, runs))


def _learning_caption(results: Results, runs: Sequence[RunRecord]) -> str:
    lengths = sorted(len(run.history) for run in runs)
    epochs = str(lengths[0]) + (f" to {lengths[-1]}" if lengths[-1] > lengths[0] else "")
    minutes = sum(run.seconds for run in results.runs) / SECONDS_PER_MINUTE
    if results.validation_uar is not None:
        validation = f"Dots: kept epochs, mean validation UAR {percent(results.validation_uar)} %."
    elif any(epoch.validation_ccc is not None for run in runs for epoch in run.history):
        validation = "Dots: kept epochs, with the highest validation CCC."
    else:
        validation = "No validation set is used; the last epoch is kept."
    lines = "Thin lines are runs, thick lines their mean. " if len(runs) > 1 else ""
    return (
        f"{lines}{plural(len(results.runs), 'run')} of {epochs} epochs; {minutes:.1f} minutes of "
        f"process time. {validation}"
    )


def _curves(
    runs: Sequence[RunRecord],
    colours: dict[str, str],
    *,
    ylabel: str,
    scale: float = 1,
    ylim: tuple[float, float] | None = None,
) -> Figure:
    """Curves over epochs; ``colours`` maps attributes of an epoch to colours.

    Thick lines are the mean over the runs that reached an epoch.
    """
    figure = Figure(figsize=(4.4, 2.9), layout="constrained")
    axes = figure.subplots()
    longest = max(len(run.history) for run in runs)
    epochs = np.arange(1, longest + 1)
    for name, colour in colours.items():
        values = np.full((len(runs), longest), np.nan)
        for row, run in enumerate(runs):
            values[row, : len(run.history)] = [
                scale * getattr(epoch, name) for epoch in run.history
            ]
            if name != "training_loss" and run.kept_epoch is not None:
                height = values[row, run.kept_epoch - 1]
                axes.plot(run.kept_epoch, height, ".", color=colour, alpha=0.6)
        if len(runs) > 1:
            axes.plot(epochs, values.T, color=colour, alpha=0.22, linewidth=0.8)
        label = name.replace("_", " ").replace("uar", "UAR").replace("ccc", "CCC")
        axes.plot(epochs, np.nanmean(values, axis=0), color=colour, linewidth=2, label=label)
    axes.set(xlabel="epoch", ylabel=ylabel, ylim=ylim or (0, None))
    if len(colours) > 1:
        axes.legend(frameon=False)
    return figure


@ABLATION.figure("UAR and differences")
def ablation_picture(results: AblationResults) -> Drawing | None:
    """UAR of each variant, and its difference to each reference."""
    rows = [row for row in results.rows if row.rates is not None]
    if not rows:
        return None
    references = [
        name for name in results.references if any(name in row.differences for row in rows)
    ]
    figure = Figure(figsize=(4.2 + 2.5 * len(references), 1 + 0.34 * len(rows)),
                    layout="constrained")  # fmt: skip
    first, *others = np.atleast_1d(figure.subplots(1, 1 + len(references), sharey=True))
    heights = np.arange(len(rows))[::-1]
    for height, row in zip(heights, rows, strict=True):
        _variant(row, height, first, dict(zip(references, others, strict=True)))
    first.set_yticks(heights, [row.variant for row in rows])
    first.set(xlabel="UAR in %", ylim=(-0.6, len(rows) - 0.4))
    for axes, reference in zip(others, references, strict=True):
        axes.axvline(0, color=GREY, linewidth=0.8)
        axes.set(xlabel=textwrap.fill(f"UAR minus {reference}", 26))
    for axes in (first, *others):
        axes.grid(axis="y", color=LIGHT_GREY, linewidth=0.6)
        axes.tick_params(axis="y", length=0)
    return Drawing([figure], _ablation_caption(rows, with_differences=bool(references)))


def _ablation_caption(rows: Sequence[AblationRow], *, with_differences: bool) -> str:
    several = any(len(row.rates.uar.of_seeds) > 1 for row in rows if row.rates is not None)
    parts = [
        "Large dots: mean over seeds; small dots: seeds." if several else "Dots: UAR of one seed.",
        "Lines: 95 % intervals, bootstrapped over speakers"
        + (" (and seeds, for differences)." if several and with_differences else "."),
        "Orange: the default of this version." if any(row.is_default for row in rows) else "",
    ]
    return " ".join(part for part in parts if part)


def _variant(row: AblationRow, height: float, rates: Axes, differences: dict[str, Axes]) -> None:
    """Draw one variant at its height."""
    assert row.rates is not None
    uar = row.rates.uar
    colour = ORANGE if row.is_default else BLUE
    seeds = _percent(uar.of_seeds)
    if len(seeds) > 1:
        rates.plot(seeds, [height] * len(seeds), ".", color=colour, alpha=0.4)
    _interval(rates, uar.mean, uar.interval_95, height, colour)
    for reference, axes in differences.items():
        found = row.differences.get(reference)
        if found is not None:
            _interval(axes, found.difference, found.interval_95, height, colour)


def _interval(
    axes: Axes, mean: float, ends: tuple[float, float], height: float, colour: str
) -> None:
    axes.plot(_percent(ends), [height] * 2, color=colour, linewidth=1.5)
    axes.plot(100 * mean, height, "o", color=colour, markersize=5)


def _percent(shares: Sequence[float]) -> list[float]:
    return [100 * share for share in shares]


def to_svg(figure: Figure) -> str:
    """Return a picture as inline SVG."""
    image = io.StringIO()
    figure.savefig(image, format="svg", metadata={"Date": None})
    svg = image.getvalue()
    return svg[svg.index("<svg") :]
