"""What the README says of the shipped results is what they are."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest
import yaml

from emotone import evaluation
from emotone.config import SHIPPED, ExperimentConfig, load

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results" / "emodb"


def test_the_table_is_that_of_the_report() -> None:
    report = (RESULTS / "report.md").read_text(encoding="utf-8").splitlines()
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in ("UAR", "WAR"):
        (line,) = [line for line in report if line.startswith(f"| {name} (")]
        assert line in readme


def test_the_results_are_of_the_shipped_experiment() -> None:
    made = ExperimentConfig.model_validate(yaml.safe_load((RESULTS / "config.yaml").read_text()))
    assert made.identity() == load(SHIPPED / "emodb.yaml").identity()


def test_the_figures_follow_from_the_predictions() -> None:
    results = json.loads((RESULTS / "results.json").read_text())
    predictions = pd.read_csv(RESULTS / "predictions.csv", dtype={"fold": str, "speaker": str})
    again = evaluation.summarise(predictions, results["labels"])
    for name in ("UAR", "WAR"):
        assert again[name]["pooled"] == pytest.approx(results[name]["pooled"])
        assert again[name]["interval_95"] == pytest.approx(results[name]["interval_95"])
    assert again["confusion"] == results["confusion"]


def test_the_figure_of_emoboxs_ravdess_is_that_of_its_results() -> None:
    folder = ROOT / "results" / "emobox-ravdess"
    results = json.loads((folder / "results.json").read_text())
    made = ExperimentConfig.model_validate(yaml.safe_load((folder / "config.yaml").read_text()))
    assert made.identity() == load(SHIPPED / "emobox-ravdess.yaml").identity()
    figure = f"give {100 * results['UAR']['pooled']:.1f} % UAR with seed 0"
    assert figure in (ROOT / "README.md").read_text(encoding="utf-8")


def test_links_lead_somewhere() -> None:
    for name in ("README.md", "CONTRIBUTING.md"):
        for link in re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / name).read_text("utf-8")):
            assert (ROOT / link).exists(), link
