"""Write the tables of the README, from the corpus readers and the results beside this file.

Writes ``docs/corpora.md``, too.

    python results/tables.py

`make results` says how those results were made.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from emotone.corpora.catalogue import corpora_page, corpora_table
from emotone.evaluation import metrics
from emotone.evaluation import summary as evaluation
from emotone.experiments.config import ExperimentConfig
from emotone.options import Options
from emotone.reporting.rendering import points

HERE = Path(__file__).parent
README = HERE.parent / "README.md"
CORPORA_PAGE = HERE.parent / "docs" / "corpora.md"
CORPORA = {"emodb": "EMO-DB", "ravdess": "RAVDESS"}
MARKED = re.compile(r"(<!-- (\w+): [^\n]* -->\n).*?(<!-- end -->)", re.DOTALL)


def rendered(readme: str) -> str:
    """The README with each marked part written anew."""
    return MARKED.sub(lambda part: part[1] + PARTS[part[2]]() + part[3], readme)


def _variants(corpus: str) -> str:
    """UAR and WAR of each variant that has results, its differences to the references, its size."""
    results = _read(HERE / f"ablation-{corpus}")
    default = [row["variant"] for row in results["rows"] if row["is_default"]]
    titles = ["variant", "UAR, %", "WAR, %"]
    for reference in results["references"]:
        titles.append(f"UAR minus {'the default' if reference in default else reference}")
    lines = []
    for row in results["rows"]:
        if row["UAR"] is None:
            continue
        low, high = (f"{100 * end:.1f}" for end in row["UAR"]["interval_95"])
        name = f"**{row['variant']}** (default)" if row["is_default"] else row["variant"]
        cells = [name, f"{_rate(row['UAR'])} [{low}, {high}]", _rate(row["WAR"])]
        for reference in results["references"]:
            found = row["differences"].get(reference)
            star = "*" if found and found["p_holm"] < 0.05 else ""
            cells.append(f"{_gain(found['UAR'], found)}{star}" if found else "–")
        counts = [len(row["seeds"]), row["epochs"], row["parameters"]]
        lines.append([*cells, *("–" if count is None else f"{count:,}" for count in counts)])
    return _table([*titles, "seeds", "epochs", "parameters"], lines)


def _enrolment() -> str:
    """UAR over how many utterances of a speaker are known, and what they bring."""
    rows: dict[int, list[str]] = {}
    corpora = []
    for corpus, name in CORPORA.items():
        folder = HERE / f"ablation-{corpus}" / "variants" / "enrolment"
        if folder.exists():
            corpora.append(name)
            for point in _read(folder)["enrolment"]:
                gain = f" ({_gain(point['difference'], point)})" if point["enrolled"] else ""
                cell = f"{100 * point['UAR']:.1f}{gain}"
                rows.setdefault(point["enrolled"], []).append(cell)
    lines = [[str(enrolled), *cells] for enrolled, cells in rows.items()]
    return _table(["utterances known", *(f"{name}, UAR, %" for name in corpora)], lines)


def _pretrained() -> str:
    """What learning other corpora first brings, over the same folds and seeds."""
    lines = []
    for corpus, name in CORPORA.items():
        folder = HERE / "pretrained" / corpus
        if not folder.exists():
            continue
        results = _read(folder)
        scratch = _from_scratch(corpus, folder)
        pretrained, plain = (
            evaluation.confusions_by_seed(
                pd.read_csv(place / "predictions.csv", dtype={"fold": str, "speaker": str}),
                results["labels"],
            )
            for place in (folder, scratch)
        )
        found = metrics.compare(
            np.stack([pretrained[seed] for seed in results["seeds"]]),
            np.stack([plain[seed] for seed in results["seeds"]]),
        )
        low, high = (f"{100 * end:.1f}" for end in results["UAR"]["interval_95"])
        gain = f"{points(found.difference)} [{points(found.low)}, {points(found.high)}]"
        lines.append(
            [
                f"[{name}](results/pretrained/{corpus}/report.md)",
                results["pretrained_on"].replace("+", " + "),
                f"{100 * results['UAR']['pooled']:.1f} [{low}, {high}]",
                gain,
                f"{found.p:.3f}",
                str(len(results["seeds"])),
            ]
        )
    titles = ["tested on", "begun with", "UAR, %", "minus from scratch, same seeds", "p", "seeds"]
    return _table(titles, lines)


def _from_scratch(corpus: str, pretrained: Path) -> Path:
    """Folder of the ablation's variant that differs in the pre-training alone."""
    asked = _options(pretrained)
    variants = (HERE / f"ablation-{corpus}" / "variants").iterdir()
    (found,) = (folder for folder in variants if _options(folder) == asked)
    return found


def _options(folder: Path) -> tuple[Options, ...]:
    values = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    config = ExperimentConfig.model_validate(values)
    return config.features, config.model, config.training


def _missing() -> str:
    """What has not been computed."""
    lines = []
    for corpus, name in CORPORA.items():
        results = _read(HERE / f"ablation-{corpus}")
        short = [
            f"{row['variant']} {row['finished']} of {row['runs']}"
            for row in results["rows"]
            if row["finished"] < row["runs"]
        ]
        if short:
            lines.append(f"- {name}: {results['missing']} runs ({', '.join(short)})\n")
    return "\n" + ("".join(lines) or "- nothing\n") + "\n"


PARTS: dict[str, Callable[[], str]] = {
    "corpora": corpora_table,
    "emodb": lambda: _variants("emodb"),
    "ravdess": lambda: _variants("ravdess"),
    "missing": _missing,
    "enrolment": _enrolment,
    "pretrained": _pretrained,
}


def _read(folder: Path) -> dict[str, Any]:
    results: dict[str, Any] = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    return results


def _rate(rate: dict[str, Any]) -> str:
    std = "" if rate["std"] is None else f" ± {100 * rate['std']:.1f}"
    return f"{100 * rate['mean']:.1f}{std}"


def _gain(difference: float, found: dict[str, Any]) -> str:
    low, high = (points(end) for end in found["interval_95"])
    return f"{points(difference)} [{low}, {high}]"


def _table(titles: list[str], lines: list[list[str]]) -> str:
    rows = [titles, ["---"] * len(titles), *lines]
    return "\n" + "".join(f"| {' | '.join(row)} |\n" for row in rows) + "\n"


if __name__ == "__main__":
    CORPORA_PAGE.write_text(corpora_page(), encoding="utf-8")
    README.write_text(rendered(README.read_text(encoding="utf-8")), encoding="utf-8")
