"""Pictures of an audit."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from emotone.evaluation.audit_results import Audit, Effect, Part
from emotone.evaluation.changes import GROUPS
from emotone.reporting.plots import BLUE, GREY, INK, LIGHT_GREY, ORANGE, Drawing, Figures
from emotone.reporting.rendering import percent
from emotone.text import plural

LISTED_ROWS = 40  # more names do not fit on an axis
FEWEST_ROWS = 6  # in a picture before there is a second one
ROW = 0.21  # height in inches

AUDIT: Figures[Audit] = Figures()


def colour_of(effect: Effect) -> str:
    """Blue if the criteria are met, orange if not, grey if there are none."""
    return {True: BLUE, False: ORANGE, None: GREY}[effect.passed]


@AUDIT.figure("Robustness", beside="robustness")
def robustness(audit: Audit) -> Drawing | None:
    """Unchanged answers and difference of the UAR under each change."""
    effects = audit.robustness
    figure = Figure(figsize=(8.6, 0.8 + ROW * len(effects)), layout="constrained")
    unchanged, change = figure.subplots(1, 2, sharey=True, width_ratios=(1.2, 1))
    heights = range(len(effects) - 1, -1, -1)
    for height, effect in zip(heights, effects, strict=True):
        colour = colour_of(effect)
        unchanged.barh(height, 100 * effect.unchanged, height=0.66, color=colour)
        low, high = (100 * end for end in effect.interval_95)
        change.plot([low, high], [height] * 2, color=colour, linewidth=1.3)
        change.plot(100 * effect.uar_change, height, "o", color=colour, markersize=4)
        for axes, least in (
            (unchanged, effect.least_unchanged), (change, effect.least_uar_change),
        ):  # fmt: skip
            if least is not None:
                axes.plot([100 * least] * 2, [height - 0.45, height + 0.45], color=INK, lw=1.6)
    change.axvline(0, color=GREY, linewidth=0.8)
    unchanged.set_yticks(heights, [effect.title for effect in effects])
    unchanged.set(xlabel="answers unchanged, %", xlim=(0, 100), ylim=(-0.7, len(effects) - 0.3))
    change.set(xlabel="Δ UAR, points")
    for axes in (unchanged, change):
        axes.tick_params(axis="y", length=0)
        _lines_between_groups(axes, heights, effects)
    meanings = {True: "blue: criteria met", False: "orange: missed", None: "grey: no criterion"}
    drawn = {effect.passed for effect in effects}
    colours = "; ".join(text for passed, text in meanings.items() if passed in drawn).capitalize()
    marks = " Vertical marks: criteria." if drawn - {None} else ""
    if any(effect.most_confident is not None for effect in effects):
        marks += f" {GROUPS['voice']}: the criterion is the share of confident answers."
    return Drawing(
        [figure],
        f"{colours}.{marks} Lines: 95 % intervals of Δ UAR, paired, bootstrapped over speakers.",
    )


def _lines_between_groups(axes: Axes, heights: Sequence[int], effects: Sequence[Effect]) -> None:
    for height, (one, following) in zip(heights[:-1], pairwise(effects), strict=True):
        if one.group != following.group:
            axes.axhline(height - 0.5, color=LIGHT_GREY, linewidth=0.8)


@AUDIT.figure("Fairness", beside="fairness")
def fairness(audit: Audit) -> Drawing | None:
    """UAR of each part of the utterances."""
    rows = [
        (f"{found.column}: {part.name}", part)
        for found in sorted(audit.fairness, key=lambda found: found.column == "speaker")
        for part in sorted(found.parts, key=lambda p: -p.uar if found.column == "speaker" else 0)
    ]
    if not rows:
        return None
    half = max(-(-len(rows) // 2), FEWEST_ROWS)  # two pictures of one height leave no hole
    pictures = [_parts(audit, rows[at : at + half], half) for at in range(0, len(rows), half)]
    drawn = [part for found in audit.fairness for part in found.parts]
    caption = "UAR over the emotions that occur in a part; the line is that of all utterances."
    if any(part.interval_95 is not None for part in drawn):
        caption += " Horizontal lines: 95 % intervals, bootstrapped over speakers."
    if not all(part.compared for part in drawn):
        caption += " Grey: too few utterances to compare."
    return Drawing(pictures, caption)


def _parts(audit: Audit, rows: Sequence[tuple[str, Part]], places: int) -> Figure:
    """Draw parts in an axis with room for ``places`` of them."""
    named = places <= LISTED_ROWS
    figure = Figure(figsize=(4.4, 0.8 + ROW * min(places, LISTED_ROWS)), layout="constrained")
    axes = figure.subplots()
    heights = np.arange(places - 1, places - 1 - len(rows), -1)
    for height, (_, part) in zip(heights, rows, strict=True):
        colour = BLUE if part.compared else GREY
        if part.interval_95 is not None:
            axes.plot(
                [100 * end for end in part.interval_95], [height] * 2, color=colour, linewidth=1.3
            )
        axes.plot(100 * part.uar, height, "o", color=colour, markersize=4)
    axes.axvline(100 * audit.clean.uar, color=ORANGE, linewidth=1)
    axes.set(xlabel="UAR, %", xlim=(0, 102), ylim=(-0.7, places - 0.3))
    if named:
        axes.set_yticks(heights, [name for name, _ in rows])
    else:
        axes.set(yticks=[], ylabel=plural(len(rows), "part"))
    axes.tick_params(axis="y", length=0)
    return figure


@AUDIT.figure("Calibration and coverage", beside="calibration")
def calibration(audit: Audit) -> Drawing | None:
    """Reliability diagram, and accuracy against coverage."""
    reliability, coverage = (Figure(figsize=(4.4, 3.2), layout="constrained") for _ in range(2))
    _reliability(reliability.subplots(), audit)
    _coverage(coverage.subplots(), audit)
    threshold = f"model's threshold, a probability of {audit.subject.threshold:.2f}"
    dot = f"; the dot is the {threshold}." if audit.coverage.accuracy is not None else "."
    return Drawing(
        [reliability, coverage],
        "First: accuracy of answers of similar confidence; the bars are their share, and the line "
        f"is perfect calibration. Second: accuracy of the most confident answers{dot}",
    )


def _reliability(axes: Axes, audit: Audit) -> None:
    bins = audit.calibration.bins
    total = sum(one.utterances for one in bins)
    confidences = [100 * one.confidence for one in bins]
    shares = [100 * one.utterances / total for one in bins]
    axes.bar(confidences, shares, width=4, color=LIGHT_GREY)
    axes.plot([0, 100], [0, 100], color=GREY, linewidth=0.8)
    axes.plot(confidences, [100 * one.accuracy for one in bins], "o-", color=BLUE, markersize=4)
    axes.set(xlabel="confidence, %", ylabel="accuracy, %", xlim=(0, 101), ylim=(0, 102))
    axes.set_title(f"calibration error {percent(audit.calibration.error)} %", size=9, loc="left")


def _coverage(axes: Axes, audit: Audit) -> None:
    found = audit.coverage
    axes.plot(
        [100 * point.coverage for point in found.curve],
        [100 * point.accuracy for point in found.curve],
        color=BLUE,
    )
    title = "no answer is confident"
    if found.accuracy is not None:
        axes.plot(100 * found.confident, 100 * found.accuracy, "o", color=ORANGE)
        title = f"{percent(found.confident)} % confident, {percent(found.accuracy)} % of them right"
    axes.set(xlabel="share of answers, %", ylabel="accuracy, %", xlim=(0, 101), ylim=(0, 102))
    axes.set_title(title, size=9, loc="left")
