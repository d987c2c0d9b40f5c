"""What the README says of the shipped results is what they are."""

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest
import yaml

from emotone.evaluation import calibration
from emotone.evaluation import summary as evaluation
from emotone.experiments import ablation
from emotone.experiments.config import ExperimentConfig, load, options_of
from emotone.experiments.overrides import PRESETS
from emotone.inference import model_folder
from emotone.models.crnn import CrnnOptions
from emotone.models.network import Network

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results"
ABLATIONS = {"emodb": "emodb", "ravdess": "emobox-ravdess"}  # and the experiment of the default


def rows_of(corpus: str) -> list[dict[str, Any]]:
    results = json.loads((RESULTS / f"ablation-{corpus}" / "results.json").read_text("utf-8"))
    return [row for row in results["rows"] if row["UAR"]]


def default_of(corpus: str) -> Path:
    (row,) = [row for row in rows_of(corpus) if row["is_default"]]
    return RESULTS / f"ablation-{corpus}" / str(row["folder"])


def test_the_tables_are_made_from_the_results() -> None:
    tables = script(RESULTS / "tables.py")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [part[2] for part in tables.MARKED.finditer(readme)] == [*tables.PARTS]
    assert tables.rendered(readme) == readme
    assert "| **all four − multi-kernel, 120 epochs** (default) | " in readme
    report = (default_of("emodb") / "report.md").read_text(encoding="utf-8").splitlines()
    (line,) = [line for line in report if line.startswith("| WAR (")]
    assert line in readme


@pytest.mark.parametrize(("corpus", "experiment"), ABLATIONS.items())
def test_the_results_are_of_the_shipped_experiment(corpus: str, experiment: str) -> None:
    found = yaml.safe_load((default_of(corpus) / "config.yaml").read_text())
    made = ExperimentConfig.model_validate(found | {"seeds": [0]})
    assert made.identity() == load(PRESETS / f"{experiment}.yaml").identity()
    asked = ablation.load(PRESETS / f"ablation-{corpus}.yaml").identity()
    written = yaml.safe_load((RESULTS / f"ablation-{corpus}" / "ablation.yaml").read_text("utf-8"))
    found = {
        name: ExperimentConfig.model_validate(values).identity() for name, values in written.items()
    }
    assert found == asked


@pytest.mark.parametrize(("corpus", "experiment"), ABLATIONS.items())
def test_the_pretrained_results_are_what_make_asks(corpus: str, experiment: str) -> None:
    values = yaml.safe_load((RESULTS / "pretrained" / corpus / "config.yaml").read_text("utf-8"))
    found = ExperimentConfig.model_validate(values)
    (half,) = re.findall(r"^HALF := (.*)$", (ROOT / "Makefile").read_text("utf-8"), re.M)
    pretraining = "pretraining.corpus=[{name: synthetic}]"
    asked = load(PRESETS / f"{experiment}.yaml", [pretraining, *half.split()])
    assert found.pretraining is not None
    assert asked.pretraining is not None
    assert found.training == asked.training
    assert found.pretraining.training == asked.pretraining.training


@pytest.mark.parametrize("corpus", ABLATIONS)
def test_the_figures_follow_from_the_predictions(corpus: str) -> None:
    results = json.loads((default_of(corpus) / "results.json").read_text())
    text = {"fold": str, "speaker": str}
    predictions = pd.read_csv(default_of(corpus) / "predictions.csv", dtype=text)
    again = evaluation.summarise(predictions, results["labels"])
    for name in ("UAR", "WAR"):
        assert again[name]["pooled"] == pytest.approx(results[name]["pooled"])
        assert again[name]["interval_95"] == pytest.approx(results[name]["interval_95"])
    assert again["confusion"] == results["confusion"]


def test_what_the_readme_concludes_from_the_ablations() -> None:
    def difference(corpus: str, variant: str, reference: str) -> dict[str, Any]:
        (row,) = [row for row in rows_of(corpus) if row["variant"] == variant]
        found: dict[str, Any] = row["differences"][reference]
        return found

    def sure(corpus: str, variant: str, reference: str) -> int:
        """1 or -1 if the interval of the difference is above or below zero, 0 if it includes it."""
        low, high = difference(corpus, variant, reference)["interval_95"]
        return int(low > 0) - int(high < 0)

    def points(corpus: str, variant: str, reference: str) -> str:
        """The difference without its sign, which ``sure`` tells."""
        return f"{abs(100 * difference(corpus, variant, reference)['UAR']):.1f}"

    half = "all four − multi-kernel"
    default = f"{half}, 120 epochs"
    readme = " ".join((ROOT / "README.md").read_text("utf-8").split())
    alone = [points(corpus, "baseline + training", "baseline") for corpus in ("ravdess", "emodb")]
    assert (
        f"Alone it brings the baseline {alone[0]} points on RAVDESS and {alone[1]} on EMO-DB"
    ) in readme
    without = [points(corpus, "all four − training", "all four") for corpus in ("ravdess", "emodb")]
    assert (
        f"all four without the training are {without[0]} points below all four "
        f"on RAVDESS and {without[1]} on EMO-DB"
    ) in readme
    five = {
        (corpus, row["variant"])
        for corpus in ABLATIONS
        for row in rows_of(corpus)
        if len(row["seeds"]) >= 5
    }
    assert five == {(corpus, name) for corpus in ABLATIONS for name in ("baseline", half, default)}
    more = [points(corpus, half, default) for corpus in ("ravdess", "emodb")]
    assert (
        f"the folds above agree: {more[0]} points more on RAVDESS and {more[1]} on EMO-DB, "
        "though both intervals just include zero."
    ) in readme
    assert [sure(corpus, half, default) for corpus in ("ravdess", "emodb")] == [0, 0]
    assert (
        "The default, the same with 60 epochs and the baseline have five seeds, the rest one"
    ) in readme
    summary = points("ravdess", "baseline + summary", "baseline")
    assert f"The summary alone brings {summary} points on RAVDESS" in readme
    assert sure("ravdess", "baseline + summary", "baseline") == 1
    assert sure("emodb", "baseline + summary", "baseline") == 0
    for corpus in ABLATIONS:
        assert sure(corpus, "baseline + training", "baseline") == 1
        assert sure(corpus, "all four − training", "all four") == -1
        for ingredient in ("multi-kernel", "features"):
            assert sure(corpus, f"baseline + {ingredient}", "baseline") == 0
        assert sure(corpus, default, "baseline") == 1
        assert sure(corpus, "eGeMAPSv02 + SVM", default) == -1
    assert sure("ravdess", "ComParE 2016 + SVM", default) == -1
    assert sure("emodb", "ComParE 2016 + SVM", default) == 0
    for corpus in ABLATIONS:
        assert sure(corpus, "3-D ACRNN", default) == 0
        small, large = (row for row in rows_of(corpus) if row["variant"] in (default, "3-D ACRNN"))
        fewer = [large[of] / small[of] for of in ("parameters", "multiply_adds_per_s")]
        assert (
            f"{fewer[0]:.0f} times fewer parameters and {fewer[1]:.0f} times fewer multiply-adds"
        ) in readme
    higher = {}
    for corpus in ABLATIONS:
        plain = [row for row in rows_of(corpus) if not row["transductive"]]
        (own,) = (row["UAR"]["mean"] for row in plain if row["is_default"])
        higher[corpus] = [row["variant"] for row in plain if row["UAR"]["mean"] > own]
    assert higher["ravdess"] == []
    assert f"one row is higher, {' and '.join(higher['emodb'])}. From the 3-D ACRNN" in readme
    assert "The 3-D ACRNN has 16 epochs on EMO-DB and 8 on RAVDESS" in readme
    for corpus, epochs, name in (("emodb", 16, "EMO-DB"), ("ravdess", 8, "RAVDESS")):
        acrnn = RESULTS / f"ablation-{corpus}" / "variants" / "3-d-acrnn" / "runs"
        runs = [json.loads(path.read_text("utf-8")) for path in acrnn.glob("*/run.json")]
        losses = [[epoch["training_loss"] for epoch in run["history"]] for run in runs]
        assert {len(of_run) for of_run in losses} == {epochs}
        assert all(of_run[-1] < of_run[-2] for of_run in losses)
        last = [of_run[-1] for of_run in losses]
        assert f"between {min(last):.2f} and {max(last):.2f} on {name}" in readme
    assert "its training loss ends between" in readme
    assert sure("ravdess", "baseline + training", "all four") == -1
    assert sure("ravdess", half, "all four") == 0
    for ingredient in ("summary", "features"):
        variant = f"all four − {ingredient}"
        assert sure("ravdess", variant, "all four") == 0
        assert difference("ravdess", variant, "all four")["UAR"] < 0
        cost = points("ravdess", variant, "all four")
        assert f"to leave out one of the two costs {cost} points there" in readme
    for corpus in ABLATIONS:
        folder = RESULTS / f"ablation-{corpus}" / "variants" / "enrolment"
        point = json.loads((folder / "results.json").read_text("utf-8"))["enrolment"][-1]
        low, high = point["interval_95"]
        assert (point["enrolled"], low < 0 < high) == (25, True)


def script(path: Path) -> ModuleType:
    """Import a script that is no part of the package."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_the_readme_says_of_the_models_stands_in_their_cards() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    card = (model_folder.MODELS / "emotone-base" / model_folder.CARD).read_text("utf-8")
    rows = re.findall(
        r"^\| (.*) \| (new [sc].*) \| (.*) \| (.*) \| .* \| . \| (.*) \|$", card, re.M
    )
    found = {(tested, corpus, system): rest for corpus, tested, system, *rest in rows}
    ours = [(tested, corpus) for tested, corpus, system in found if system == "this network"]
    assert len(ours) == 7
    for which in ours:
        rate, _ = found[*which, "this network"]
        other, minus = found[*which, "ComParE 2016 + SVM"]
        assert f"| {' | '.join(which)} | {rate} | {other} | {minus} |" in readme
        if which[0].startswith("new corpus"):  # of which it says that no interval includes zero
            assert "[+" in minus


def test_what_was_tried_for_emotone_base_is_in_its_results() -> None:
    folder = RESULTS / "models" / "emotone-base" / "kfold-capped"
    results = json.loads((folder / "results.json").read_text("utf-8"))
    low, high = (f"{100 * end:.1f}" for end in results["UAR"]["interval_95"])
    rates = {name: f"{100 * of['UAR']['pooled']:.1f}" for name, of in results["by_corpus"].items()}
    said = (
        f"{100 * results['UAR']['pooled']:.1f} [{low}, {high}]: more on EMO-DB ({rates['emodb']}) "
        f"and RAVDESS ({rates['ravdess']}), less on nEMO ({rates['nemo']})"
    )
    assert said in (ROOT / "README.md").read_text("utf-8")


@pytest.mark.parametrize("name", ["emotone-base", "emotone-8"])
def test_the_cards_are_made_from_the_results(name: str) -> None:
    cards = script(RESULTS / "models" / "cards.py")
    assert (model_folder.MODELS / name / model_folder.CARD).read_text(
        encoding="utf-8"
    ) == cards.rendered(name)
    config = model_folder.read(model_folder.MODELS / name)
    values = yaml.safe_load((RESULTS / "models" / name / "kfold" / "config.yaml").read_text())
    found = ExperimentConfig.model_validate(values)
    asked = load(PRESETS / f"{name}.yaml")
    assert found.identity() | {"seeds": None} == asked.identity() | {"seeds": None}
    assert options_of(config) == (asked.features, asked.model)
    calibrated = calibration.calibrate(RESULTS / "models" / name / "kfold", asked, [*config.labels])
    assert config.training["calibration"] == calibrated.as_dict()
    assert config.temperature == pytest.approx(calibrated.temperature, abs=1e-4)


def test_what_the_readme_concludes_from_the_search() -> None:
    folder = RESULTS / "search"
    search = script(folder / "search.py")
    variants = yaml.safe_load((folder / "variants.yaml").read_text(encoding="utf-8"))
    runs = dict(iter(pd.read_csv(folder / "runs.csv").groupby("variant")))
    readme = " ".join((ROOT / "README.md").read_text("utf-8").split())
    found, sizes = [], []
    for name, variant in variants.items():
        changes = variant.get("changes", {})
        if variant.get("later") and any(key.startswith("model.") for key in changes):
            overrides = [f"{key}={json.dumps(value)}" for key, value in changes.items()]
            larger = load(PRESETS / "ravdess.yaml", overrides)
            assert isinstance(larger.model, CrnnOptions)
            labels = [str(number) for number in range(8)]
            network = Network(larger.features, larger.model, labels)
            sizes.append(sum(weight.numel() for weight in network.backbone.parameters()))
            found.append(search.differences(runs[name], runs[search.AGAIN]).mean())
    assert len(found) == 5
    assert (
        f"So do larger networks, of up to {max(sizes) / 1e6:.2f} million parameters: "
        f"{-max(found):.1f} to {-min(found):.1f} points less."
    ) in readme
    longer = search.differences(runs["the default, 120 epochs"], runs[search.AGAIN])
    assert len(longer) == 6
    assert (
        f"120 epochs instead of the 60 before scored {longer.mean():.1f} points more there, "
        f"with a standard error of {longer.sem():.1f} over six runs"
    ) in readme
    longest = search.differences(runs["the default, 240 epochs"], runs["the default, 120 epochs"])
    assert len(longest) == 2
    assert (longest > 0).all()
    assert "240 epochs score more again in the search, over two runs" in readme


def test_the_page_about_the_search_is_made_from_its_runs() -> None:
    folder = RESULTS / "search"
    search = script(folder / "search.py")
    variants = yaml.safe_load((folder / "variants.yaml").read_text(encoding="utf-8"))
    runs = pd.read_csv(folder / "runs.csv")
    assert set(runs["variant"]) == set(variants)
    written = (ROOT / "docs" / "search.md").read_text(encoding="utf-8")
    assert search.page(runs, variants) == written
    for variant in variants.values():  # settings that this version still understands
        overrides = [
            f"{key}={json.dumps(value)}" for key, value in variant.get("changes", {}).items()
        ]
        load(PRESETS / "ravdess.yaml", overrides)


def test_speeds_are_those_that_were_measured() -> None:
    section = (ROOT / "README.md").read_text("utf-8").split("## How fast")[1].split("\n## ")[0]
    said = [line for line in section.splitlines() if line.startswith("| ")]
    measured = (ROOT / "benchmarks" / "RESULTS.md").read_text("utf-8").splitlines()
    assert len(said) == 5
    assert set(said) <= set(measured)


def test_links_lead_somewhere() -> None:
    for name in ("README.md", "CONTRIBUTING.md"):
        for link in re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / name).read_text("utf-8")):
            assert (ROOT / link).exists(), link
