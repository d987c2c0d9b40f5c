"""The committed results are of the shipped experiments, and what is made from them is current."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest
import yaml

from emotone.evaluation import calibration, scoring
from emotone.evaluation.results_folder import ResultsFolder
from emotone.experiments import variants
from emotone.experiments.compatibility import configuration_of
from emotone.experiments.config import ExperimentConfig, load
from emotone.experiments.overrides import PRESETS
from emotone.inference import model_folder
from emotone.models.registry import options_of
from tests.helpers import script

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results"
ABLATIONS = {"emodb": "emodb", "ravdess": "emobox-ravdess"}  # and the experiment of the default
FOLDERS = sorted(path.parent for path in RESULTS.rglob("config.yaml"))


def default_of(corpus: str) -> ResultsFolder:
    folder = ResultsFolder(RESULTS / f"ablation-{corpus}")
    (row,) = [row for row in folder.ablation_results().rows if row.is_default]
    return folder.variant(row.folder)


@pytest.mark.parametrize(("corpus", "experiment"), ABLATIONS.items())
def test_the_results_are_of_the_shipped_experiment(corpus: str, experiment: str) -> None:
    made = configuration_of(default_of(corpus)).model_copy(update={"seeds": (0,)})
    assert made.identity() == load(PRESETS / f"{experiment}.yaml").identity()
    asked = variants.load(PRESETS / f"ablation-{corpus}.yaml").identity()
    written = yaml.safe_load(ResultsFolder(RESULTS / f"ablation-{corpus}").ablation())
    found = {
        name: ExperimentConfig.model_validate(values).identity() for name, values in written.items()
    }
    assert found == asked


@pytest.mark.parametrize(("corpus", "experiment"), ABLATIONS.items())
def test_the_pretrained_results_are_what_make_asks(corpus: str, experiment: str) -> None:
    found = configuration_of(ResultsFolder(RESULTS / "pretrained" / corpus))
    (half,) = re.findall(r"^HALF := (.*)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    pretraining = "pretraining.corpus=[{name: synthetic}]"
    asked = load(PRESETS / f"{experiment}.yaml", [pretraining, *half.split()])
    assert found.pretraining is not None
    assert asked.pretraining is not None
    assert found.training == asked.training
    assert found.pretraining.training == asked.pretraining.training


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: str(path.relative_to(RESULTS)))
def test_the_figures_follow_from_the_predictions(folder: Path) -> None:
    results = ResultsFolder(folder).results()
    again = scoring.score(ResultsFolder(folder).predictions(), results.setting.labels)
    for found, stored in ((again.uar, results.scores.uar), (again.war, results.scores.war)):
        assert found.mean == pytest.approx(stored.mean)
        assert found.interval_95 == pytest.approx(stored.interval_95)
    assert again.confusion == results.scores.confusion


@pytest.mark.parametrize("corpus", ABLATIONS)
def test_the_rows_of_an_ablation_are_those_of_its_variants(corpus: str) -> None:
    folder = ResultsFolder(RESULTS / f"ablation-{corpus}")
    for row in folder.ablation_results().rows:
        assert row.rates is not None
        scores = folder.variant(row.folder).results().scores
        assert (row.rates.uar, row.rates.war) == (scores.uar, scores.war)


@pytest.mark.parametrize("name", ["emotone-base", "emotone-8"])
def test_the_cards_are_made_from_the_results(name: str) -> None:
    cards = script(RESULTS / "models" / "cards.py")
    card = (model_folder.MODELS / name / model_folder.CARD).read_text(encoding="utf-8")
    assert card == cards.rendered(name)
    config = model_folder.read(model_folder.MODELS / name)
    folder = ResultsFolder(RESULTS / "models" / cards.FOLDERS[name])
    asked = load(PRESETS / f"{name}.yaml")
    found = configuration_of(folder)
    assert found.identity() | {"seeds": None} == asked.identity() | {"seeds": None}
    assert options_of(config) == (asked.features, asked.model)
    calibrated = calibration.calibrate(folder, config.labels)
    assert config.training["calibration"] == calibrated.as_dict()
    assert config.temperature == pytest.approx(calibrated.temperature, abs=1e-4)


def test_the_page_about_the_search_is_made_from_its_runs() -> None:
    folder = RESULTS / "search"
    search = script(folder / "search.py")
    asked = yaml.safe_load((folder / "variants.yaml").read_text(encoding="utf-8"))
    runs = pd.read_csv(folder / "runs.csv")
    assert set(runs["variant"]) == set(asked)
    written = (ROOT / "docs" / "search.md").read_text(encoding="utf-8")
    assert search.page(runs, asked) == written
    for variant in asked.values():  # settings that this version still understands
        overrides = [
            f"{key}={json.dumps(value)}" for key, value in variant.get("changes", {}).items()
        ]
        load(PRESETS / "ravdess.yaml", overrides)
