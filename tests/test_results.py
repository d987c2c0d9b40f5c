"""The committed results are of the shipped experiments, and what is made from them is current."""

import json
from pathlib import Path
from typing import Any

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
FEW_LABELS = sorted(RESULTS.glob("few-labels/*/*"))
FOLDERS = sorted(path.parent for path in RESULTS.rglob("config.yaml"))


def place(corpus: str) -> ResultsFolder:
    made = ResultsFolder(RESULTS / "benchmark" / corpus)
    return made if made.is_ablation else ResultsFolder(RESULTS / f"ablation-{corpus}")


def default_of(corpus: str) -> ExperimentConfig:
    """What the default of a table is, whether or not it has run."""
    folder = place(corpus)
    (row,) = [row for row in folder.ablation_results().rows if row.is_default]
    return ExperimentConfig.model_validate(yaml.safe_load(folder.ablation())[row.variant])


def without_network(identity: dict[str, Any]) -> dict[str, Any]:
    """An identity that does not say which network it starts from."""
    start = identity["pretraining"]
    return identity | {"pretraining": start and start | {"model_sha256": None}}


@pytest.mark.parametrize("corpus", sorted(path.name for path in RESULTS.glob("benchmark/*")))
def test_the_results_are_of_the_shipped_experiments(
    corpus: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    any_network = model_folder.MODELS / "emotone-8"
    monkeypatch.setattr(model_folder, "locate", lambda name: any_network)
    written = yaml.safe_load(ResultsFolder(RESULTS / "benchmark" / corpus).ablation())
    name = f"benchmark-acrnn-{corpus}" if "3-D ACRNN, pre-trained" in written else None
    asked = variants.load(PRESETS / f"{name or f'benchmark-{corpus}'}.yaml")
    check_variants(written, asked)


def check_variants(written: dict[str, Any], asked: variants.Ablation) -> None:
    """Those of a results folder are those of a file, whatever network they start from."""
    assert written.keys() == asked.variants.keys()
    for variant, values in written.items():
        found = ExperimentConfig.model_validate(values).identity()
        wanted = asked.variants[variant].identity()
        assert without_network(found) == without_network(wanted), variant


@pytest.mark.parametrize("path", FEW_LABELS, ids=lambda path: "-".join(path.parts[-2:]))
def test_few_labels_are_of_the_shipped_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    any_network = model_folder.MODELS / "emotone-8"
    monkeypatch.setattr(model_folder, "locate", lambda name: any_network)
    few = [f"corpus.name={path.parent.name}", f"protocol.training_per_class={path.name}"]
    asked = variants.load(PRESETS / "few-labels.yaml", few)
    check_variants(yaml.safe_load(ResultsFolder(path).ablation()), asked)


@pytest.mark.parametrize(("corpus", "experiment"), ABLATIONS.items())
def test_the_default_of_the_tables_is_the_shipped_one(corpus: str, experiment: str) -> None:
    made = default_of(corpus).identity()
    assert made | {"seeds": [0]} == load(PRESETS / f"{experiment}.yaml").identity()


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
    """A row without rates has no finished run, and counts as missing with all of its runs."""
    folder = place(corpus)
    results = folder.ablation_results()
    assert results.missing == sum(row.runs - row.finished for row in results.rows)
    for row in results.rows:
        if row.rates is None:
            assert row.finished == 0
            continue
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
    assert config.neutral == calibrated.neutral


def test_networks_that_results_started_from_are_kept_with_a_card_and_fit_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(model_folder, "locate", lambda name: model_folder.MODELS / "emotone-8")
    cards = script(RESULTS / "models" / "cards.py")
    for folder in cards.kept():
        assert (folder / model_folder.CARD).read_text(encoding="utf-8") == cards.rendered_kept(
            folder
        )
        name, _, left_out = folder.name.partition("-without-")
        config = model_folder.read(folder)
        assert left_out not in config.training["corpora"]
        assert len(config.training["corpora"]) == 6
        row = variants.load(PRESETS / f"benchmark-{left_out}.yaml").variants[f"{name}, pre-trained"]
        assert row.pretraining is not None
        assert row.pretraining.model == f"out/pretrained/{folder.name}"
        assert options_of(config) == (row.features, row.model)


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


def test_variants_on_unknown_corpora_are_settings_of_this_version() -> None:
    folder = RESULTS / "search"
    asked = yaml.safe_load((folder / "unknown.yaml").read_text(encoding="utf-8"))
    assert set(pd.read_csv(folder / "unknown.csv")["variant"]) <= set(asked)
    for variant in asked.values():
        overrides = [f"{key}={json.dumps(value)}" for key, value in variant["changes"].items()]
        load(PRESETS / "emotone-base.yaml", overrides)
