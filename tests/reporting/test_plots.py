import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from emotone.evaluation.metrics import Comparison
from emotone.evaluation.results import EnrolmentPoint, Epoch, Results
from emotone.reporting import plots
from tests.made_results import made_ablation, made_results


def points(line: Line2D) -> list[Any]:
    return [(float(x), float(y)) for x, y in np.asarray(line.get_xydata())]


def test_figures_are_drawn_in_the_order_they_are_registered() -> None:
    figures: plots.Figures[Results] = plots.Figures()

    @figures.figure("Second place", beside="a table")
    def first(results: Results) -> plots.Drawing:
        figure = Figure()
        figure.text(0, 0, results.setting.corpus)
        return plots.Drawing([figure, figure], "caption of it")

    @figures.figure("Nothing to draw")
    def second(results: Results) -> None:
        return None

    (section,) = figures.sections(made_results())
    assert (section.title, section.beside) == ("Second place", "a table")
    assert section.caption == "caption of it"
    assert [svg[:4] for svg in section.svgs] == ["<svg"] * 2
    assert "made &lt;up&gt;" in section.svgs[0]


def test_the_same_results_give_the_same_pictures() -> None:
    one, other = (list(plots.EXPERIMENT.sections(made_results())) for _ in range(2))
    assert one == other


def test_learning_curves_show_losses_and_validation() -> None:
    results = made_results()
    drawing = plots.learning_curves(results)
    assert drawing is not None
    losses, uar = (picture.axes[0] for picture in drawing.pictures)
    _, labels = losses.get_legend_handles_labels()
    assert labels == ["training loss", "validation loss"]
    means = [line for line in losses.lines if line.get_linewidth() == 2]
    expected = [1, 1 / 2, 1 / 3, 1 / 4]  # of both runs; the last epoch of the longer one alone
    assert [height for _, height in points(means[0])] == pytest.approx(expected)
    kept = [line for line in uar.lines if line.get_marker() == "."]
    assert [points(line) for line in kept] == [[(3, pytest.approx(60))]] * 2
    assert "2 runs of 3 to 4 epochs; 2.0 minutes" in drawing.caption
    assert drawing.caption.endswith("Dots: kept epochs, mean validation UAR 60.0 %.")


def test_without_validation_there_is_one_curve() -> None:
    results = made_results()
    runs = tuple(replace(run, history=(Epoch(1.0), Epoch(0.5))) for run in results.runs)
    drawing = plots.learning_curves(replace(results, runs=runs, validation_uar=None))
    assert drawing is not None
    assert len(drawing.pictures) == 1
    assert "No validation set is used; the last epoch is kept." in drawing.caption
    assert "Dots" not in drawing.caption
    assert "2 runs of 2 epochs" in drawing.caption


def test_a_model_without_epochs_has_no_learning_curves() -> None:
    results = made_results()
    runs = tuple(replace(run, history=()) for run in results.runs)
    assert plots.learning_curves(replace(results, runs=runs)) is None


def test_the_enrolment_curve_has_the_interval_of_the_gain() -> None:
    assert plots.enrolment_curve(made_results()) is None
    curve = (
        EnrolmentPoint(0, 0.5, Comparison(0.0, (0.0, 0.0), 1.0)),
        EnrolmentPoint(25, 0.55, Comparison(0.05, (0.01, 0.1), 0.02)),
    )
    drawing = plots.enrolment_curve(made_results(enrolment=curve))
    assert drawing is not None
    (axes,) = drawing.pictures[0].axes
    assert points(axes.lines[0]) == [(0, pytest.approx(50)), (25, pytest.approx(55))]
    band = np.asarray(axes.collections[0].get_paths()[0].vertices)
    assert {round(float(y), 3) for x, y in band if x == 25} == {51.0, 60.0}


def test_the_ablation_picture_has_a_panel_per_reference_with_differences() -> None:
    drawing = plots.ablation_picture(made_ablation(references=("baseline", "full_size")))
    assert drawing is not None
    uar, minus = drawing.pictures[0].axes
    assert [label.get_text() for label in uar.get_yticklabels()] == ["baseline", "full_size"]
    assert minus.get_xlabel() == "UAR minus baseline"
    (dot,) = [line for line in minus.lines if line.get_marker() == "o"]
    assert points(dot) == [(pytest.approx(10), 0)]
    assert plots.ablation_picture(made_ablation(rows=made_ablation().rows[2:])) is None
    (section,) = plots.ABLATION.sections(made_ablation())
    assert re.search(r"Orange: the default", section.caption)
