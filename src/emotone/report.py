"""A results folder as one HTML page without outside links, as Markdown and as a LaTeX table."""

import io
import json
from pathlib import Path
from typing import Any

import jinja2
import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from emotone.errors import StorageError, UsageError
from emotone.evaluation import PROBABILITY, independence
from emotone.experiment import CONFIG, PREDICTIONS, RESULTS
from emotone.files import write_text

TEMPLATES = Path(__file__).parent / "templates"
REPORTS = ("report.html", "report.md", "report.tex")


def write(folder: Path) -> list[Path]:
    """Write the reports of a finished experiment into its folder.

    Returns:
        Their paths, the HTML page first.

    Raises:
        UsageError: if ``folder`` holds no finished experiment.
        StorageError: if they cannot be written.
    """
    results, configuration = _finished(folder)
    paths = [folder / name for name in REPORTS]
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


def _finished(folder: Path) -> tuple[dict[str, Any], str]:
    """Results and configuration of a finished experiment."""
    try:
        results = json.loads((folder / RESULTS).read_text(encoding="utf-8"))
        configuration = (folder / CONFIG).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{folder} holds no finished experiment (no readable {RESULTS} and {CONFIG}); "
            "give the --out folder of emotone crossval after it has ended"
        ) from error
    return results, configuration


def render(results: dict[str, Any], configuration: str, kind: str) -> str:
    """Render results.

    Args:
        results: contents of ``results.json``.
        configuration: contents of ``config.yaml``.
        kind: ``html``, ``md`` or ``tex``.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=kind == "html",
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["percent"] = lambda share: "–" if share is None else f"{100 * share:.1f}"
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
        "epochs": sorted(run["epochs"] for run in results["runs"]),
        "minutes": sum(run["seconds"] for run in results["runs"]) / 60,
    }
    if kind == "html":
        context["curves"] = learning_curves(results["runs"])
    return environment.get_template(f"report.{kind}.j2").render(context)


def protocol_name(protocol: dict[str, Any]) -> str:
    """Say in words what a protocol does."""
    if protocol["name"] == "kfold":
        return f"{protocol['folds']}-fold over speakers"
    if protocol["name"] == "fold_column":
        return f"predefined folds (column {protocol['column']})"
    return str(protocol["name"]).replace("_", " ")


def learning_curves(runs: list[dict[str, Any]]) -> list[str]:
    """Draw losses and validation UAR of all runs over epochs, as two inline SVG pictures.

    Thin lines are runs, dots the epochs that were kept, thick lines the mean over the runs that
    reached an epoch.
    """
    style: dict[Any, Any] = {
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
    with matplotlib.rc_context(style):
        return [
            _plot(
                runs,
                {"training_loss": "#b4541a", "validation_loss": "#1f5f99"},
                ylabel="cross-entropy in nats",
            ),
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
    image = io.StringIO()
    figure.savefig(image, format="svg", metadata={"Date": None})
    svg = image.getvalue()
    return svg[svg.index("<svg") :]
