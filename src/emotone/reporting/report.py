"""A results folder as one HTML page without outside links, as Markdown and as a LaTeX table."""

import io
import json
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from emotone.errors import StorageError, UsageError
from emotone.evaluation.summary import PROBABILITY, independence
from emotone.experiments.ablation import ABLATION
from emotone.experiments.crossval import CONFIG, RESULTS
from emotone.experiments.runs import PREDICTIONS
from emotone.files import write_text
from emotone.reporting.rendering import protocol_name, template

REPORTS = ("report.html", "report.md", "report.tex")
STYLE: dict[Any, Any] = {
    "font.size": 9,
    "font.family": "sans-serif",
    "svg.fonttype": "none",
    "svg.hashsalt": "emotone",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#8a94a3",
    "text.color": "#26303d",
    "axes.labelcolor": "#26303d",
    "xtick.color": "#4d5866",
    "ytick.color": "#4d5866",
}
TABLE = "table.csv"  # of an ablation


def covered(folder: Path) -> list[Path]:
    """The results folder itself and, of an ablation, those of its variants that have figures."""
    if not _is_ablation(folder):
        return [folder]
    results, _ = _finished(folder, ABLATION)
    return [folder, *(folder / row["folder"] for row in results["rows"] if row["UAR"])]


def write(folder: Path, advance: Callable[[], None] = lambda: None) -> list[Path]:
    """Write the reports of a finished experiment, or of an ablation and its variants.

    Args:
        folder: a results folder; each report goes into the folder it tells of.
        advance: is called after each folder of :func:`covered`.

    Returns:
        Paths of the reports of ``folder`` itself, the HTML page first.

    Raises:
        UsageError: if ``folder`` or a variant's folder holds no results.
        StorageError: if they cannot be written.
    """
    written = []
    for each in covered(folder):
        written.append(_write_ablation(each) if _is_ablation(each) else _write_experiment(each))
        advance()
    return written[0]


def _is_ablation(folder: Path) -> bool:
    return (folder / ABLATION).is_file()


def _write_ablation(folder: Path) -> list[Path]:
    paths = [folder / name for name in REPORTS]
    results, _ = _finished(folder, ABLATION)
    for path in paths:
        write_text(path, render_ablation(results, path.suffix[1:]))
    write_text(folder / TABLE, ablation_table(results).convert_dtypes().to_csv(index=False))
    return [*paths, folder / TABLE]


def _write_experiment(folder: Path) -> list[Path]:
    paths = [folder / name for name in REPORTS]
    results, configuration = _finished(folder)
    for path in paths:
        write_text(path, render(results, configuration, path.suffix[1:]))
    return paths


def export_audformat(folder: Path, out: Path) -> Path:
    """Write the predictions of a results folder as a database in audformat.

    Each seed has a table with a segmented index and the columns ``truth``, ``prediction``,
    ``speaker``, ``fold`` and a probability per emotion. Audio is not copied; files are given from
    the folder that all files of the corpus share.

    Raises:
        UsageError: if ``folder`` holds no finished experiment, or ``out`` holds other files.
        StorageError: if ``out`` cannot be written.
    """
    import audformat

    results, _ = _finished(folder)
    if out.exists() and any(out.iterdir()):
        raise UsageError(f"{out} holds other files; choose an empty folder for --audformat")
    text = {"fold": str, "speaker": str}
    predictions = pd.read_csv(folder / PREDICTIONS, dtype=text)
    database = audformat.Database(f"emotone-{results['corpus']}", source="emotone crossval")
    database.description = f"Predictions of emotone, {independence(results)}"
    database.schemes["emotion"] = audformat.Scheme(labels=results["labels"])
    database.schemes["probability"] = audformat.Scheme("float", minimum=0, maximum=1)
    database.schemes["name"] = audformat.Scheme("str")
    columns = {"truth": "emotion", "prediction": "emotion", "speaker": "name", "fold": "name"}
    for seed, rows in predictions.groupby("seed"):
        ends = pd.to_timedelta(rows["end"], unit="s")
        starts = pd.to_timedelta(rows["start"], unit="s")
        index = audformat.segmented_index(rows["file"].tolist(), starts.tolist(), ends.tolist())
        name = "predictions" if len(results["seeds"]) == 1 else f"predictions-seed-{seed}"
        table = database[name] = audformat.Table(index)
        for column, scheme in columns.items():
            table[column] = audformat.Column(scheme_id=scheme)
            table[column].set(rows[column].to_numpy())
        for label in results["labels"]:
            table[label] = audformat.Column(scheme_id="probability")
            table[label].set(rows[PROBABILITY + label].to_numpy())
    try:
        database.save(str(out), storage_format="csv")
    except OSError as error:
        raise StorageError(f"cannot write to {out}: {error.strerror}") from error
    return out


def _finished(folder: Path, configuration: str = CONFIG) -> tuple[dict[str, Any], str]:
    """Results and configuration of a finished experiment or, with its file, of an ablation."""
    try:
        results = json.loads((folder / RESULTS).read_text(encoding="utf-8"))
        return results, (folder / configuration).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{folder} holds no finished experiment (no readable {RESULTS} and {configuration}); "
            "give the --out folder of emotone crossval or ablate after it has ended"
        ) from error


def render(results: dict[str, Any], configuration: str, kind: str) -> str:
    """Render results.

    Args:
        results: contents of ``results.json``.
        configuration: contents of ``config.yaml``.
        kind: ``html``, ``md`` or ``tex``.
    """
    confusion = np.array(results["confusion"], dtype=float)
    totals = confusion.sum(axis=1, keepdims=True)
    shares = np.divide(confusion, totals, out=np.zeros_like(confusion), where=totals > 0)
    context = {
        "results": results,
        "configuration": configuration,
        "title": "synthetic speech" if results["synthetic"] else results["corpus"],
        "shares": shares.tolist(),
        "rates": [
            ("UAR", "balanced accuracy, UA", results["UAR"]),
            ("WAR", "accuracy, WA", results["WAR"]),
        ],
        "independence": independence(results),
        "protocol": protocol_name(results["protocol"]),
        "epochs": sorted(run["epochs"] for run in results["runs"] if "epochs" in run),
        "minutes": sum(run["seconds"] for run in results["runs"]) / 60,
    }
    if kind == "html":
        learnt = [run for run in results["runs"] if "history" in run]
        context["curves"] = learning_curves(learnt) if learnt else []
        context["enrolment"] = enrolment_curve(results["enrolment"])
    return template(f"report.{kind}.j2").render(context)


def render_ablation(results: dict[str, Any], kind: str) -> str:
    """Render the results of an ablation.

    Args:
        results: contents of ``results.json``, see :func:`emotone.experiments.ablation.table`.
        kind: ``html``, ``md`` or ``tex``.
    """
    context = {
        "results": results,
        "title": "synthetic speech" if results["synthetic"] else results["corpus"],
        "independence": (
            "speaker-dependent" if results["speaker_dependent"] else "speaker-independent"
        ),
        "protocol": protocol_name(results["protocol"]),
        "unfinished": [row for row in results["rows"] if row["finished"] < row["runs"]],
    }
    if kind == "html":
        context["picture"] = ablation_picture(results)
    return template(f"ablation.{kind}.j2").render(context)


def ablation_table(results: dict[str, Any]) -> pd.DataFrame:
    """Return the rows of an ablation as a table; rates in 0 … 1."""
    table = []
    for row in results["rows"]:
        cells = {"variant": row["variant"], "seeds": " ".join(map(str, row["seeds"]))}
        for name in ("UAR", "WAR"):
            rate = row[name] or {}
            cells |= {f"{name}_mean": rate.get("mean"), f"{name}_std": rate.get("std")}
            low, high = rate.get("interval_95", (None, None))
            cells |= {f"{name}_low": low, f"{name}_high": high}
        for reference in results["references"]:
            difference = row["differences"].get(reference, {})
            low, high = difference.get("interval_95", (None, None))
            cells |= {
                f"UAR minus {reference}": difference.get("UAR"),
                f"UAR minus {reference}, low": low,
                f"UAR minus {reference}, high": high,
                f"p against {reference}": difference.get("p"),
                f"p against {reference}, Holm": difference.get("p_holm"),
            }
        names = ("parameters", "multiply_adds_per_s", "epochs", "training_s", "finished", "runs")
        table.append(cells | {name: row[name] for name in names})
    return pd.DataFrame(table)


def learning_curves(runs: list[dict[str, Any]]) -> list[str]:
    """Draw losses and validation UAR of all runs over epochs, as inline SVG pictures.

    Without validation it is one picture, of the training loss.
    Thin lines are runs, dots the epochs that were kept, thick lines the mean over the runs that
    reached an epoch.
    """
    losses = {"training_loss": "#b4541a"}
    if any(epoch["validation_loss"] is None for run in runs for epoch in run["history"]):
        with matplotlib.rc_context(STYLE):
            return [_plot(runs, losses, ylabel="training loss in nats")]
    losses["validation_loss"] = "#1f5f99"
    with matplotlib.rc_context(STYLE):
        return [
            _plot(runs, losses, ylabel="cross-entropy in nats"),
            _plot(runs, {"validation_uar": "#1f5f99"}, ylabel="validation UAR in %", percent=True),
        ]


def _plot(
    runs: list[dict[str, Any]], colours: dict[str, str], *, ylabel: str, percent: bool = False
) -> str:
    figure = Figure(figsize=(4.4, 2.9), layout="constrained")
    axes = figure.subplots()
    longest = max(run["epochs"] for run in runs)
    for key, colour in colours.items():
        values = np.full((len(runs), longest), np.nan)
        for row, run in enumerate(runs):
            values[row, : run["epochs"]] = [epoch[key] for epoch in run["history"]]
            kept = run["kept_epoch"]
            if key != "training_loss":
                height = values[row, kept - 1] * (100 if percent else 1)
                axes.plot(kept, height, ".", color=colour, alpha=0.6)
        if percent:
            values *= 100
        epochs = np.arange(1, longest + 1)
        axes.plot(epochs, values.T, color=colour, alpha=0.22, linewidth=0.8)
        label = key.replace("_", " ").replace("uar", "UAR")
        axes.plot(epochs, np.nanmean(values, axis=0), color=colour, linewidth=2, label=label)
    axes.set(xlabel="epoch", ylabel=ylabel, ylim=(0, 100 if percent else None))
    if len(colours) > 1:
        axes.legend(frameon=False)
    return _svg(figure)


def enrolment_curve(curve: list[dict[str, Any]]) -> str:
    """Draw the UAR over the number of enrolment utterances, as an inline SVG."""
    if not curve:
        return ""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(4.4, 2.6), layout="constrained")
        axes = figure.subplots()
        known = [point["enrolled"] for point in curve]
        bounds = np.array([curve[0]["UAR"] + np.array(point["interval_95"]) for point in curve])
        axes.fill_between(
            known, 100 * bounds[:, 0], 100 * bounds[:, 1], color="#1f5f99", alpha=0.15
        )
        axes.plot(known, [100 * point["UAR"] for point in curve], "o-", color="#1f5f99")
        axes.set(xlabel="utterances of the speaker known", ylabel="UAR in %", xticks=known)
        return _svg(figure)


def ablation_picture(results: dict[str, Any]) -> str:
    """Draw the UAR of each variant, and its difference to each reference, as an inline SVG."""
    rows = [row for row in results["rows"] if row["UAR"]]
    if not rows:
        return ""
    references = [
        name for name in results["references"] if any(name in row["differences"] for row in rows)
    ]
    with matplotlib.rc_context(STYLE):
        panels = 1 + len(references)
        figure = Figure(figsize=(4.2 + 2.5 * len(references), 1 + 0.34 * len(rows)),
                        layout="constrained")  # fmt: skip
        first, *others = np.atleast_1d(figure.subplots(1, panels, sharey=True))
        heights = np.arange(len(rows))[::-1]
        for height, row in zip(heights, rows, strict=True):
            rate = row["UAR"]
            colour = "#b4541a" if row["is_default"] else "#1f5f99"
            first.plot(_percent(rate["interval_95"]), [height] * 2, color=colour, linewidth=1.5)
            seeds = _percent(rate["of_seeds"])
            first.plot(seeds, [height] * len(seeds), ".", color=colour, alpha=0.4)
            first.plot(100 * rate["mean"], height, "o", color=colour, markersize=5)
            for axes, reference in zip(others, references, strict=True):
                difference = row["differences"].get(reference)
                if difference:
                    low_high = _percent(difference["interval_95"])
                    axes.plot(low_high, [height] * 2, color=colour, linewidth=1.5)
                    axes.plot(100 * difference["UAR"], height, "o", color=colour, markersize=5)
        first.set_yticks(heights, [row["variant"] for row in rows])
        first.set(xlabel="UAR in %", ylim=(-0.6, len(rows) - 0.4))
        for axes, reference in zip(others, references, strict=True):
            axes.axvline(0, color="#8a94a3", linewidth=0.8)
            axes.set(xlabel=textwrap.fill(f"UAR minus {reference}", 26))
        for axes in (first, *others):
            axes.grid(axis="y", color="#dde2e9", linewidth=0.6)
            axes.tick_params(axis="y", length=0)
        return _svg(figure)


def _percent(shares: Sequence[float]) -> list[float]:
    return [100 * share for share in shares]


def _svg(figure: Figure) -> str:
    image = io.StringIO()
    figure.savefig(image, format="svg", metadata={"Date": None})
    svg = image.getvalue()
    return svg[svg.index("<svg") :]
