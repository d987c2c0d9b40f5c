"""Measures ``emotone search`` on synthetic speech: how far it comes from a bad start.

Run ``python benchmarks/searching.py OUT [--hours 1]``, on two cores; it resumes. Writes
``benchmarks/RESULTS-searching.md``: UAR of the start, of the demo's configuration and of the best
one that was found, on validation speakers and on the test speakers, which the search did not see.
"""

import argparse
import subprocess
import sys
from pathlib import Path

import yaml

from emotone.evaluation import search_results
from emotone.evaluation.results_folder import ResultsFolder
from emotone.experiments.search import BEST
from emotone.reporting.rendering import percent, rate

PAGE = Path(__file__).with_name("RESULTS-searching.md")
FOLD, SEEDS = "1", "seeds=[0,1]"
TEST_SEEDS = "seeds=[0,1,2,3,4]"
BAD = {
    "model.lstm": 8,
    "model.hidden": 8,
    "model.summary": "last",
    "model.dropout": 0.6,
    "training.epochs": 4,
    "training.learning_rate": 0.00003,
    "training.label_smoothing": 0.5,
}
SPACE = {
    "model.lstm": {"low": 8, "high": 96, "step": 8},
    "model.hidden": {"low": 8, "high": 96, "step": 8},
    "model.summary": ["last", "mean", "max", "mean_std", "mean_std_max", "attention"],
    "model.dropout": {"low": 0.0, "high": 0.6},
    "training.epochs": {"low": 4, "high": 30},
    "training.learning_rate": {"low": 0.00003, "high": 0.03, "log": True},
    "training.label_smoothing": {"low": 0.0, "high": 0.5},
}


def emotone(*arguments: object) -> None:
    """Run a command; ends with its code if it fails."""
    done = subprocess.run([sys.executable, "-m", "emotone", *map(str, arguments)], check=False)
    if done.returncode:
        sys.exit(done.returncode)


def main() -> None:
    """Search, test and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--hours", type=float, default=1.0)
    options = parser.parse_args()
    out: Path = options.out
    out.mkdir(parents=True, exist_ok=True)
    space = out / "space.yaml"
    space.write_text(yaml.safe_dump(SPACE))
    bad = [f"{name}={value}" for name, value in BAD.items()]
    common = ("--fold", FOLD, "--out")
    emotone("search", "demo", space, SEEDS, *bad, "--hours", options.hours, *common, out / "found")
    emotone("search", "demo", space, SEEDS, "--trials", 1, *common, out / "demo")
    only = f'protocol.only=["{FOLD}"]'
    tested = {"bad": ("demo", only, *bad), "demo": ("demo", only), "best": (out / "found" / BEST,)}
    for name, arguments in tested.items():
        emotone("crossval", *arguments, TEST_SEEDS, "--out", out / f"tested-{name}")
    PAGE.write_text(page(out, options.hours))


def page(out: Path, hours: float) -> str:
    """Return the results as Markdown."""
    found, demo = (search_results.read_search(out / name) for name in ("found", "demo"))
    assert found.start is not None
    start, best = found.trials[found.start], found.best
    rows = {
        "the start": (start.uar, "tested-bad", BAD),
        "the demo's": (demo.best.uar, "tested-demo", demo.best.values),
        f"the best of {len(found.trials)} trials": (best.uar, "tested-best", best.values),
    }
    lines = [
        "# Search on synthetic speech",
        "",
        f"`python benchmarks/searching.py OUT --hours {hours:g}`: from a start that is bad on "
        "purpose, on two cores. UAR in %: mean over two seeds on validation speakers (the best of "
        "many is too high there), and over five seeds [95 % interval over speakers] on test "
        "speakers, which the search did not see. Scores say nothing about real speech.",
        "",
        "| configuration | validation speakers | test speakers |",
        "|---|---|---|",
    ]
    for name, (validation, folder, _) in rows.items():
        test = ResultsFolder(out / folder).results().scores.uar
        lines.append(f"| {name} | {percent(validation)} | {rate(test)} |")
    lines += ["", "| option | " + " | ".join(rows) + " |", "|---" * (len(rows) + 1) + "|"]
    for name in SPACE:
        values = (values[name] for *_, values in rows.values())
        shown = (f"{one:.2g}" if isinstance(one, float) else str(one) for one in values)
        lines.append(f"| `{name}` | {' | '.join(shown)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
